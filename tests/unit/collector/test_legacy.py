"""Links of the older shape: ids and values in the query, nothing signed."""

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.collector import legacy
from aftersend.collector.page import PIXEL
from aftersend.model.catalogue import TOKEN_SLOT, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import ID_MAX, DeliveryId, UrlId
from tests.support.tracking_server import (
    DELIVERY,
    NAMED,
    NOW,
    SHOP,
    Tracker,
    made_catalogue,
    spelled,
    tracking,
)

SHOP_PLACE = "https://shop.example/?a=1&b=2#c"
NAMED_PLACE = "https://shop.example/?name="


def _set(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def test_the_link_of_the_specification_is_read() -> None:
    """Format letter, message, delivery and URL in hex; the values in their order."""
    query = "id=h617791,71ffa3,71ffa8&p1=CustomerName&p2=a%26b+c"

    assert legacy.unpack(query, is_verified=False) == (
        Part.HTML, 0x71FFA3, 0x617791, 0x71FFA8, ("CustomerName", "a&b c"), False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("id=t1,7,2", (Part.TEXT, 7, 1, 2, ())),
        ("id=ha0f,7,2", (Part.HTML, 7, 0xA0F, 2, ())),
        ("id=HA0F,7,2", (Part.HTML, 7, 0xA0F, 2, ())),
        ("id=sffffffff,7,2", (Part.SMS, 7, 2**32 - 1, 2, ())),
        ("id=l0,7,2", (Part.LINE, 7, 0, 2, ())),
        ("id=h1%2C7%2c2", (Part.HTML, 7, 1, 2, ())),
        ("x=1&id=h1,7,2", (Part.HTML, 7, 1, 2, ())),
        ("x=1&amp;id=h1,7,2&amp;p1=a", (Part.HTML, 7, 1, 2, ("a",))),
        ("id=h1,7,2;p1=a", (Part.HTML, 7, 1, 2, ("a",))),
        ("id=h1,7,2&p2=b", (Part.HTML, 7, 1, 2, ("", "b"))),
        ("id=h1,7,2&p1=a&p1=b&id=h9,9,9", (Part.HTML, 7, 1, 2, ("a",))),
        ("id=h1,7,2&p1", (Part.HTML, 7, 1, 2, ("",))),
        ("id=h1,7,2&p0=a&p01=b&px=c&P1=d", (Part.HTML, 7, 1, 2, ())),
        (f"id=h{ID_MAX:x},{ID_MAX:x},{ID_MAX:x}", (Part.HTML, ID_MAX, ID_MAX, ID_MAX, ())),
        ("id=h1,7,2&p64=z", (Part.HTML, 7, 1, 2, ("",) * 63 + ("z",))),
    ],
)
def test_what_gateways_do_to_a_query_changes_nothing(
    query: str, expected: tuple[object, ...]
) -> None:
    """The first of each name counts; a message id below zero stays the 32 bits it was written."""
    assert legacy.has_link(query)
    assert legacy.unpack(query, is_verified=True) == (*expected, True)


@pytest.mark.parametrize(
    "query",
    [
        "id=",
        "id=h",
        "id=h1,7",
        "id=h1,7,",
        "id=h,7,2",
        "id=1,7,2",
        "id=x1,7,2",
        "id=h1,7,2,3",
        "id=h1,7,2 ",
        "id=h-1,7,2",
        "id=h1,0,2",
        "id=h1,7,0",
        "id=h1,7,g",
        "id=h1,7,2\n",
        "id=h1,7,%32%0a",
        f"id=h{ID_MAX + 1:x},7,2",
        f"id=h1,{2**64:x},2",
        "id=h1,7,2&p65=a",
        "id=h1,7,2&p1=" + "x" * 8192,
        "id=h1,7,2" + "&x=1" * 200,
        "tid=h1,7,2",
        "",
    ],
)
def test_what_is_no_link_is_none(query: str) -> None:
    """Missing parts, ids beyond 63 bits, too many values, too long a query."""
    assert legacy.unpack(query, is_verified=True) is None


@given(st.text())
@example("%ff%fe")
@example("p1=\ud800")
def test_any_query_can_be_read(rest: str) -> None:
    """Whatever is sent, the ids are within bounds and the values are few."""
    found = legacy.unpack(f"id=h1,7,2&p1={rest}", is_verified=False)

    assert legacy.unpack(rest, is_verified=False) is None
    assert found is None or (found[:4] == (Part.HTML, 7, 1, 2) and len(found[4]) <= 64)


