"""Answers of any length: as fast as they are taken, in bounded memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from aftersend.collector import flow
from aftersend.collector.embedded import _Thread
from aftersend.collector.flow import pour
from aftersend.collector.worker import Worker, listen

PIECE = bytes(256 * 1024)


class Pourer:
    """Answers everything with pieces, and notes how many it was asked for."""

    def __init__(self, count: int) -> None:
        """Give so many of them."""
        self.count, self.made = count, 0
        self.is_over, self.has_begun = threading.Event(), threading.Event()
        self.was_taken: bool | None = None

    def answer(self, scope: Any, proto: Any) -> bool:
        """Leave it to the event loop."""
        return False

    async def administer(self, scope: Any, proto: Any) -> None:
        """Pour."""
        self.was_taken = await pour(proto, [("x-answer", "1")], self._pieces())
        self.is_over.set()

    async def _pieces(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            self.made += 1
            self.has_begun.set()
            yield PIECE
            await asyncio.sleep(0)


@contextmanager
def pouring(count: int) -> Iterator[tuple[Pourer, str]]:
    """Serve on loopback."""
    pourer = Pourer(count)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = _Thread(Worker(pourer, listener))
    thread.start()
    try:
        yield pourer, f"http://127.0.0.1:{port}"
    finally:
        thread.stop()


@pytest.mark.parametrize("count", [0, 1, 20])
def test_everything_arrives_in_order(count: int) -> None:
    """Headers, then all pieces, then the end."""
    with pouring(count) as (pourer, url):
        answer = httpx.get(url)
        pourer.is_over.wait(10)

    assert answer.headers["x-answer"] == "1"
    assert answer.content == PIECE * count
    assert pourer.was_taken


def test_no_more_is_made_than_the_client_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads nothing is given up after a while, and costs no memory until then.

    Killed: the HTTP server's own streams, which take up everything at once.
    """
    monkeypatch.setattr(flow, "_STALLED_SECONDS_MAX", 0.5)
    with pouring(4000) as (pourer, url), httpx.stream("GET", url) as answer:
        assert answer.status_code == 200
        assert pourer.is_over.wait(20)

    assert not pourer.was_taken
    assert 0 < pourer.made < 400


def test_a_client_that_goes_away_ends_it() -> None:
    """Nothing is made for nobody."""
    with pouring(100_000) as (pourer, url):
        with httpx.stream("GET", url) as answer:
            next(answer.iter_raw())
        assert pourer.is_over.wait(20)

    assert not pourer.was_taken
    assert pourer.made < 100_000
