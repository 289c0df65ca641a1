"""Hits whose links are not here: asked for elsewhere, then answered as any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from aftersend.collector.page import PIXEL
from aftersend.model import catalogue
from aftersend.model.catalogue import Destination
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.model.token import KeyRing
from tests.support.spare_server import SpareServer, asked, lending
from tests.support.tracking_server import (
    DELIVERY,
    NOW,
    SHOP,
    Tracker,
    made_catalogue,
    spelled,
    tracking,
)

ELSEWHERE = DeliveryId(8)
NEW = UrlId(9)
PLACE = "https://shop.example/?a=1&b=2#c"
CLICK = f"/r/{spelled(SHOP, delivery_id=ELSEWHERE)}"
RAW = catalogue.encode(made_catalogue(delivery_id=ELSEWHERE))


@contextmanager
def asking(directory: Path, server: SpareServer, **changes: Any) -> Iterator[Tracker]:
    """Run a tracking server that asks another one."""
    with (
        lending(server) as lent,
        tracking(directory, spare_servers=(lent.url,), **changes) as tracker,
    ):
        yield tracker


def test_a_click_arrives_by_what_a_spare_knows(tmp_path: Path) -> None:
    """It is logged and gets its cookies; from then on nobody is asked."""
    server = SpareServer(RAW)
    with asking(tmp_path, server) as tracker:
        late, soon = tracker.get(CLICK), tracker.get(CLICK)

        assert [answer.headers["location"] for answer in (late, soon)] == [PLACE, PLACE]
        assert len(late.headers.get_list("set-cookie")) == 3
        assert asked(server) == [1]
        assert [(line.delivery_id, line.flags) for line in tracker.lines] == [(8, "0")] * 2


@pytest.mark.parametrize(
    "path",
    [f"{CLICK}=", f"{CLICK}).", CLICK.replace("/r/", "/r%2F"), CLICK.replace("/r/", "/r%252F")],
)
def test_an_address_that_was_changed_arrives_too(tmp_path: Path, path: str) -> None:
    """What mail programs do to an address is undone on this way as on the other."""
    with asking(tmp_path, SpareServer(RAW)) as tracker:
        assert tracker.get(path).headers["location"] == PLACE


def test_head_is_answered_late_as_well(tmp_path: Path) -> None:
    """With its own flag."""
    with asking(tmp_path, SpareServer(RAW)) as tracker:
        answer = tracker.client.head(CLICK)

        assert (answer.headers["location"], answer.headers["content-length"]) == (PLACE, "0")
        assert [line.flags for line in tracker.lines] == ["h"]


def test_a_link_that_was_added_elsewhere_is_found(tmp_path: Path) -> None:
    """The delivery is known here, but an older list of its links."""
    added = made_catalogue(
        published_at=NOW + timedelta(seconds=1),
        urls={NEW: Destination(("https://new.example/",))},
    )
    with asking(tmp_path, SpareServer(catalogue.encode(added))) as tracker:
        answer = tracker.get(f"/r/{spelled(NEW)}")

        assert answer.headers["location"] == "https://new.example/"


@pytest.mark.parametrize(
    "path",
    [
        f"/r/{spelled(SHOP, delivery_id=ELSEWHERE, keys=KeyRing({1: bytes(32)}))}",
        f"{CLICK[:-5]}aaaaa",
        f"{CLICK[:-1]}",
        "/r/garbage",
        f"/r/garbage?id=h1,{ELSEWHERE:x},2",
        f"/r/{spelled(1, delivery_id=ELSEWHERE, keys=KeyRing({1: bytes(32)}))}.gif",
    ],
)
def test_nobody_is_asked_for_what_is_not_ours(tmp_path: Path, path: str) -> None:
    """Who makes addresses up gets the page at once, and makes us ask nothing."""
    server = SpareServer(RAW)
    with asking(tmp_path, server, has_legacy_links=True, accepts_unsigned=True) as tracker:
        assert tracker.get(path).status_code == 404
        assert asked(server) == [0]
        assert tracker.lines == []


def test_an_open_asks_nobody(tmp_path: Path) -> None:
    """It needs no link, so it waits for none."""
    server = SpareServer(RAW)
    with asking(tmp_path, server) as tracker:
        assert tracker.get(f"/r/{spelled(1, delivery_id=ELSEWHERE)}.gif").content == PIXEL
        assert asked(server) == [0]


def test_what_nobody_knows_is_not_found_and_not_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page, and a word in the log once."""
    server = SpareServer(status=404)
    with asking(tmp_path, server) as tracker:
        answers = [tracker.get(CLICK) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [404] * 3
        assert asked(server) == [1]
        assert tracker.lines == []

    told = capsys.readouterr().out.count("a link of ours has no catalogue")

    assert 1 <= told <= 2  # once by who asked, once by who did not


def test_without_spare_servers_the_page_comes_at_once(tracker: Tracker) -> None:
    """No event loop is in its way."""
    assert tracker.get(CLICK).status_code == 404


def test_late_answers_wait_for_the_disk_too(tmp_path: Path) -> None:
    """Where each line is synced before its answer, that holds for all."""
    with asking(tmp_path, SpareServer(RAW), fsync_interval_ms=0) as tracker:
        assert tracker.get(CLICK).headers["location"] == PLACE
        assert [line.delivery_id for line in tracker.lines] == [ELSEWHERE]


def test_both_ways_at_once_give_each_browser_its_own_source(tmp_path: Path) -> None:
    """Clicks that are late and clicks that are not share no random number and lose no line."""
    with asking(tmp_path, SpareServer(RAW)) as tracker:

        def click(path: str) -> None:
            with httpx.Client(base_url=tracker.url, verify=False) as client:
                for _ in range(20):
                    client.cookies.clear()
                    client.get(path)

        threads = [
            Thread(target=click, args=(path,))
            for path in (CLICK, CLICK.upper().replace("/R/", "/r/"), f"/r/{spelled(SHOP)}")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(tracker.lines) == 60
        assert {line.delivery_id for line in tracker.lines} == {DELIVERY, ELSEWHERE}
        assert len({line.source_id for line in tracker.lines} - {""}) == 60
