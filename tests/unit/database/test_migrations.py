"""Databases of earlier versions become those of today, with everything in them."""

import hashlib
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from aftersend.database import deliveries, engine, urls
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.urls import NewUrl
from aftersend.model.enumeration import DeliveryKind, MirrorMode, Part, PixelPlace, TrackingMode
from aftersend.model.enumeration import UrlType as Type
from aftersend.model.ids import OPEN_URL_ID, DeliveryId

NOW = "2026-03-02 09:30:00"
LONG = "https://x.example/?q=" + "ü" * 2_000
SOURCES = ["https://x.example/", "https://x.example/?a=1&b=2", LONG]


def _migrate_to(opened: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    with opened.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def first(tmp_path: Path) -> Engine:
    """Give a database of the first version, with one delivery and its links."""
    opened = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    _migrate_to(opened, "0001")
    with opened.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO delivery VALUES (7, 'DM7', 'Lamps', 45, 'a@x.example', 'Look',"
                " 1, 0, 1, 3, 1, 0, 0, 0, :now, :now, :now, NULL, NULL)"
            ),
            {"now": NOW},
        )
        connection.execute(text("INSERT INTO content VALUES (7, '<p>Look</p>', 'Look')"))
        for number, source in enumerate(SOURCES, start=2):
            connection.execute(
                text(
                    "INSERT INTO tracked_url (id, delivery_id, type, mode, part, label, category,"
                    " source, occurrences) VALUES (:id, 7, 1, 'never', 'h', 'L', 'c', :source, 2)"
                ),
                {"id": number, "source": source},
            )
    return opened


def test_links_get_the_hash_of_their_source(first: Engine) -> None:
    """Every link has one, the shared Open too, and keeps what it was."""
    migrate(first)

    with first.connect() as connection:
        rows = connection.execute(
            text("SELECT id, source, source_hash, mode, label FROM tracked_url ORDER BY id")
        ).all()
    assert [OPEN_URL_ID, 2, 3, 4] == [row.id for row in rows]
    assert SOURCES == [row.source for row in rows[1:]]
    for row in rows:
        assert hashlib.sha256(row.source.encode()).hexdigest() == row.source_hash
    assert {("never", "L")} == {(row.mode, row.label) for row in rows[1:]}


def test_a_link_is_still_one_link(first: Engine) -> None:
    """The next look at the content finds the rows that are there, and ids go on behind them."""
    migrate(first)
    found = [
        NewUrl(Part.HTML, source, Type.EMAIL_CLICK, TrackingMode.ENABLED, "L", 1)
        for source in [*SOURCES, LONG + "y"]
    ]
    with Database(first).write() as connection:
        urls.refresh(connection, DeliveryId(7), found)
        listed = urls.of_delivery(connection, DeliveryId(7))

    assert [*SOURCES, LONG + "y"] == [url.source for url in listed]
    assert [2, 3, 4, 5] == [url.id for url in listed]


def test_a_delivery_gets_the_usual_properties(first: Engine) -> None:
    """What it had stays, what nobody could choose before is what it was then."""
    migrate(first)

    with Database(first).read() as connection:
        delivery = deliveries.get(connection, DeliveryId(7))
        texts = deliveries.texts(connection, DeliveryId(7))
        stored = deliveries.expanded(connection, DeliveryId(7))
    assert ("Lamps", True, False, 3) == (
        delivery.label,
        delivery.is_tracked,
        delivery.is_open_tracked,
        delivery.to_deliver,
    )
    assert (DeliveryKind.MAIN, PixelPlace.BOTTOM, MirrorMode.IF_LINKED) == (
        delivery.kind,
        delivery.pixel,
        delivery.mirror_mode,
    )
    assert (0, 0, "", "") == (
        delivery.validity_s,
        delivery.resources_s,
        delivery.substitution_url,
        delivery.click_formula,
    )
    assert ("<p>Look</p>", "Look", {}, {}) == (
        texts.html,
        texts.text,
        texts.variables,
        texts.objects,
    )
    assert ("Look", "<p>Look</p>", "Look") == (stored.subject, stored.html, stored.text)
