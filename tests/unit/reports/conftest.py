"""A control plane and a lake for reports."""

from pathlib import Path

import pytest

from tests.support.crowds import World, make_empty, make_world


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a migrated database; copy it, do not change it."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite"
    make_empty(path)
    return path


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> World:
    """Give an empty world of one's own."""
    return make_world(tmp_path / "world", empty_database)
