"""Asking spare servers: bounded, together, not again in vain, and never in a circle."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aftersend.collector import spare
from aftersend.collector.config import CollectorConfig
from aftersend.collector.spare import MISSING_SECONDS, Found, Spares
from aftersend.model import catalogue
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform import files
from aftersend.platform.clock import ManualClock
from tests.support.spare_server import SpareServer, asked, lending
from tests.support.tracking_server import NOW, PASSWORD, configured, made_catalogue

RAW = catalogue.encode(made_catalogue())
OTHER = catalogue.encode(made_catalogue(delivery_id=DeliveryId(8)))


@contextmanager
def asking(
    directory: Path, *servers: SpareServer, clock: ManualClock | None = None, **changes: Any
) -> Iterator[tuple[Spares, CollectorConfig]]:
    """Run servers and somebody to ask them."""
    with ExitStack() as stack:
        urls = tuple(stack.enter_context(lending(server)).url for server in servers)
        config = configured(directory, spare_servers=urls, **changes)
        config.catalogue_directory.mkdir(parents=True)
        spares = Spares(config, clock or ManualClock(NOW))
        spares.open()
        yield spares, config


def _stored(config: CollectorConfig) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in config.catalogue_directory.glob("*.json")}


def test_a_missing_catalogue_is_fetched_from_the_first_that_has_it(tmp_path: Path) -> None:
    """They are asked in their order, with the password; whoever comes later is left alone."""
    none, first, second = SpareServer(status=404), SpareServer(RAW), SpareServer(RAW)
    with asking(tmp_path, none, first, second) as (spares, config):
        assert asyncio.run(spares.catalogue(7))
        assert _stored(config) == {"7.json": RAW}

    assert first.questions == [("/catalogue/7", f"Bearer {PASSWORD}")]
    assert asked(none, first, second) == [1, 1, 0]


@pytest.mark.parametrize(
    "bad",
    [
        SpareServer(b"{"),
        SpareServer(OTHER),
        SpareServer(RAW[:-3]),
        SpareServer(RAW, status=500),
        SpareServer(
            RAW, status=302, headers={"Location": "http://127.0.0.1:1/", "X-Server-Id": "9"}
        ),
        SpareServer(RAW, headers={}),
        SpareServer(RAW, headers={"X-Server-Id": "1"}),
        SpareServer(RAW, headers={"X-Server-Id": "2"}),
    ],
    ids=["no JSON", "another's", "cut", "broken", "redirect", "a stranger", "itself", "its worker"],
)
def test_a_bad_answer_is_none(tmp_path: Path, bad: SpareServer) -> None:
    """It is not stored, and the next one is asked.

    Killed: an answer of this very server that is taken for another's.
    """
    good = SpareServer(RAW)
    with asking(tmp_path, bad, good, server_ids=(ServerId("1"), ServerId("2"))) as (spares, config):
        assert asyncio.run(spares.catalogue(7))
        assert _stored(config) == {"7.json": RAW}

    assert asked(good) == [1]


def test_an_answer_that_is_too_large_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading stops at the limit."""
    monkeypatch.setattr(spare, "CATALOGUE_BYTES_MAX", len(RAW) - 1)
    with asking(tmp_path, SpareServer(RAW)) as (spares, config):
        assert not asyncio.run(spares.catalogue(7))
        assert _stored(config) == {}


def test_what_nobody_has_is_not_asked_for_again_for_a_minute(tmp_path: Path) -> None:
    """Then everybody is asked once more.

    Killed: a memory that never ends; none at all.
    """
    clock = ManualClock(NOW)
    server = SpareServer(status=404)
    with asking(tmp_path, server, clock=clock) as (spares, _):

        async def ask() -> list[bool]:
            return [await spares.catalogue(7) for _ in range(3)]

        assert spares.is_worth_asking(7)
        assert asyncio.run(ask()) == [False] * 3
        assert asked(server) == [1]
        assert not spares.is_worth_asking(7)
        assert spares.is_worth_asking(8)

        clock.advance(MISSING_SECONDS)

        assert spares.is_worth_asking(7)
        asyncio.run(ask())
        assert asked(server) == [2]


