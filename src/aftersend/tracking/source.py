"""Where log lines come from: the spool of a tracking server, in a folder here or over HTTP."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from aftersend import spool
from aftersend.errors import InvalidInput, Transient
from aftersend.model.ids import ServerId
from aftersend.model.logline import LINE_BYTES_MAX, log_id
from aftersend.tracking.stream import Chunk, Cutter, Misfit, places_of

__all__ = ["READER", "Chunk", "HttpSource", "LocalSource", "Source", "http_source", "pages"]

READER: Final = "tracking"
"""The name under which spools know us."""

CHUNK_BYTES_MAX: Final = 16 * 1024 * 1024
TIMEOUT_S: Final = 30.0
PAGE_LINES: Final = 10_000
"""How many lines are asked for at once where a stream does not get on."""

_LOG_ID: Final = re.compile(r"([0-9A-Za-z])0x([0-9A-F]{16})")
_SEGMENT: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
_SENTENCE_BYTES_MAX: Final = 4096


class Source(Protocol):
    """The lines of one tracking server."""

    @property
    def server(self) -> ServerId:
        """Tell which tracking server it is."""
        ...

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Give the lines behind number `after`, chunk by chunk, until there are no more yet.

        What was given before an error is good.

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

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Give all lines behind number `after`; see `Source`."""
        return pages(self.read, after)

    def read(self, after: int) -> Chunk | None:
        """Give the next lines behind number `after`; none when there are none yet."""
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
    """A tracking server somewhere, asked for `lines_max` lines at a time; see `http_source`.

    With 0 it is asked for everything there is, as a stream that takes the memory of a chunk.
    """

    server: ServerId
    client: httpx.Client
    lines_max: int

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Give all lines behind number `after`; see `Source`."""
        return pages(self.read, after) if self.lines_max else self._streams(after)

    def read(self, after: int) -> Chunk | None:
        """Give the next lines behind number `after`; none when there are none yet."""
        lines_max = self.lines_max or PAGE_LINES
        data = bytearray()
        with self._asked("GET", "/logs", after=log_id(self.server, after), count=lines_max) as got:
            for piece in got.iter_bytes():
                data += piece
                if len(data) > lines_max * LINE_BYTES_MAX:
                    raise InvalidInput(f"{self._name} answers with more than it was asked for.")
        if not data:
            return None
        segment = got.headers.get("X-Segment", "")
        last = self._last(got)
        offset = _number(got.headers.get("X-Offset", ""))
        is_sound = _SEGMENT.fullmatch(segment) and data.endswith(b"\n")
        if not is_sound or last is None or last <= after or offset is None:
            raise self._nonsense()
        return Chunk(last, bytes(data), segment, offset)

    def acknowledge(self, number: int) -> None:
        """Let the server remove lines up to `number`; see `Source`."""
        upto = log_id(self.server, number)
        with self._asked("POST", "/logs/acknowledge", reader=READER, upto=upto):
            pass

    def _streams(self, after: int) -> Iterator[Chunk]:
        """Read stream after stream; a page where one brings nothing, until that is empty too."""
        while True:
            before = after
            for chunk in self._stream(after):
                yield chunk
                after = chunk.last
            if after == before:
                page = self.read(after)
                if page is None:
                    return
                yield page
                after = page.last

    def _stream(self, after: int) -> Iterator[Chunk]:
        with self._asked("GET", "/logs", after=log_id(self.server, after), count=0) as response:
            stretches = response.headers.get("X-Stretches", "")
            if not stretches:
                return
            last = self._last(response)
            try:
                places = places_of(stretches, after=after, last=-1 if last is None else last)
                cutter = Cutter(self.server, places)
                yield from self._cut(cutter, response)
            except Misfit as error:
                raise self._nonsense() from error
        if not (cutter.is_complete or cutter.is_stuck):
            raise Transient(f"{self._name} broke off in the middle; the next run asks on.")

    def _cut(self, cutter: Cutter, response: httpx.Response) -> Iterator[Chunk]:
        """Give the chunks of a stream; where it breaks off, what has come of it."""
        failure: httpx.HTTPError | None = None
        try:
            for piece in response.iter_bytes():
                yield from cutter.take(piece)
                if cutter.is_stuck:
                    return
        except httpx.HTTPError as error:
            failure = error
        if not cutter.is_complete and (rest := cutter.rest()) is not None:
            yield rest
        if failure is not None:
            raise failure

    def _last(self, response: httpx.Response) -> int | None:
        """Read the log id of this server that an answer ends with."""
        match = _LOG_ID.fullmatch(response.headers.get("X-Last", ""))
        return int(match[2], 16) if match and match[1] == self.server else None

    @property
    def _name(self) -> str:
        return f"Tracking server {self.server} at {self.client.base_url}"

    def _nonsense(self) -> InvalidInput:
        return InvalidInput(f"{self._name} answers with something else than log lines.")

    @contextmanager
    def _asked(self, method: str, path: str, **query: str | int) -> Iterator[httpx.Response]:
        try:
            with self.client.stream(method, path, params=query) as response:
                if response.status_code >= 500:
                    raise Transient(f"{self._name} is out of order: {_reason(response)}.")
                if not response.is_success:
                    raise InvalidInput(f"{self._name} refuses us: {_reason(response)}.")
                yield response
        except httpx.HTTPError as error:
            raise Transient(f"{self._name} does not answer: {error}.") from error


def pages(read: Callable[[int], Chunk | None], after: int) -> Iterator[Chunk]:
    """Read on and on from number `after`, until there is nothing more."""
    while (chunk := read(after)) is not None:
        assert chunk.last > after, "sources give lines behind the number they were asked for"
        yield chunk
        after = chunk.last


@contextmanager
def http_source(
    server: ServerId, *, url: str, password: str, lines_max: int, timeout_s: float = TIMEOUT_S
) -> Iterator[HttpSource]:
    """Talk to the tracking server at `url`, which knows us by the registration `password`."""
    headers = {"Authorization": f"Bearer {password}", "Accept-Encoding": "gzip"}
    # Tracking servers are ours: no proxy of the environment stands between.
    with httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False) as client:
        yield HttpSource(server, client, lines_max)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _reason(response: httpx.Response) -> str:
    """Say what an answer tells that is none: its status, and its sentence if it has one."""
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) > _SENTENCE_BYTES_MAX:
            break
    try:
        sentence = json.loads(data)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        sentence = ""
    told = f" ({sentence.rstrip('.')})" if isinstance(sentence, str) and sentence else ""
    return f"status {response.status_code}{told}"
