"""Fixtures of tests that ask pages or the API: an instance with one operator and nothing else."""

import shutil
from pathlib import Path

import pytest

from aftersend.platform.clock import ManualClock
from aftersend.web.services import Services
from tests.support.pages import NOW, Runs, make_services, open_services

__all__ = ["clock", "prepared", "runs", "services"]


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
    """Make an instance once, to be copied: migrating and hashing take their time."""
    directory = tmp_path_factory.mktemp("prepared")
    services = make_services(directory, clock=ManualClock(NOW), runs=Runs())
    services.database.engine.dispose()
    return directory


@pytest.fixture
def services(prepared: Path, tmp_path: Path, clock: ManualClock, runs: Runs) -> Services:
    """Give an instance with one operator and nothing else."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return open_services(tmp_path, clock=clock, runs=runs)
