"""Looking up many rows at once."""

from pathlib import Path

from aftersend.database.lookup import (
    deliveries_by_id,
    messages_by_id,
    messages_of,
    recipients_by_field,
    urls_by_id,
)
from tests.support import naive
from tests.support.tracking import make_visited_world, make_world


def test_messages_are_found_by_the_hundred_thousand(tmp_path: Path) -> None:
    """However many ids are asked for, one statement finds those that exist."""
    world = make_world(tmp_path)

    with world.database.read() as connection:
        rows = sorted(messages_by_id(connection, range(200_000)))
        none = messages_by_id(connection, [])

    assert list(naive.MESSAGES.items()) == [tuple(row[:2]) for row in rows]
    assert (9, 1, 109, "example1.com", 0) == tuple(rows[-1])
    assert (3, 1, 0, "example1.com", 1) == tuple(rows[2])
    assert [] == list(none)


def test_links_tell_whose_they_are(tmp_path: Path) -> None:
    """A link has its delivery and type; one that all share has no delivery."""
    world = make_world(tmp_path)

    with world.database.read() as connection:
        rows = sorted(urls_by_id(connection, [1, naive.URL_OF_DELIVERY_1, 2**63 - 1]))

    assert [(1, None, 2), (naive.URL_OF_DELIVERY_1, 1, 1)] == [tuple(row) for row in rows]


def test_recipients_are_found_by_their_fields(tmp_path: Path) -> None:
    """By address or by a field of the sender's own; all that have the value."""
    world = make_visited_world(tmp_path)

    with world.database.read() as connection:
        by_email = recipients_by_field(connection, "email", ["person5@example1.com", "x' OR '1"])
        by_account = sorted(recipients_by_field(connection, "account", ["A 1", "A 5", "A 9"]))
        none = recipients_by_field(connection, 'no"field', ["A 1"])

    assert [("person5@example1.com", 105, "example1.com")] == [tuple(row) for row in by_email]
    assert [("A 1", 101), ("A 1", 108), ("A 5", 105)] == [tuple(row[:2]) for row in by_account]
    assert [] == list(none)


def test_messages_are_found_by_recipient_and_delivery(tmp_path: Path) -> None:
    """Those of the deliveries asked for; and deliveries that there are."""
    world = make_world(tmp_path)

    with world.database.read() as connection:
        messages = messages_of(connection, [101, 104, 105, 999], [2, 99])
        there = deliveries_by_id(connection, [0, 1, 3, 99])

    assert [(101, 2, 1, "example1.com"), (104, 2, 4, "example0.com")] == messages
    assert {1, 3} == there
