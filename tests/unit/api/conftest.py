"""An instance with a token to ask its API with."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import api_tokens
from aftersend.platform.clock import ManualClock
from aftersend.web.app import build
from aftersend.web.services import Services
from tests.support.pages import NOW, Runs, make_services, open_services

LABEL = "reporting"


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at noon."""
    return ManualClock(NOW)


@pytest.fixture
def runs() -> Runs:
    """Give the stand-in for the workflow engine."""
    return Runs()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an instance once, to be copied."""
    directory = tmp_path_factory.mktemp("prepared")
    services = make_services(directory, clock=ManualClock(NOW), runs=Runs())
    services.database.engine.dispose()
    return directory


@pytest.fixture
def services(prepared: Path, tmp_path: Path, clock: ManualClock, runs: Runs) -> Services:
    """Give an instance with nothing in it."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return open_services(tmp_path, clock=clock, runs=runs)


@pytest.fixture
def token(services: Services) -> str:
    """Make a token."""
    with services.database.write() as connection:
        return api_tokens.create(
            connection, label=LABEL, entropy=services.entropy, at=NOW, operator="cli:ada"
        )


@pytest.fixture
def stranger(services: Services) -> Iterator[TestClient[Any]]:
    """Give a client without a token."""
    with TestClient(build(services), base_url="http://app.example") as client:
        yield client


@pytest.fixture
def client(stranger: TestClient[Any], token: str) -> TestClient[Any]:
    """Give a client that sends its token."""
    stranger.headers["Authorization"] = f"Bearer {token}"
    return stranger
