"""Taking a stream of lines apart while it comes in.

A stream is the bytes of several stretches, one behind the other; where each of them stands in the
spool of its server is told before. A chunk is cut off wherever it is certain which number its last
line has: at the end of a stretch, which is told too, or behind a line whose number fits the count
of lines before it. Where damage makes that uncertain, more is held until it is certain again.

Invariant: whoever asks on from `Chunk.last` of any chunk gets exactly the bytes that follow it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aftersend.model.ids import ServerId

__all__ = ["HELD_BYTES_MAX", "Chunk", "Cutter", "Misfit", "Place", "places_of"]

HELD_BYTES_MAX: Final = 32 * 1024 * 1024

_CHUNK_BYTES: Final = 1024 * 1024
_PLACES_MAX: Final = 10_000
_PLACE: Final = re.compile(r"(0x([0-9A-F]{16})\.log)@([0-9]{1,18})\+([1-9][0-9]{0,17})")
_HEAD: Final = re.compile(rb"([0-9A-Za-z])0x([0-9A-F]{16})\t")


class Misfit(Exception):
    """A stream is not what was told of it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as they stand from byte `offset` of a `segment` on; `last` is the last number."""

    last: int
    data: bytes
    segment: str
    offset: int


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch: `size` bytes from `offset` of a segment on, numbers `first` to `last`."""

    segment: str
    offset: int
    size: int
    first: int
    last: int


def places_of(header: str, *, after: int, last: int) -> list[Place]:
    """Read where the bytes of a stream stand that follow number `after` and end with `last`.

    A segment is named by its first number, and all before it are in the segments before.

    Raises:
        Misfit: it cannot be read, or contradicts itself.
    """
    matches = [_PLACE.fullmatch(each) for each in header.split(";", _PLACES_MAX)]
    if None in matches:
        raise Misfit("its places cannot be read")
    found = [match for match in matches if match is not None]
    begins = [int(match[2], 16) for match in found]
    places = []
    for match, begin, beyond in zip(found, begins, [*begins[1:], last + 1], strict=True):
        first = max(after + 1, begin)
        if beyond <= first:
            raise Misfit("its places are in no order")
        places.append(Place(match[1], int(match[3]), int(match[4]), first, beyond - 1))
    return places


class Cutter:
    """Cuts chunks off the bytes of a stream of one server; hold on to it while bytes come in."""

    def __init__(self, server: ServerId, places: Sequence[Place]) -> None:
        """Begin with nothing held."""
        self._server = server.encode("ascii")
        self._places = list(reversed(places))
        self._held = bytearray()
        self._begin(self._places.pop())

    @property
    def is_complete(self) -> bool:
        """Tell whether everything that was told has come and was cut off."""
        return self._missing == 0 and not self._places

    @property
    def is_stuck(self) -> bool:
        """Tell whether so much is held that asking in another way is better."""
        return len(self._held) > HELD_BYTES_MAX

    def take(self, piece: bytes) -> Iterator[Chunk]:
        """Take up the next bytes, and give what can be cut off.

        Raises:
            Misfit: more came than was told, or a stretch ends within a line.
        """
        rest = memoryview(piece)
        while rest:
            if self._missing == 0:
                if not self._places:
                    raise Misfit("it is longer than it should be")
                self._begin(self._places.pop())
            taken = rest[: self._missing]
            rest = rest[len(taken) :]
            self._held += taken
            self._missing -= len(taken)
            if self._missing == 0:
                yield self._whole()
            elif len(self._held) >= _CHUNK_BYTES and (chunk := self.rest()) is not None:
                yield chunk

    def rest(self) -> Chunk | None:
        """Cut off the whole lines that are held, if the number of the last one is certain."""
        stop = self._held.rfind(b"\n") + 1
        start = self._held.rfind(b"\n", 0, max(0, stop - 1)) + 1
        match = _HEAD.match(self._held, start, stop)
        if match is None or match[1] != self._server:
            return None
        number = int(match[2], 16)
        count = self._held.count(b"\n", 0, stop)
        if number != self._first + count - 1 or number > self._place.last:
            return None
        return self._cut(stop, number)

    def _begin(self, place: Place) -> None:
        self._place, self._offset, self._first = place, place.offset, place.first
        self._missing = place.size

    def _whole(self) -> Chunk:
        if not self._held.endswith(b"\n"):
            raise Misfit("it holds something else than whole lines")
        return self._cut(len(self._held), self._place.last)

    def _cut(self, stop: int, last: int) -> Chunk:
        chunk = Chunk(last, bytes(self._held[:stop]), self._place.segment, self._offset)
        del self._held[:stop]
        self._offset += stop
        self._first = last + 1
        return chunk
