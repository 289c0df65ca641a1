"""The audit trail."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from aftersend.database import audit
from aftersend.database.audit import AuditEntry
from aftersend.database.engine import Database, migrate, open_engine

_NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give an empty database."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    return Database(engine)


@pytest.fixture
def trail(database: Database) -> Database:
    """Give a database with four entries, an hour apart, each different in one thing at least."""
    deeds = [
        ("workflow", "tracking", "pause", "ann"),
        ("workflow", "cleanup", "pause", "bob"),
        ("option", "tracking", "set", "ann"),
        ("workflow", "tracking", "resume", "cli:root"),
    ]
    with database.write() as connection:
        for hour, (entity, name, action, operator) in enumerate(deeds):
            at = _NOON + timedelta(hours=hour)
            entry = AuditEntry(at, entity, name, action, operator, {"hour": hour})
            audit.write(connection, entry)
    return database


def test_what_is_written_is_read(database: Database) -> None:
    """An entry comes back as it was written, with its number."""
    written = AuditEntry(_NOON, "workflow", "tracking", "pause", "ann", {"from": [1, "é"]})
    with database.write() as connection:
        audit.write(connection, written)
    with database.read() as connection:
        (read,) = audit.entries(connection)

    assert (read.at, read.entity, read.name, read.action, read.operator, read.details) == (
        written.at,
        written.entity,
        written.name,
        written.action,
        written.operator,
        written.details,
    )
    assert read.id > 0


@pytest.mark.parametrize(
    ("wanted", "hours"),
    [
        ({}, [3, 2, 1, 0]),
        ({"entity": "workflow"}, [3, 1, 0]),
        ({"name": "tracking"}, [3, 2, 0]),
        ({"action": "pause"}, [1, 0]),
        ({"operator": "ann"}, [2, 0]),
        ({"since": _NOON + timedelta(hours=1)}, [3, 2, 1]),
        ({"until": _NOON + timedelta(hours=1)}, [0]),
        ({"entity": "workflow", "operator": "ann"}, [0]),
        ({"operator": "nobody"}, []),
    ],
)
def test_entries_are_found_newest_first(
    trail: Database, wanted: dict[str, Any], hours: list[int]
) -> None:
    """Each condition holds by itself and with others; `since` is in, `until` is not.

    Killed by: `<=` for `until`.
    """
    with trail.read() as connection:
        assert _hours(connection, **wanted) == hours
        assert audit.count(connection, **wanted) == len(hours)


def test_entries_are_turned_page_by_page(trail: Database) -> None:
    """Pages do not overlap and leave nothing out; the count is that of all pages."""
    with trail.read() as connection:
        pages = [_hours(connection, limit=3, offset=offset) for offset in (0, 3, 6)]
        assert audit.count(connection) == 4

    assert pages == [[3, 2, 1], [0], []]


def test_a_long_name_is_cut(database: Database) -> None:
    """A name that no column holds does not make the deed fail that it tells of."""
    with database.write() as connection:
        audit.write(connection, AuditEntry(_NOON, "option", "n" * 300, "set", "o" * 300))
        (entry,) = audit.entries(connection)

    assert (len(entry.name), len(entry.operator)) == (255, 100)


def _hours(connection: Connection, **wanted: Any) -> list[int]:
    return [entry.details["hour"] for entry in audit.entries(connection, **wanted)]
