"""Tracked URLs: the links of a delivery."""

from dataclasses import replace

import pytest

from aftersend.database import urls
from aftersend.database.engine import Database
from aftersend.database.urls import NewUrl
from aftersend.errors import NotFound
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, UrlId

FIRST = DeliveryId(1)


def _link(source: str, part: Part = Part.HTML, *, times: int = 1) -> NewUrl:
    return NewUrl(part, source, UrlType.EMAIL_CLICK, TrackingMode.ENABLED, source, times)


def test_links_keep_their_ids(lamps: Database) -> None:
    """A link that is found again keeps its id and becomes what was found; others come and go."""
    again = replace(_link("a", times=3), mode=TrackingMode.NEVER, label="A", category="c")
    with lamps.write() as connection:
        urls.refresh(connection, FIRST, [_link("a"), _link("b"), _link("a", Part.TEXT)])
        before = urls.of_delivery(connection, FIRST)
        urls.refresh(connection, FIRST, [_link("c"), again, _link("a", Part.TEXT)])
        after = urls.of_delivery(connection, FIRST)

    assert ["a", "b", "a"] == [url.source for url in before]
    assert [before[0].id, before[2].id] == [url.id for url in after[:2]]
    assert (TrackingMode.NEVER, "A", "c", 3) == (
        after[0].mode,
        after[0].label,
        after[0].category,
        after[0].occurrences,
    )
    assert "c" == after[2].source
    assert after[2].id > before[2].id


def test_a_long_link_is_one_link(lamps: Database) -> None:
    """Addresses of 8,000 characters are kept whole, and told apart by their last one (B8)."""
    sources = ["https://x.example/?q=" + "x" * 8000 + end for end in "ab"]
    with lamps.write() as connection:
        urls.refresh(connection, FIRST, [_link(source) for source in sources])
        kept = urls.of_delivery(connection, FIRST)

    assert sources == [url.source for url in kept]


def test_the_shared_open_belongs_to_no_delivery(lamps: Database) -> None:
    """The Open is neither listed nor found as somebody's link."""
    with lamps.read() as connection:
        assert [] == urls.of_delivery(connection, FIRST)
        for url_id in (OPEN_URL_ID, UrlId(99)):
            with pytest.raises(NotFound):
                urls.get(connection, url_id)
