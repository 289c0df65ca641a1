"""Rules about how long links and pages last."""

from typing import Any

import pytest

from aftersend.content import Source
from aftersend.model.enumeration import DeliveryKind, MirrorMode, TrackingMode, UrlType
from tests.support.typology import link, prepared, told

DAY = 86_400
MIRROR = link("https://app.example.com/m/x", kind=UrlType.MIRROR_PAGE, mode=TrackingMode.MIRROR)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, []), (DAY, []), (DAY - 1, ["24 hours"]), (5400, ["1.5 hours"])]
)
def test_links_last_for_a_day_at_least(seconds: int, words: list[str]) -> None:
    """A shorter time is told of; 0 is for ever."""
    found = told(prepared(validity_s=seconds), "validity")

    assert len(words) == len(found)
    assert all(
        f"Links expire {word} after" in text for word, text in zip(words, found, strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"validity_s": 2 * DAY}, True),
        ({"validity_s": 2 * DAY, "resources_s": 3 * DAY}, True),
        ({"validity_s": 2 * DAY, "resources_s": 2 * DAY}, False),
        ({"validity_s": 2 * DAY, "mirror_mode": MirrorMode.NONE}, False),
        ({"validity_s": 2 * DAY, "substitution_url": "https://shop.example/over"}, False),
        ({"resources_s": 3 * DAY}, False),
    ],
)
def test_pages_do_not_outlive_their_links(changes: dict[str, Any], is_told: bool) -> None:
    """A mirror page with links that expired is told of, unless they lead somewhere."""
    assert is_told == bool(told(prepared(MIRROR, **changes), "validity"))


def test_pages_that_nobody_is_led_to_are_not_told_of() -> None:
    """Without a link there is a page only where it was asked for."""
    assert [] == told(prepared(validity_s=2 * DAY), "validity")
    forced = prepared(validity_s=2 * DAY, mirror_mode=MirrorMode.FORCE)
    assert 1 == len(told(forced, "validity"))


def test_a_page_for_expired_links_needs_links_that_expire() -> None:
    """Without a validity it would never be seen."""
    page: dict[str, Any] = {"substitution_url": "https://shop.example/over"}

    (text,) = told(prepared(**page), "substitution")

    assert "https://shop.example/over" in text
    assert [] == told(prepared(**page, validity_s=DAY), "substitution")
    assert [] == told(prepared(), "substitution")


@pytest.mark.parametrize(
    ("mode", "is_told"),
    [
        (MirrorMode.IF_LINKED, False),
        (MirrorMode.FORCE, False),
        (MirrorMode.NONE, True),
        (MirrorMode.BY_MESSAGE, True),
    ],
)
def test_a_link_to_the_mirror_page_finds_one(mode: MirrorMode, is_told: bool) -> None:
    """A link is told of where the delivery makes no page for it; a proof never has one."""
    linked = prepared(MIRROR, mirror_mode=mode)
    proof = prepared(MIRROR, mirror_mode=mode, kind=DeliveryKind.PROOF)

    assert is_told == bool(told(linked, "mirror-link"))
    assert [] == told(proof, "mirror-link") == told(prepared(mirror_mode=mode), "mirror-link")


def test_a_web_copy_elsewhere_is_none_of_ours() -> None:
    """A link that an operator set to mirror page may lead to another server."""
    other = link("https://cms.example/copy", kind=UrlType.MIRROR_PAGE, mode=TrackingMode.MIRROR)

    assert [] == told(prepared(other, mirror_mode=MirrorMode.NONE), "mirror-link")


def test_a_mirror_page_needs_html() -> None:
    """Text alone has no mirror page."""
    (text,) = told(prepared(MIRROR, source=Source("Hi", text="Hello")), "mirror-link")

    assert "there is no HTML to show" in text
