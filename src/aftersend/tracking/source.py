"""Where log lines come from: the spool of a tracking server, in a folder here or over HTTP."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from aftersend import spool
from aftersend.errors import InvalidInput, Transient
from aftersend.model.ids import ServerId
from aftersend.model.logline import LINE_BYTES_MAX, log_id

__all__ = ["READER", "Chunk", "HttpSource", "LocalSource", "Source", "http_source"]

READER: Final = "tracking"
"""The name under which spools know us."""

CHUNK_BYTES_MAX: Final = 16 * 1024 * 1024
TIMEOUT_S: Final = 30.0

_LOG_ID: Final = re.compile(r"([0-9A-Za-z])0x([0-9A-F]{16})")
_SEGMENT: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as they stand from byte `offset` of a `segment` on; `last` is the last number."""

    last: int
    data: bytes
    segment: str
    offset: int


class Source(Protocol):
    """The lines of one tracking server."""

    @property
    def server(self) -> ServerId:
        """Tell which tracking server it is."""
        ...

    def read(self, after: int) -> Chunk | None:
        """Give the next lines behind number `after`; none when there are none yet.

        Raises:
            Transient: the server cannot be reached.
            InvalidInput: it does not know us, or answers with something else.
        """
        ...

    def acknowledge(self, number: int) -> None:
        """Tell the server that lines up to `number` are ours for good; saying it twice is fine.

        Raises:
            Transient: the server cannot be reached.
            InvalidInput: it does not know us, or has never written that line.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A spool in a folder of this machine, read `lines_max` lines at a time."""

    server: ServerId
    directory: Path
    lines_max: int

    def read(self, after: int) -> Chunk | None:
        """Give the next lines behind number `after`; see `Source`."""
        try:
            chunk = spool.read(
                self.directory, after=after, lines_max=self.lines_max, bytes_max=CHUNK_BYTES_MAX
            )
        except OSError as error:
            raise Transient(f"The spool {self.directory} cannot be read: {error}.") from error
        if chunk is None:
            return None
        return Chunk(chunk.last, chunk.data, chunk.segment, chunk.offset)

    def acknowledge(self, number: int) -> None:
        """Let the spool remove lines up to `number`; see `Source`."""
        try:
            spool.acknowledge(self.directory, READER, number)
        except OSError as error:
            raise Transient(f"The spool {self.directory} cannot be written: {error}.") from error


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A tracking server somewhere, asked for `lines_max` lines at a time; see `http_source`."""

    server: ServerId
    client: httpx.Client
    lines_max: int

    def read(self, after: int) -> Chunk | None:
        """Give the next lines behind number `after`; see `Source`."""
        query: dict[str, str | int] = {
            "after": log_id(self.server, after),
            "count": self.lines_max,
        }
        response, data = self._ask("GET", "/logs", query)
        if not data:
            return None
        headers = response.headers
        segment = headers.get("X-Segment", "")
        last = self._last(headers.get("X-Last", ""))
        offset = _number(headers.get("X-Offset", ""))
        is_sound = _SEGMENT.fullmatch(segment) and data.endswith(b"\n")
        if not is_sound or last is None or last <= after or offset is None:
            raise InvalidInput(f"{self._name} answers with something else than log lines.")
        return Chunk(last, data, segment, offset)

    def acknowledge(self, number: int) -> None:
        """Let the server remove lines up to `number`; see `Source`."""
        query: dict[str, str | int] = {"reader": READER, "upto": log_id(self.server, number)}
        self._ask("POST", "/logs/acknowledge", query)

    def _last(self, text: str) -> int | None:
        """Read a log id of this server."""
        match = _LOG_ID.fullmatch(text)
        return int(match[2], 16) if match and match[1] == self.server else None

    @property
    def _name(self) -> str:
        return f"Tracking server {self.server} at {self.client.base_url}"

    def _ask(
        self, method: str, path: str, query: dict[str, str | int]
    ) -> tuple[httpx.Response, bytes]:
        data = bytearray()
        try:
            with self.client.stream(method, path, params=query) as response:
                for piece in response.iter_bytes():
                    data += piece
                    if len(data) > self.lines_max * LINE_BYTES_MAX:
                        raise InvalidInput(f"{self._name} answers with more than it was asked for.")
        except httpx.HTTPError as error:
            raise Transient(f"{self._name} does not answer: {error}.") from error
        if response.status_code >= 500:
            raise Transient(f"{self._name} is out of order: status {response.status_code}.")
        if not response.is_success:
            raise InvalidInput(f"{self._name} refuses us: status {response.status_code}.")
        return response, bytes(data)


@contextmanager
def http_source(
    server: ServerId, *, url: str, password: str, lines_max: int, timeout_s: float = TIMEOUT_S
) -> Iterator[HttpSource]:
    """Talk to the tracking server at `url`, which knows us by the registration `password`."""
    headers = {"Authorization": f"Bearer {password}"}
    # Tracking servers are ours: no proxy of the environment stands between.
    with httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False) as client:
        yield HttpSource(server, client, lines_max)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
