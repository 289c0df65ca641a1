"""A post office with a clock that stands still."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aftersend.collector.config import CollectorConfig
from aftersend.collector.embedded import running
from aftersend.database import public_addresses
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.delivery.office import PostOffice
from aftersend.model.ids import ServerId
from aftersend.platform.clock import ManualClock
from tests.support.post_office import KEYS, NOW, VERIFIED, make_office


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a migrated database with a verified address; copy it, do not change it."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    with Database(engine).write() as connection:
        public_addresses.note(connection, VERIFIED)
    engine.dispose()
    return path


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at half past nine on a Monday."""
    return ManualClock(NOW)


@pytest.fixture
def office(tmp_path: Path, empty_database: Path, clock: ManualClock) -> PostOffice:
    """Give a post office of one's own, without recipients."""
    path = tmp_path / "aftersend.sqlite"
    shutil.copy(empty_database, path)
    return make_office(tmp_path, path, clock=clock)


@pytest.fixture
def visitor(office: PostOffice, clock: ManualClock) -> Iterator[httpx.Client]:
    """Give somebody with a browser in front of a tracking server on the clock of the office."""
    config = CollectorConfig(
        server_id=ServerId("1"),
        catalogue_directory=office.catalogue,
        spool_directory=office.sending.parent / "spool" / "1",
        keys=KEYS,
        password=office.password,
    )
    with running(config, clock) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client
