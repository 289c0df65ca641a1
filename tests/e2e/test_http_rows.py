"""The bugs that others had with HTTP: rows C1 to C12 of the list, each against a running server.

What one row says in one line, the tests of the collector say in full; here stands that the row as a
whole holds, asked over real connections.
"""

import codecs
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from aftersend.app import embedded_collector, init, open_instance, run_workflow
from aftersend.audience.browser import Browser, Visitor
from aftersend.cli.post import Post
from aftersend.collector.page import PIXEL
from aftersend.database import schema
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.model.token import KeyRing
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SystemEntropy
from tests.support.tracking_server import NAMED, SHOP, Tracker, spelled, tracking

CLICK, OPEN = f"/r/{spelled(SHOP)}", f"/r/{spelled(1)}.gif"
PLACE = "https://shop.example/?a=1&b=2#c"
STRANGER = KeyRing({1: bytes(32)})
UNKNOWN = 99


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    """Run a tracking server with usual settings."""
    with tracking(tmp_path) as each:
        yield each


def _is_plain_page(answer: httpx.Response) -> bool:
    """Tell whether an answer is our own small page: no way on, nothing of what failed."""
    return (
        answer.status_code == 404
        and answer.headers["content-type"].startswith("text/html")
        and not any(word in answer.text for word in ("href", "://", "Traceback", "Error"))
    )


def test_c1_head_gets_the_same_answer_and_counts_nothing(tracker: Tracker) -> None:
    """Status and place of a GET, no body; the line is marked, and marked lines never count.

    The mirror page and the unsubscription are asked so in the tests of the public pages.
    """
    for path in (CLICK, OPEN):
        got, head = tracker.get(path), tracker.client.head(path)

        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers.get("location") == got.headers.get("location")
        assert head.headers["content-length"] == got.headers.get("content-length", "0")

    assert [line.flags for line in tracker.lines] == ["0", "h", "0", "h"]


def test_c2_an_unknown_link_is_a_page_and_no_loop(tracker: Tracker) -> None:
    """Neither the link nor the delivery is known: nowhere to go, so nowhere is gone."""
    for path in (f"/r/{spelled(UNKNOWN)}", f"/r/{spelled(SHOP, delivery_id=UNKNOWN)}"):
        answer = tracker.client.get(path, follow_redirects=True)

        assert _is_plain_page(answer)
        assert answer.history == []

    assert tracker.lines == []


