"""Where people are sent: to places of the catalogue, to a substitute, or to a page of ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aftersend.collector.app import Collector
from aftersend.collector.page import PIXEL
from aftersend.model.catalogue import TOKEN_SLOT, Destination
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID, UrlId
from aftersend.model.token import KeyRing
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from tests.support.spooling import stored_lines
from tests.support.tracking_server import (
    MIRROR,
    NAMED,
    NOW,
    SHOP,
    configured,
    made_catalogue,
    publish,
    spelled,
    tracking,
)

STRANGER = KeyRing({1: bytes(32)})
BYE = UrlId(9)
STOPPED = made_catalogue(
    urls={
        OPEN_URL_ID: Destination((), UrlType.OPEN),
        SHOP: Destination(("https://evil.example/",), is_blocked=True),
        BYE: Destination(("https://a.example/u/", TOKEN_SLOT), UrlType.OPT_OUT, is_blocked=True),
    }
)


@pytest.mark.parametrize("url_id", [SHOP, BYE])
def test_a_blocked_link_leads_nowhere(tmp_path: Path, url_id: UrlId) -> None:
    """A page without any link says so, whichever kind of link it was; the line does, too."""
    with tracking(tmp_path, STOPPED) as tracker:
        answer = tracker.get(f"/r/{spelled(url_id)}")
        head = tracker.client.head(f"/r/{spelled(url_id, keys=STRANGER)}")

        assert (answer.status_code, head.status_code) == (410, 410)
        assert "stopped by its sender" in answer.text
        assert "href" not in answer.text
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert [line.flags for line in tracker.lines] == ["b", "uhb"]


def test_a_link_that_is_blocked_and_expired_has_no_substitute(tmp_path: Path) -> None:
    """Whoever stopped a link stopped it for good."""
    made = made_catalogue(
        urls=STOPPED.urls, expires_at=NOW, substitution_url="https://shop.example/over"
    )
    with tracking(tmp_path, made, expiration_url="https://shop.example/old") as tracker:
        answer = tracker.get(f"/r/{spelled(SHOP)}")

        assert answer.status_code == 410
        assert "stopped by its sender" in answer.text
        assert [line.flags for line in tracker.lines] == ["xb"]


def test_opens_of_a_delivery_with_blocked_links_count(tmp_path: Path) -> None:
    """A stopped link stops no picture."""
    with tracking(tmp_path, STOPPED) as tracker:
        assert tracker.get(f"/r/{spelled(1)}.gif").content == PIXEL
        assert [line.flags for line in tracker.lines] == ["0"]


def test_a_link_works_again_when_it_is_released(tmp_path: Path) -> None:
    """Within a second, as every change of a catalogue."""
    with tracking(tmp_path, STOPPED) as tracker:
        stopped = tracker.get(f"/r/{spelled(SHOP)}")
        publish(tracker.config, made_catalogue())
        tracker.clock.advance(1)
        released = tracker.get(f"/r/{spelled(SHOP)}")

        assert (stopped.status_code, released.status_code) == (410, 302)


def test_an_expired_link_without_substitution_leads_to_that_of_the_server(tmp_path: Path) -> None:
    """What the delivery says comes first, then what the server says, then our own page."""
    own = made_catalogue(expires_at=NOW, substitution_url="https://shop.example/over")
    none = made_catalogue(expires_at=NOW)
    for made, place in ((own, "https://shop.example/over"), (none, "https://xn--tda.example/old")):
        folder = tmp_path / place.rpartition("/")[2]
        with tracking(folder, made, expiration_url="https://ü.example/old") as tracker:
            answer = tracker.get(f"/r/{spelled(SHOP)}")

            assert (answer.status_code, answer.headers["location"]) == (302, place)
            assert [line.flags for line in tracker.lines] == ["x"]


class Headers(dict[str, str]):
    """Headers as the HTTP server gives them."""

    def get_all(self, name: str) -> list[str]:
        """Give all of one name."""
        return [self[name]] if name in self else []


@dataclass
class Scope:
    """A request as the HTTP server gives it."""

    path: str
    query_string: str = ""
    method: str = "GET"
    client: str = "192.0.2.1:5000"
    headers: Headers = field(default_factory=Headers)


@dataclass
class Proto:
    """Keeps the answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def response_empty(self, status: int, headers: Any) -> None:
        """Take an answer without a body."""
        self.status, self.headers = status, dict(headers)

    def response_bytes(self, status: int, headers: Any, _body: bytes) -> None:
        """Take an answer."""
        self.status, self.headers = status, dict(headers)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Run a tracking server that trusts everything it can be told to trust."""
    config = configured(
        tmp_path_factory.mktemp("hits"),
        has_legacy_links=True,
        accepts_unsigned=True,
        source_hits_per_minute_max=0,
        expiration_url="https://ü.example/old",
    )
    publish(config, made_catalogue())
    substitute = "https://shop.example/over?ö=1"
    publish(config, made_catalogue(delivery_id=8, expires_at=NOW, substitution_url=substitute))
    publish(config, made_catalogue(delivery_id=9, expires_at=NOW))
    collector = Collector(config, ManualClock(NOW), SeededEntropy(1))
    collector.open()
    yield collector
    collector.close()

    assert collector.faults == []
    assert {line.delivery_id for line in stored_lines(config.spool_directory) if line.url_id} == {
        7,
        8,
        9,
    }


def _asked(collector: Collector, scope: Scope) -> Proto:
    proto = Proto()
    assert collector.answer(scope, proto)
    return proto


PLACES = re.compile(
    r"https://shop\.example/\?a=1&b=2#c"
    r"|https://shop\.example/\?name=[A-Za-z0-9_.~%-]*"
    r"|https://a\.example/m/[A-Za-z2-7]*"
    r"|https://shop\.example/over\?%C3%B6=1"
    r"|https://xn--tda\.example/old"
)
tokens = st.sampled_from(
    [
        spelled(SHOP),
        spelled(NAMED, "//evil.example"),
        spelled(NAMED, "\r\nLocation: https://evil.example"),
        spelled(MIRROR),
        spelled(NAMED, "a", "b"),
        spelled(NAMED, "//evil.example", delivery_id=8),
        spelled(MIRROR, delivery_id=9),
        "consent",
    ]
)
EVIL = ["//evil.example", "https://evil.example", "\r\nLocation: https://evil.example", "@evil"]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Change a token as scanners and attackers do."""
    text = draw(tokens)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 3))
        piece = draw(
            st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=3)
            | st.text(max_size=4)
            | st.sampled_from(["=", ").", "&amp;", "%2F", "%0d%0a", ".gif", "/", *EVIL])
        )
        text = text[:at] + piece + text[at + length :]
    return draw(st.sampled_from([text, text.upper(), f"{text}.gif", f"../{text}"]))


