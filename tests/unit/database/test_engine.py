"""Opening the control plane."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Event, Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select

from aftersend.database import schema
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.errors import InvalidSettings


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a migrated SQLite database."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    return Database(engine)


def _set_option(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(schema.option).values(name=name, value="1"))


def test_migrations_lead_to_the_declared_tables(database: Database) -> None:
    """A migrated database and the declared tables do not differ."""
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert differences == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    """A second migration is a no-op, and the Open URL stands there once, as id 1."""
    migrate(database.engine)

    with database.read() as connection:
        rows = connection.execute(select(schema.tracked_url.c.id, schema.tracked_url.c.label)).all()
    assert rows == [(1, "Open")]


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    """While somebody writes, others read the state before."""
    is_writing, may_end = Event(), Event()

    def write() -> None:
        with database.write() as connection:
            connection.execute(insert(schema.option).values(name="a", value="1"))
            is_writing.set()
            may_end.wait(10)

    writer = Thread(target=write)
    writer.start()
    assert is_writing.wait(10)
    with database.read() as connection:
        during = connection.execute(select(schema.option)).all()
    may_end.set()
    writer.join()
    with database.read() as connection:
        after = connection.execute(select(schema.option.c.name)).scalars().all()

    assert during == []
    assert after == ["a"]


def test_many_writers_wait_for_each_other(database: Database) -> None:
    """Twenty writers at once all succeed: a transaction takes its lock when it begins."""
    writers = [Thread(target=_set_option, args=(database, f"o{n}")) for n in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with database.read() as connection:
        assert len(connection.execute(select(schema.option)).all()) == 20


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    """An exception undoes the whole transaction."""

    def write() -> None:
        with database.write() as connection:
            connection.execute(insert(schema.option).values(name="a", value="1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()

    with database.read() as connection:
        assert connection.execute(select(schema.option)).all() == []


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    """A time of any zone is kept as the same moment in UTC."""
    at = datetime(2026, 3, 1, 10, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.write() as connection:
        values = {"id": "1", "internal_url": "http://x", "created_at": at}
        connection.execute(insert(schema.tracking_server).values(values))

    with database.read() as connection:
        kept = connection.execute(select(schema.tracking_server.c.created_at)).scalar_one()
    assert kept == at
    assert kept.tzinfo is UTC


def test_a_wrong_url_is_refused() -> None:
    """A URL that SQLAlchemy does not understand is an error of the settings."""
    with pytest.raises(InvalidSettings, match=r"database\.url"):
        open_engine("nonsense")
