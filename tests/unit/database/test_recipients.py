"""Recipients: who messages can be sent to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aftersend.database import recipients
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.recipients import Profile
from aftersend.errors import NotFound
from aftersend.model.enumeration import EmailFormat
from aftersend.model.ids import RecipientId

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PROFILES = (
    Profile("ada@x.example", {"first_name": "Ada", "format": EmailFormat.TEXT}, {"city": "London"}),
    Profile("bob@y.example", {"first_name": "Bob", "format": EmailFormat.HTML}, {"city": "Paris"}),
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a database with Ada and Bob."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database = Database(engine)
    with database.write() as connection:
        recipients.upsert(connection, PROFILES, at=NOW)
    return database


def test_a_recipient_is_found_by_id_and_address(database: Database) -> None:
    """An address finds its recipient however it is capitalised."""
    with database.read() as connection:
        ada = recipients.by_email(connection, " Ada@X.example ")
        again = recipients.by_id(connection, ada.id)

    assert ada == again
    assert ("Ada", EmailFormat.TEXT, {"city": "London"}) == (ada.first_name, ada.format, ada.fields)
    assert ("x.example", False, NOW, NOW) == (
        ada.domain,
        ada.is_denylisted,
        ada.created_at,
        ada.modified_at,
    )


def test_nobody_is_told_by_what_was_asked(database: Database) -> None:
    """Whoever is not there is named in the error."""
    with database.read() as connection:
        with pytest.raises(NotFound, match=r"eve@x\.example"):
            recipients.by_email(connection, "eve@x.example")
        with pytest.raises(NotFound, match="recipient 99"):
            recipients.by_id(connection, RecipientId(99))


def test_an_upsert_adds_and_changes(database: Database) -> None:
    """New ones are added, known ones changed in what is said of them, ids in the order asked."""
    later = NOW + timedelta(hours=1)
    with database.write() as connection:
        before = recipients.by_email(connection, "bob@y.example")
        done = recipients.upsert(
            connection,
            [
                Profile("eve@x.example", {"first_name": "Eve"}, {}),
                Profile("bob@y.example", {"first_name": "Rob"}, {"pet": "cat"}),
            ],
            at=later,
        )
        eve, rob = (recipients.by_id(connection, number) for number in done.ids)

    assert 1 == done.inserted
    assert ("Eve", EmailFormat.UNDEFINED, later) == (eve.first_name, eve.format, eve.created_at)
    assert ("Rob", EmailFormat.HTML) == (rob.first_name, rob.format)
    assert {"city": "Paris", "pet": "cat"} == rob.fields
    assert (before.id, before.created_at, later) == (rob.id, rob.created_at, rob.modified_at)


def test_recipients_are_listed_and_searched(database: Database) -> None:
    """A list is sorted by address, cut into pages, and searched by address and name."""
    with database.read() as connection:
        pages = [recipients.page(connection, offset=offset, limit=1) for offset in (0, 1, 2)]
        found = recipients.page(connection, search="bO")
        counts = [recipients.count(connection, search=search) for search in ("", "X.ex", "%")]

    assert [["ada@x.example"], ["bob@y.example"], []] == [[r.email for r in p] for p in pages]
    assert ["Bob"] == [recipient.first_name for recipient in found]
    assert [2, 1, 0] == counts


def test_ids_are_found_in_bulk(database: Database) -> None:
    """Many addresses are looked up at once; unknown ones are left out."""
    many = [f"p{number}@x.example" for number in range(12_000)]
    with database.read() as connection:
        found = recipients.ids_of(connection, ["ada@x.example", *many])
        ada = recipients.by_email(connection, "ada@x.example")

    assert {"ada@x.example": ada.id} == found


def test_the_denylist_is_entered_once(database: Database) -> None:
    """Entering the denylist is news the first time only, and for nobody else."""
    with database.write() as connection:
        ada = recipients.by_email(connection, "ada@x.example")
        news = [recipients.set_denylisted(connection, ada.id, at=NOW) for _ in range(2)]
        unknown = recipients.set_denylisted(connection, RecipientId(99), at=NOW)
        changed = recipients.by_id(connection, ada.id)

    assert [True, False] == news
    assert not unknown
    assert changed.is_denylisted
