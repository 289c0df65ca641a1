"""A database and a clock for workflows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.database.engine import Database, migrate, open_engine
from aftersend.platform.clock import ManualClock


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a migrated database; copy it, do not change it."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Database:
    """Give a migrated SQLite database of one's own."""
    path = tmp_path / "aftersend.sqlite"
    shutil.copy(empty_database, path)
    return Database(open_engine(f"sqlite:///{path}"))


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at ten on a Thursday."""
    return ManualClock(datetime(2026, 1, 1, 10, 0, tzinfo=UTC))