@pytest.mark.parametrize(
    "path",
    ["/r/garbage", "/r/%00%ff%fe", "/r/a=====", "/r/" + "a" * 10_000, "/r/" + "%F0%9F" * 2000],
)
def test_c3_garbage_is_refused_without_a_question(
    tracker: Tracker, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No database can be asked, for there is none; not even the kernel is asked for a file."""
    asked = _questions(monkeypatch)

    assert _is_plain_page(tracker.get(path))
    assert _is_plain_page(tracker.get(f"{path}.gif"))
    assert asked == []
    assert tracker.lines == []


def test_c3_made_up_deliveries_are_asked_for_once_a_second(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage in the shape of a token costs one question, however often it comes."""
    asked = _questions(monkeypatch)
    made_up = f"/r/{spelled(SHOP, delivery_id=UNKNOWN, keys=STRANGER)}"
    for _ in range(5):
        assert _is_plain_page(tracker.get(made_up))

    assert asked == ["99.json"]


@pytest.mark.parametrize(
    ("name", "status"),
    [("rot13", 404), ("one character", 302), ("quote", 404), ("path", 302), ("case", 302)],
)
def test_c4_what_scanners_make_of_a_token(tracker: Tracker, name: str, status: int) -> None:
    """Never an error; what still names a link of ours leads to its stored place.

    What names nothing is counted as a probe.
    """
    text = spelled(SHOP)
    changed = {
        "rot13": codecs.encode(text, "rot13"),
        "one character": text[:-5] + ("a" if text[-5] != "a" else "b") + text[-4:],
        "quote": f"{text}%27",
        "path": f"{text}/track",
        "case": text.upper(),
    }[name]
    answer = tracker.get(f"/r/{changed}")
    flags = {"one character": ["u"], "path": ["0"], "case": ["0"]}.get(name, [])

    assert answer.status_code == status
    assert answer.headers.get("location", PLACE) == PLACE
    assert [line.flags for line in tracker.lines] == flags
    probe = 'aftersend_requests_total{answer="not_found",kind="probe",server="1"} 1.0'
    assert (probe in tracker.get("/metrics").text) is (status == 404)


@pytest.mark.parametrize(
    "path",
    [
        f"{CLICK}%3D",
        f"{CLICK}&amp;utm_source=mail",
        CLICK.replace("/r/", "/r%2F"),
        CLICK.replace("/r/", "/r%252F"),
        f"{CLICK}?a=%3D&b=%252F&amp;c=d",
    ],
)
def test_c5_what_gateways_put_into_an_address_changes_nothing(tracker: Tracker, path: str) -> None:
    """Escaped once or twice, with entities: the click arrives, and counts."""
    assert tracker.get(path).headers["location"] == PLACE
    assert [line.flags for line in tracker.lines] == ["0"]


@pytest.mark.parametrize("path", ["/r/", "/r", "/r/?", "/r/?id=", "/r/?tagid=", "/r/.gif"])
def test_c6_without_parameters_there_is_a_page(tmp_path: Path, path: str) -> None:
    """Also where links of the older shape are understood; nothing is logged."""
    with tracking(tmp_path, has_legacy_links=True) as tracker:
        answer = tracker.get(path)

        assert _is_plain_page(answer) or answer.content == PIXEL
        assert tracker.lines == []


def test_c7_a_wrong_signature_on_a_known_link_arrives_uncounted(tracker: Tracker) -> None:
    """The stored place without any value of the request; the line says unverified."""
    answer = tracker.get(f"/r/{spelled(NAMED, 'Eve', keys=STRANGER)}")

    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/?name=")
    assert [line.flags for line in tracker.lines] == ["u"]


@pytest.mark.heavy
def test_c8_links_outlive_messages_and_deliveries(tmp_path: Path) -> None:
    """The row of the message is purged, then everything of the delivery: people still arrive.

    The workflow goes on, too: each line is accounted for, loaded or rejected.
    """
    instance = tmp_path / "instance"
    init(instance, entropy=SystemEntropy())
    clock = ManualClock(datetime(2026, 1, 5, 15, tzinfo=UTC))
    opened = open_instance(instance, clock=clock)
    people = tmp_path / "people.csv"
    people.write_text("email,first_name\nada@x.example,Ada\n")
    import_recipients(opened.database, people, clock=clock)
    html = '<p><a href="https://shop.example/lamps?a=1&amp;b=2">Lamps</a></p>'
    with Post(opened) as post:
        _, (letter,) = post.send(Draft("Lamps", "News <news@b.example>", "Hello", html))
    ada = Visitor("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    places, images, accounted = [], [], []
    with embedded_collector(opened) as base_url, Browser(base_url) as browser:
        for tables in ((), (schema.message,), _tables_of_deliveries()):
            with opened.database.write() as connection:
                for table in tables:
                    connection.execute(table.delete())
            clock.advance(5)
            places.append(browser.ask(ada, letter.links[0]).headers["location"])
            images.append(browser.ask(ada, letter.images[0]).content)
            counts = run_workflow(opened, "tracking").counts
            accounted.append((counts.read, counts.loaded + sum(counts.rejected.values())))

    assert places == ["https://shop.example/lamps?a=1&b=2"] * 3
    assert images == [PIXEL] * 3
    assert accounted == [(2, 2)] * 3


def test_c9_a_redirect_is_not_kept_by_anybody(tmp_path: Path) -> None:
    """302, not to be stored, found or told on; no cookie where none is wanted.

    Clicks set cookies otherwise, as the product always did: one browser is told from another.
    """
    with tracking(tmp_path, is_cookieless=True) as tracker:
        answer = tracker.get(CLICK)

        assert answer.status_code == 302
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("ending", [".gif", ".png"])
def test_c10_a_pixel_is_an_image_even_over_budget(tmp_path: Path, ending: str) -> None:
    """The same bytes each time, never to be stored, whatever becomes of the line."""
    with tracking(
        tmp_path, source_hits_per_minute_max=1, trusted_proxies=("127.0.0.1",)
    ) as tracker:
        path = f"/r/{spelled(1)}{ending}"
        answers = [
            tracker.get(each, **{"x-forwarded-for": "203.0.113.9"})
            for each in (path, path, f"/r/{spelled(1, keys=STRANGER)}{ending}")
        ]

        assert [answer.status_code for answer in answers] == [200] * 3
        assert {answer.content for answer in answers} == {PIXEL}
        assert {answer.headers["content-type"] for answer in answers} == {"image/gif"}
        assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
        assert len(tracker.lines) == 1


@pytest.mark.parametrize(
    "query", ["fbclid=1", "utm_source=x&next=https://evil.example", "name=Eve", "%0d%0aX:%20y"]
)
def test_c11_parameters_of_the_request_go_nowhere(tracker: Tracker, query: str) -> None:
    """Nothing is appended to the stored place, and nothing of it is logged."""
    assert tracker.get(f"{CLICK}?{query}").headers["location"] == PLACE
    assert [line.parameters for line in tracker.lines] == [""]


def test_c12_nine_kilobytes_of_cookies_are_served(tracker: Tracker) -> None:
    """Other applications of the domain have left them; ours is found among them."""
    source = "e5155671-4ab7-4bd4-8b2c-0123456789ab"
    answer = tracker.get(CLICK, cookie=f"a={'x' * 9000}; uuid230={source}; b={'; ' * 200}c")

    assert answer.headers["location"] == PLACE
    assert [line.source_id for line in tracker.lines] == [source]


def _questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the catalogues that the kernel is asked about."""
    names: list[str] = []
    real = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path).endswith(".json"):
            names.append(Path(path).name)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    return names


def _tables_of_deliveries() -> list[Any]:
    """List all tables that name a delivery, those first that others point to last."""
    tables = [table for table in schema.metadata.sorted_tables if "delivery_id" in table.columns]
    return [*reversed(tables), schema.delivery]
