"""Tracking servers that help each other out with what only one of them was given."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest

from aftersend.model.ids import DeliveryId, ServerId
from tests.support.relay import Relay, relaying
from tests.support.tracking_server import SHOP, Tracker, made_catalogue, publish, spelled, tracking

ELSEWHERE = DeliveryId(8)
FAR = f"/r/{spelled(SHOP, delivery_id=ELSEWHERE)}"
NEAR = f"/r/{spelled(SHOP)}"
DESTINATION = "https://shop.example/?a=1&b=2#c"
GIVEN_UP_S = 6.0
"""Two seconds for each server of the list, and as much again for a machine that is busy."""


@contextmanager
def _pair(directory: Path) -> Iterator[tuple[Tracker, Tracker, Relay, Relay]]:
    """Run A and B with one list of spare servers, which names both; relays note what is asked."""
    with ExitStack() as stack:
        relays = [stack.enter_context(relaying()) for _ in "AB"]
        trackers = [
            stack.enter_context(
                tracking(
                    directory / name,
                    server_id=ServerId(name),
                    spool_directory=directory / name / "spool" / name,
                    resource_directory=directory / name / "res",
                    spare_servers=tuple(relay.url for relay in relays),
                )
            )
            for name in "AB"
        ]
        for relay, tracker in zip(relays, trackers, strict=True):
            relay.target = tracker.url
        yield trackers[0], trackers[1], relays[0], relays[1]


def test_a_click_finds_what_another_server_was_given(tmp_path: Path) -> None:
    """A click at B leads where A's catalogue says, is logged at B, and B knows it from then on."""
    with _pair(tmp_path) as (a, b, to_a, to_b):
        publish(a.config, made_catalogue(delivery_id=ELSEWHERE))
        first, second = b.get(FAR), b.get(FAR)

        assert [(each.status_code, each.headers["location"]) for each in (first, second)] == [
            (302, DESTINATION)
        ] * 2
        assert [line.delivery_id for line in b.lines] == [ELSEWHERE] * 2
        assert a.lines == []
    assert to_a.asked == [f"GET /catalogue/{ELSEWHERE} HTTP/1.1"]
    assert to_b.asked == []


def test_what_nobody_has_goes_round_in_no_circle(tmp_path: Path) -> None:
    """Two servers that name each other and themselves: one question at each, for a minute.

    Killed: a guarded address that asks others.
    """
    with _pair(tmp_path) as (_, b, to_a, to_b):
        statuses = [b.get(FAR).status_code for _ in range(5)]

        assert statuses == [404] * 5
        assert (len(to_a.asked), len(to_b.asked)) == (1, 1)

        b.clock.advance(59)
        b.get(FAR)
        assert (len(to_a.asked), len(to_b.asked)) == (1, 1)

        b.clock.advance(1)
        b.get(FAR)
        assert (len(to_a.asked), len(to_b.asked)) == (2, 2)
        assert b.lines == []


def test_forged_links_ask_nobody(tmp_path: Path) -> None:
    """Whoever makes links up cannot make servers work for it."""
    forged = FAR[:-1] + ("a" if FAR[-1] != "a" else "b")
    with _pair(tmp_path) as (_, b, to_a, to_b):
        answers = [b.get(path) for path in (forged, "/r/abc", "/r/?id=h1,8,2", f"{forged}.gif")]

    assert [each.status_code for each in answers] == [404] * 4
    assert (to_a.asked, to_b.asked) == ([], [])


def test_a_server_that_is_down_costs_bounded_time(tmp_path: Path) -> None:
    """The person is told that there is nothing; so is the next one, at once."""
    with _pair(tmp_path) as (_, b, to_a, to_b):
        to_a.target = "127.0.0.1:1"
        to_b.gate.clear()
        began = perf_counter()
        answer = b.client.get(FAR, timeout=20)
        took = perf_counter() - began

        assert answer.status_code == 404
        assert took < GIVEN_UP_S
        assert b.get(FAR).status_code == 404
    assert len(to_a.asked) == 1


def test_a_slow_server_holds_nobody_else_up(tmp_path: Path) -> None:
    """While one person waits for A's catalogue, others are redirected by B one after the other.

    Killed: a question that is asked in the thread that reads requests.
    """
    with _pair(tmp_path) as (a, b, to_a, _), ThreadPoolExecutor(1) as pool:
        publish(a.config, made_catalogue(delivery_id=ELSEWHERE))
        to_a.gate.clear()
        waiting = pool.submit(b.client.get, FAR, timeout=20)
        assert to_a.has_come.wait(10)
        times = [perf_counter()]
        for _ in range(50):
            assert b.client.get(NEAR).status_code == 302
            times.append(perf_counter())
        was_waiting = not waiting.done()
        to_a.gate.set()

        assert waiting.result().headers["location"] == DESTINATION
    assert was_waiting
    assert sorted(two - one for one, two in pairwise(times))[25] < 0.1


def test_resources_are_shared_too(tmp_path: Path) -> None:
    """An image that only A has is given by B, with the same tag."""
    with _pair(tmp_path) as (a, b, to_a, _):
        folder = tmp_path / "A" / "res" / "img"
        folder.mkdir(parents=True)
        (folder / "logo.png").write_bytes(b"png")
        own, lent = a.get("/res/img/logo.png"), b.get("/res/img/logo.png")

        assert (lent.status_code, lent.content) == (200, b"png")
        assert lent.headers["etag"] == own.headers["etag"]
        assert (tmp_path / "B" / "res" / "img" / "logo.png").read_bytes() == b"png"
        assert b.get("/res/img/none.png").status_code == 404
    assert to_a.asked == [
        "GET /spare/res/img/logo.png HTTP/1.1",
        "GET /spare/res/img/none.png HTTP/1.1",
    ]


@pytest.mark.parametrize(("urls", "is_loaded"), [((), False), (("http://127.0.0.1:1",), True)])
def test_an_http_client_is_loaded_only_for_spares(
    tmp_path: Path, urls: tuple[str, ...], is_loaded: bool
) -> None:
    """A tracking server that asks nobody needs none."""
    code = (
        "import sys, pathlib\n"
        "from aftersend.collector.app import Collector\n"
        "from aftersend.collector.config import CollectorConfig\n"
        "from aftersend.model.token import KeyRing\n"
        "from aftersend.platform.clock import SystemClock\n"
        "from aftersend.platform.entropy import SystemEntropy\n"
        "at = pathlib.Path(sys.argv[1])\n"
        "config = CollectorConfig('1', at / 'c', at / 's', KeyRing({1: bytes(32)}), 'p',\n"
        "                         spare_servers=tuple(sys.argv[2:]))\n"
        "collector = Collector(config, SystemClock(), SystemEntropy())\n"
        "collector.open()\n"
        "print('httpx' in sys.modules)\n"
        "collector.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *urls],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.strip() == str(is_loaded)
