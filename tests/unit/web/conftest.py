"""A small instance to draw pages of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.platform.clock import ManualClock
from aftersend.web.app import build
from aftersend.web.services import Services
from tests.support.pages import NOW, Runs, log_in, make_services


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at noon."""
    return ManualClock(NOW)


@pytest.fixture
def runs() -> Runs:
    """Give the stand-in for the workflow engine."""
    return Runs()


@pytest.fixture
def services(tmp_path: Path, clock: ManualClock, runs: Runs) -> Services:
    """Give an instance with one operator and nothing else."""
    return make_services(tmp_path, clock=clock, runs=runs)


@pytest.fixture
def visitor(services: Services) -> Iterator[TestClient[Any]]:
    """Give a client that is not logged in."""
    with TestClient(build(services), base_url="http://app.example") as client:
        yield client


@pytest.fixture
def client(visitor: TestClient[Any]) -> TestClient[Any]:
    """Give a client that is logged in."""
    log_in(visitor)
    return visitor
