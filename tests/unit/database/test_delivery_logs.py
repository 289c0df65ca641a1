"""Delivery logs as lists."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from aftersend.database import delivery_logs
from aftersend.database.delivery_logs import Query
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.schema import delivery, message
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    FailureType,
    MessageStatus,
)
from aftersend.model.ids import DeliveryId, RecipientId

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST, SECOND = DeliveryId(1), DeliveryId(2)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a database with two deliveries to four recipients each and a seed in the first."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database = Database(engine)
    deliveries = [
        {
            "internal_name": f"DM{number}",
            "label": f"Delivery {number}",
            "state": DeliveryState.FINISHED,
            "sender": "a@example.com",
            "subject": "Hello",
            "created_at": START,
            "modified_at": START,
        }
        for number in (1, 2)
    ]
    messages = [
        {
            "delivery_id": number,
            "recipient_id": recipient,
            "address": f"r{recipient}@example.com",
            "domain": "example.com",
            "is_seed": recipient == 0,
            "status": MessageStatus.FAILED if recipient == 4 else MessageStatus.SENT,
            "failure_type": FailureType.HARD if recipient == 4 else FailureType.NOT_DEFINED,
            "failure_reason": FailureReason.USER_UNKNOWN if recipient == 4 else 0,
            "failure_text": "no such user" if recipient == 4 else "",
            "event_at": START + timedelta(minutes=recipient // 2),
        }
        for number in (1, 2)
        for recipient in ((1, 2, 3, 4, 0) if number == 1 else (1, 2, 3, 4))
    ]
    with database.write() as connection:
        connection.execute(insert(delivery), deliveries)
        connection.execute(insert(message), messages)
    return database


def _addresses(database: Database, query: Query) -> list[str]:
    with database.read() as connection:
        entries = delivery_logs.page(connection, query)
        assert len(entries) == delivery_logs.count(connection, query)
    return [entry.address.removesuffix("@example.com") for entry in entries]


def test_the_newest_come_first(database: Database) -> None:
    """Without a sort the messages of a delivery stand by event date downwards."""
    assert ["r4", "r3", "r2", "r0", "r1"] == _addresses(database, Query(delivery_id=FIRST))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("address", ["r0", "r1", "r2", "r3", "r4"]),
        ("-address", ["r4", "r3", "r2", "r1", "r0"]),
        ("-status", ["r4", "r0", "r3", "r2", "r1"]),
    ],
)
def test_a_sort_is_followed(database: Database, sort: str, expected: list[str]) -> None:
    """A sort is followed both ways; ties stand by id."""
    assert expected == _addresses(database, Query(delivery_id=FIRST, sort=sort))


def test_seeds_can_be_left_out(database: Database) -> None:
    """The list behind a figure leaves out seed addresses, as the figure does."""
    query = Query(delivery_id=FIRST, has_seeds=False, sort="address")

    assert ["r1", "r2", "r3", "r4"] == _addresses(database, query)


def test_a_status_and_a_part_of_an_address_filter(database: Database) -> None:
    """Filters pick their messages; a percent sign stands for itself."""
    failed = Query(delivery_id=FIRST, statuses=(MessageStatus.FAILED,))

    assert ["r4"] == _addresses(database, failed)
    assert ["r2"] == _addresses(database, Query(delivery_id=FIRST, search="R2@"))
    assert [] == _addresses(database, Query(delivery_id=FIRST, search="r%"))


def test_a_recipient_has_messages_of_all_deliveries(database: Database) -> None:
    """The list of one recipient goes over all deliveries and names them."""
    query = Query(recipient_id=RecipientId(4), sort="delivery")
    with database.read() as connection:
        entries = delivery_logs.page(connection, query)

    assert ["Delivery 1", "Delivery 2"] == [entry.delivery_label for entry in entries]
    assert {FailureReason.USER_UNKNOWN} == {entry.failure_reason for entry in entries}


def test_pages_make_up_the_list(database: Database) -> None:
    """Page after page gives every message once, in the order of the whole."""
    parts = []
    for offset in range(0, 10, 2):
        with database.read() as connection:
            parts += delivery_logs.page(connection, Query(offset=offset, limit=2))

    with database.read() as connection:
        assert delivery_logs.page(connection, Query()) == parts