queries = st.text(max_size=30) | st.builds(
    "&".join,
    st.lists(
        st.sampled_from(
            [
                "id=h1,7,2", "id=h1,7,3", "id=t1,7,4", "id=h1,7,1", "id=h1,8,3", "id=h1,9,2",
                "id=h1,5,2", "choice=allow", "choice=forbid",
                "p1=//evil.example", "p1=%0d%0aLocation:%20https://evil.example",
                "p2=@evil.example", "to=https://evil",
                "url=//evil.example", "tagid=a|w", "rcpid=email=x", "next=https://evil.example",
            ]
        ),
        max_size=4,
    ),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutated(), queries, st.sampled_from(["GET", "HEAD"]))
@example(spelled(SHOP) + "=https://evil.example", "", "GET")
@example("", "id=h1,7,3&p1=//evil.example", "GET")
@example("x", "id=h1,7,4", "GET")
@example("x", "id=h1,8,3&p1=//evil.example", "GET")
@example("x", "id=h1,9,3&p1=//evil.example", "HEAD")
@example("x", "id=h1,7,3&p1=%0d%0aLocation:%20https://evil.example%c3%bc", "GET")
@example("consent", "choice=allow&next=https://evil.example", "GET")
@example(spelled(MIRROR)[:-1] + "?", "", "GET")
def test_nobody_is_sent_where_the_request_says(
    collector: Collector, text: str, query: str, method: str
) -> None:
    """The place is always one of the catalogue, with values in the places of values.

    Killed: the text of an unread token in the destination; values that are not percent-encoded,
    in tokens or in older links; a substitute that is not brought into ASCII.
    """
    proto = _asked(collector, Scope(f"/r/{text}", query, method))
    place = proto.headers.get("location")

    assert proto.status in (200, 302, 404)
    assert (proto.status == 302) == (place is not None)
    assert place is None or PLACES.fullmatch(place)
    assert not any("\n" in value or "\r" in value for value in proto.headers.values())


def test_each_request_is_counted_by_kind_and_answer(tmp_path: Path) -> None:
    """What `/metrics` tells is what happened."""
    made = made_catalogue(
        expires_at=NOW,
        urls={SHOP: Destination(("https://a.example/",)), BYE: STOPPED.urls[BYE]},
    )
    config = configured(tmp_path, has_legacy_links=True)
    publish(config, made_catalogue(delivery_id=8))
    publish(config, made)
    collector = Collector(config, ManualClock(NOW), SeededEntropy(1))
    collector.open()
    try:
        for path in (
            f"/r/{spelled(SHOP, delivery_id=8)}",
            f"/r/{spelled(NAMED, delivery_id=8)}",
            f"/r/{spelled(1)}.gif",
            f"/r/{spelled(SHOP)}",
            f"/r/{spelled(BYE)}",
            f"/r/{spelled(UrlId(77))}",
            f"/r/{spelled(1, delivery_id=99, keys=STRANGER)}.gif",
            "/r/test",
            "/r/garbage",
            "/else",
        ):
            _asked(collector, Scope(path))
        for query in ("id=h1,8,2", "id=h1,8,1", "id=h1,9,2"):
            _asked(collector, Scope("/r/", query))
        _asked(collector, Scope("/r/garbage", method="POST"))
    finally:
        collector.close()

    assert collector._metrics.answers == {
        ("click", "redirect"): 2,
        ("open", "pixel"): 1,
        ("click", "expired"): 1,
        ("click", "blocked"): 1,
        ("click", "not_found"): 1,
        ("open", "not_found"): 1,
        ("test", "ok"): 1,
        ("probe", "not_found"): 1,
        ("other", "not_found"): 1,
        ("legacy", "redirect"): 1,
        ("legacy", "pixel"): 1,
        ("legacy", "not_found"): 1,
        ("other", "not_allowed"): 1,
    }


def test_who_is_over_budget_arrives_all_the_same(tmp_path: Path) -> None:
    """A company behind one address clicks on; only what is beyond its budget is not recorded.

    Trusted proxies tell who that is, also where addresses are not stored.
    """
    with tracking(
        tmp_path,
        trusted_proxies=("127.0.0.1",),
        source_hits_per_minute_max=2,
        is_address_stored=False,
    ) as tracker:
        answers = [
            tracker.get(path, **{"x-forwarded-for": address}).status_code
            for address in ("203.0.113.9", "2001:db8::1", "2001:db8::2")
            for path in (f"/r/{spelled(SHOP)}", f"/r/{spelled(1)}.gif")
        ]

        assert answers == [302, 200] * 3
        assert [(line.url_id, line.address) for line in tracker.lines] == [(2, ""), (1, "")] * 2
