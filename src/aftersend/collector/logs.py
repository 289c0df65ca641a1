"""Handing lines on: page by page, or everything there is in one stream (spec §4.2).

=======================  ==========================================================================
``after=<log id>``       the lines behind it; its first character names the tracking server
``server=<id>``          from the first line of that tracking server on
``count=<number>``       1 to 10,000 lines, 30 without it; 0: everything there is now, in a stream
``Accept-Encoding``      ``gzip``: the body comes compressed
=======================  ==========================================================================

Headers of the answer: ``X-Last`` the log id to ask on with. Of a page, ``X-Segment`` and
``X-Offset``: the file that its bytes come from, and their place in it. Of a stream,
``X-Stretches``: ``<segment>@<offset>+<bytes>`` for each file, joined by ``;``. A stream that breaks
off ends before it has brought all these bytes; a stream holds a bounded number of files, so ask on
until nothing comes.

Workers that share a port answer for each other: who is asked reads the spool that is named.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.flow import pour
from aftersend.collector.guard import Answer, Guard, Refusal, parameters_of
from aftersend.collector.page import JSON_HEADERS
from aftersend.model.ids import ID_MAX, ServerId
from aftersend.model.logline import log_id
from aftersend.platform.telemetry import logger
from aftersend.spool import (
    Stretch,
    acknowledge,
    pieces,
    read,
    remove_acknowledged,
    stretches,
)

__all__ = ["Logs"]

_COUNT_USUAL: Final = 30
_COUNT_MAX: Final = 10_000
_LINES_BYTES_MAX: Final = 8 * 1024 * 1024
_STRETCHES_MAX: Final = 64  # so that their header fits what proxies admit, 4 KiB
_PIECE_BYTES: Final = 256 * 1024
_LEVEL: Final = 1  # lines repeat so much that more is not worth its time
_GZIP: Final = 31  # what zlib calls that format
_HEADERS: Final = [
    ("content-type", "text/plain; charset=us-ascii"),
    ("cache-control", "no-store"),
    ("vary", "accept-encoding"),
]
_COMPRESSED: Final = ("content-encoding", "gzip")


class Logs:
    """Gives lines, and lets segments go that readers have for good."""

    def __init__(self, config: CollectorConfig, guard: Guard) -> None:
        """Prepare; the spools are opened by each request."""
        self._config, self._guard = config, guard

    async def give(self, scope: Any, proto: Any) -> Answer | None:
        """Answer with a page of lines, or with a stream."""
        parameters = parameters_of(scope, "after", "server", "count")
        server, after = self._place(parameters)
        count = _count(parameters.get("count", str(_COUNT_USUAL)))
        is_compressed = _takes_gzip(scope.headers)
        if count:
            return await self._page(server, after, count, is_compressed=is_compressed)
        return await self._stream(proto, server, after, is_compressed=is_compressed)

    async def acknowledge(self, scope: Any, _proto: Any) -> Answer:
        """Note what a reader has for good."""
        parameters = parameters_of(scope, "reader", "upto")
        server, number = self._place({"after": parameters.get("upto", "")})
        directory = self._config.spool_of(server)
        try:
            await asyncio.to_thread(acknowledge, directory, parameters.get("reader", ""), number)
        except FileNotFoundError as error:
            raise Refusal(409, f"Tracking server {server} has written nothing yet.") from error
        removed = await asyncio.to_thread(remove_acknowledged, directory)
        document = {"acknowledged": number, "segments_removed": removed}
        return JSON_HEADERS, json.dumps(document).encode()

    async def _page(
        self, server: ServerId, after: int, count: int, *, is_compressed: bool
    ) -> Answer:
        chunk = await asyncio.to_thread(
            read,
            self._config.spool_of(server),
            after=after,
            lines_max=count,
            bytes_max=_LINES_BYTES_MAX,
        )
        if chunk is None:
            return [*_HEADERS, _last(server, after)], b""
        headers = [
            *_HEADERS,
            _last(server, chunk.last),
            ("x-segment", chunk.segment),
            ("x-offset", str(chunk.offset)),
        ]
        if not is_compressed:
            return headers, chunk.data
        return [*headers, _COMPRESSED], await asyncio.to_thread(
            zlib.compress, chunk.data, level=_LEVEL, wbits=_GZIP
        )

    async def _stream(
        self, proto: Any, server: ServerId, after: int, *, is_compressed: bool
    ) -> Answer | None:
        directory = self._config.spool_of(server)
        found = await asyncio.to_thread(stretches, directory, after=after, count_max=_STRETCHES_MAX)
        if not found:
            return [*_HEADERS, _last(server, after), ("x-stretches", "")], b""
        headers = [
            *_HEADERS,
            _last(server, found[-1].last),
            ("x-stretches", ";".join(f"{s.segment}@{s.offset}+{s.size}" for s in found)),
            self._guard.identity,
        ]
        body = _bytes_of(directory, found)
        if is_compressed:
            headers, body = [*headers, _COMPRESSED], _compressed(body)
        await pour(proto, headers, _beside(body))
        return None

    def _place(self, parameters: dict[str, str]) -> tuple[ServerId, int]:
        """Read where to begin: behind a log id, or at the first line of a server.

        Of several servers that are not told apart by the question, the one with the smallest id is
        meant, whoever answers.
        """
        known = self._config.server_ids
        text = parameters.get("after", "")
        server = ServerId(parameters.get("server", text[:1] or min(known)))
        if "server" in parameters and server not in known:
            names = ", ".join(known)
            raise Refusal(400, f"{server[:40]!r} is no tracking server here: there is {names}.")
        if not text:
            return server, 0
        number = int(text[3:], 16) if _is_log_id(text) else -1
        is_ours = server in known and 0 <= number <= ID_MAX
        if not is_ours or text != log_id(server, number):
            ours = server if server in known else min(known)
            raise Refusal(
                400,
                f"{text[:40]!r} is no log id of this tracking server: they look like"
                f" {log_id(ours, 1)}.",
            )
        return server, number


def _last(server: ServerId, number: int) -> tuple[str, str]:
    return "x-last", log_id(server, number) if number else ""


def _is_log_id(text: str) -> bool:
    return len(text) == 19 and all(character in "0123456789ABCDEF" for character in text[3:])


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _COUNT_MAX:
        return int(text)
    raise Refusal(400, f"count is a number from 0 to {_COUNT_MAX}.")


def _takes_gzip(headers: Any) -> bool:
    """Tell whether a client wants gzip; a weight of 0 means that it does not."""
    for choice in ",".join(headers.get_all("accept-encoding")).lower().split(","):
        name, _, weight = choice.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "").rstrip("0") not in ("q=", "q=0.")
    return False


def _bytes_of(directory: Path, found: Sequence[Stretch]) -> Iterator[bytes]:
    for stretch in found:
        yield from pieces(directory, stretch, bytes_max=_PIECE_BYTES)


def _compressed(body: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=_LEVEL, wbits=_GZIP)
    for piece in body:
        yield packer.compress(piece)
    yield packer.flush()


async def _beside(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece in a thread; where the disk fails, the stream ends too early."""
    while True:
        try:
            piece = await asyncio.to_thread(next, body, None)
        except OSError as error:
            logger("collector").error("a stream of lines broke off", reason=error.strerror)
            return
        if piece is None:
            return
        yield piece
