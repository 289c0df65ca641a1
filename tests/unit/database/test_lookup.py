"""Looking up many rows at once."""

from pathlib import Path

from aftersend.database.lookup import messages_by_id, urls_by_id
from tests.support import naive
from tests.support.tracking import make_world


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