def test_memories_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, so that many misses take no memory."""
    monkeypatch.setattr(spare, "_MISSING_MAX", 2)
    server = SpareServer(status=404)
    with asking(tmp_path, server) as (spares, _):

        async def ask() -> None:
            for delivery_id in (1, 2, 3, 2, 3, 1):
                await spares.catalogue(delivery_id)

        asyncio.run(ask())

    assert [path for path, _ in server.questions] == [f"/catalogue/{n}" for n in (1, 2, 3, 1)]


def test_many_who_want_the_same_ask_once(tmp_path: Path) -> None:
    """All of them get the answer of the one question."""
    server = SpareServer(RAW)
    with asking(tmp_path, server) as (spares, _):

        async def ask() -> list[bool]:
            return await asyncio.gather(*(spares.catalogue(7) for _ in range(50)))

        assert asyncio.run(ask()) == [True] * 50

    assert asked(server) == [1]


def test_one_who_leaves_does_not_take_the_question_along(tmp_path: Path) -> None:
    """The others still get their answer."""
    server = SpareServer(RAW)
    with asking(tmp_path, server) as (spares, _):

        async def ask() -> bool:
            server.gate.clear()
            leaving = asyncio.create_task(spares.catalogue(7))
            staying = asyncio.create_task(spares.catalogue(7))
            await asyncio.to_thread(server.has_come.wait)
            leaving.cancel()
            server.gate.set()
            return await staying

        assert asyncio.run(ask())


def test_questions_at_once_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when all are taken is answered at once, and may come again."""
    monkeypatch.setattr(spare, "_ASKING_MAX", 1)
    server = SpareServer(RAW)
    with asking(tmp_path, server) as (spares, _):

        async def ask() -> tuple[bool, bool]:
            server.gate.clear()
            first = asyncio.create_task(spares.catalogue(7))
            await asyncio.to_thread(server.has_come.wait)
            second = await spares.catalogue(8)
            server.gate.set()
            return await first, second

        assert asyncio.run(ask()) == (True, False)
        assert spares.is_worth_asking(8)


def test_a_server_that_does_not_answer_costs_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is asked instead; so is it where nobody listens."""
    monkeypatch.setattr(spare, "_ANSWER_SECONDS_MAX", 0.2)
    good = SpareServer(RAW)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        lending(good),
    ):
        urls = f"http://127.0.0.1:{silent.getsockname()[1]}", "http://127.0.0.1:1", good.url
        config = configured(tmp_path, spare_servers=urls)
        config.catalogue_directory.mkdir(parents=True)
        spares = Spares(config, ManualClock(NOW))
        spares.open()

        async def ask() -> bool:
            async with asyncio.timeout(5):
                return await spares.catalogue(7)

        assert asyncio.run(ask())


def test_a_time_limit_that_ends_while_connecting_leaves_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short it is; a limit is tried that ends somewhere between asking and reading.

    Mutant killed: a limit by asyncio, which lets the client forget a socket.
    """
    with (
        closing(socket.create_server(("127.0.0.1", 0), backlog=1000)) as silent,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = configured(tmp_path, spare_servers=(url,))
        for step in range(300):
            spares = Spares(config, ManualClock(NOW))
            spares.open()
            monkeypatch.setattr(spare, "_ANSWER_SECONDS_MAX", 0.0002 + step % 60 / 10_000)

            async def ask(spares: Spares = spares) -> list[bool]:
                return await asyncio.gather(*(spares.catalogue(number) for number in range(4)))

            assert asyncio.run(ask()) == [False] * 4
        gc.collect()

    assert [] == [str(each.message) for each in told]


@pytest.mark.parametrize(("days", "is_taken"), [(-1, False), (0, False), (1, True)])
def test_only_what_is_newer_replaces_what_is_here(
    tmp_path: Path, days: int, is_taken: bool
) -> None:
    """A link that is missing in an old catalogue may stand in a newer one elsewhere.

    Killed: an old catalogue that unblocks a link.
    """
    brought = catalogue.encode(made_catalogue(published_at=NOW + timedelta(days=days)))
    with asking(tmp_path, SpareServer(brought)) as (spares, config):
        (config.catalogue_directory / "7.json").write_bytes(RAW)

        assert asyncio.run(spares.catalogue(7)) is is_taken
        assert _stored(config) == {"7.json": brought if is_taken else RAW}


def test_a_damaged_file_here_is_replaced(tmp_path: Path) -> None:
    """What nobody can read is older than anything."""
    with asking(tmp_path, SpareServer(RAW)) as (spares, config):
        (config.catalogue_directory / "7.json").write_bytes(b"{")

        assert asyncio.run(spares.catalogue(7))
        assert _stored(config) == {"7.json": RAW}


def test_a_full_disk_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever clicked is told that there is nothing, and nobody asks again at once."""

    def fail(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomic", fail)
    server = SpareServer(RAW)
    with asking(tmp_path, server) as (spares, _):
        assert not asyncio.run(spares.catalogue(7))
        assert not spares.is_worth_asking(7)


def test_without_spares_nothing_is_asked(tmp_path: Path) -> None:
    """It costs nothing to find that out."""
    with asking(tmp_path) as (spares, _):
        assert not spares.is_worth_asking(7)
        assert not asyncio.run(spares.catalogue(7))


def test_anything_guarded_can_be_fetched(tmp_path: Path) -> None:
    """Whoever asks decides what is kept; an answer that is refused leads to the next server."""
    first = SpareServer(b"one")
    second = SpareServer(b"two", headers={"X-Server-Id": "9", "Last-Modified": "yesterday"})
    kept: list[Found] = []

    def keep(found: Found) -> bool:
        kept.append(found)
        return found.data == b"two"

    with asking(tmp_path, first, second) as (spares, _):
        assert asyncio.run(spares.fetch("/spare/res/a.png", bytes_max=3, keep=keep))

    assert kept == [Found(b"one", ""), Found(b"two", "yesterday")]