def test_older_links_are_unknown_until_they_are_wanted(tracker: Tracker) -> None:
    """An instance that never sent one answers none."""
    assert tracker.get("/r/?id=h1,7,2").status_code == 404
    assert tracker.lines == []


@pytest.mark.parametrize("path", ["/r/", "/r/a", "/r/4567.gif"])
def test_an_older_link_leads_to_the_stored_place(tmp_path: Path, path: str) -> None:
    """Without its values, which anybody can write; its line is unverified, no cookie is set."""
    with tracking(tmp_path, has_legacy_links=True) as tracker:
        plain = tracker.get(f"{path}?id=hffffffff,7,2")
        named = tracker.get(f"{path}?id=t1,7,3&p1=Eve")

        assert plain.headers["location"] == SHOP_PLACE
        assert named.headers["location"] == NAMED_PLACE
        assert (_set(plain), _set(named)) == ([], [])
        assert [
            (line.message_id, line.delivery_id, line.url_id, line.flags, line.part)
            for line in tracker.lines
        ] == [(2**32 - 1, DELIVERY, SHOP, "u", "h"), (1, DELIVERY, NAMED, "u", "t")]


def test_who_trusts_older_links_gets_values_and_counts(tmp_path: Path) -> None:
    """Values are percent-encoded; the browser is known from now on, but not the message.

    A token is signed only for who has shown one: who guesses ids gets none.
    """
    with tracking(
        tmp_path, has_legacy_links=True, accepts_unsigned=True, p3p_policy="CAO"
    ) as tracker:
        answer = tracker.get(f"/r/?id=h12c,7,3&p1={quote('Zoë & co')}")
        permanent, last = _set(answer)

        assert answer.headers["location"] == f"{NAMED_PLACE}Zo%C3%AB%20%26%20co"
        assert permanent.startswith("uuid230=")
        assert last.startswith("nllastdelid=7;")
        assert answer.headers["p3p"] == 'CP="CAO"'
        assert [(line.message_id, line.flags) for line in tracker.lines] == [(300, "0")]


def test_an_older_open_is_an_image(tmp_path: Path) -> None:
    """URL 1 is the open; of a delivery that is not known here it is nothing."""
    with tracking(tmp_path, has_legacy_links=True) as tracker:
        image = tracker.get("/r/?id=h1,7,1")
        unknown = tracker.get("/r/?id=h1,63,1")

        assert (image.content, unknown.status_code) == (PIXEL, 404)
        assert [(line.url_id, line.flags) for line in tracker.lines] == [(1, "u")]


@pytest.mark.parametrize("query", ["id=h1,63,2", "id=h1,7,63", "id=h1,7", "id=h1,7,2&p65=x"])
def test_an_older_link_to_nowhere_is_not_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    """As is a token that names no link; but whoever makes links up fills no log of ours."""
    with tracking(tmp_path, has_legacy_links=True, accepts_unsigned=True) as tracker:
        assert tracker.get(f"/r/?{query}").status_code == 404
        assert tracker.lines == []

    assert "no catalogue" not in capsys.readouterr().out


def test_an_older_link_expires_and_head_is_told(tmp_path: Path) -> None:
    """What holds for tokens holds here."""
    made = made_catalogue(expires_at=NOW, substitution_url="https://shop.example/over")
    with tracking(tmp_path, made, has_legacy_links=True) as tracker:
        answer = tracker.client.head("/r/?id=h1,7,2")

        assert answer.headers["location"] == "https://shop.example/over"
        assert [line.flags for line in tracker.lines] == ["uhx"]


def test_a_token_wins_over_a_query(tmp_path: Path) -> None:
    """A query beside a token of ours was put there by somebody else."""
    with tracking(tmp_path, has_legacy_links=True, accepts_unsigned=True) as tracker:
        answer = tracker.get(f"/r/{spelled(SHOP)}?id=h1,7,3&p1=x")

        assert answer.headers["location"] == SHOP_PLACE


def test_an_older_link_signs_nothing(tmp_path: Path) -> None:
    """A page that wants a token gets none: who guesses ids sees nobody's mail."""
    mirror = Destination(("https://a.example/m/", TOKEN_SLOT), UrlType.MIRROR_PAGE)
    made = made_catalogue(delivery_id=DeliveryId(7), urls={UrlId(4): mirror})
    with tracking(tmp_path, made, has_legacy_links=True, accepts_unsigned=True) as tracker:
        answer = tracker.get("/r/?id=h12c,7,4")

        assert answer.headers["location"] == "https://a.example/m/"
        assert not any(cookie.startswith("nlid") for cookie in _set(answer))
