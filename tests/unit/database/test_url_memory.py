"""What the instance remembers of URLs."""

from dataclasses import replace

from aftersend.database import url_memory
from aftersend.database.engine import Database
from aftersend.database.url_memory import Remembered
from aftersend.model.enumeration import TrackingMode
from tests.unit.database.conftest import NOW

LONG = "https://x.example/?q=" + "x" * 8000


def test_the_last_word_on_a_url_is_remembered(lamps: Database) -> None:
    """A URL has one entry, however long it is; others are not found."""
    first = Remembered(LONG, TrackingMode.ALWAYS, "Shop", "")
    second = replace(first, mode=TrackingMode.NEVER, category="shop")
    with lamps.write() as connection:
        url_memory.remember(connection, first, at=NOW)
        url_memory.remember(connection, second, at=NOW)
        found = url_memory.of_sources(connection, [LONG, LONG + "y", "https://y.example/"])

    assert {LONG: second} == found


def test_what_is_forgotten_is_gone(lamps: Database) -> None:
    """Only the URL that is named is forgotten."""
    kept = Remembered("https://y.example/", TrackingMode.ALWAYS, "", "")
    with lamps.write() as connection:
        url_memory.remember(connection, replace(kept, source=LONG), at=NOW)
        url_memory.remember(connection, kept, at=NOW)
        url_memory.forget(connection, LONG)
        found = url_memory.of_sources(connection, [LONG, kept.source])

    assert {kept.source: kept} == found


def test_very_many_urls_can_be_asked_for_at_once(lamps: Database) -> None:
    """More than one statement may name are asked for in several."""
    wanted = Remembered("https://x.example/40000", TrackingMode.NEVER, "Last", "")
    with lamps.write() as connection:
        url_memory.remember(connection, wanted, at=NOW)
        sources = [f"https://x.example/{number}" for number in range(40_001)]
        assert {wanted.source: wanted} == url_memory.of_sources(connection, sources)
