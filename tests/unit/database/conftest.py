"""A database with one delivery and one recipient."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.database import deliveries, recipients
from aftersend.database.deliveries import NewDelivery
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.recipients import Profile

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def lamps(tmp_path: Path) -> Database:
    """Give a database with delivery 1, made at half past nine, and Ada."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database = Database(engine)
    new = NewDelivery(
        label="Lamps",
        sender="a@x.example",
        subject="Look",
        html="<p>Look</p>",
        text=None,
        is_target_all=True,
    )
    with database.write() as connection:
        deliveries.add(connection, new, at=NOW)
        recipients.upsert(connection, [Profile("ada@x.example", {"first_name": "Ada"})], at=NOW)
    return database
