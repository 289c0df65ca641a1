"""Segments: their names, and finding lines by number although bytes may be damaged.

A line counts as good here when its head, ``<server>0x<16 hex>`` and a tab, carries a number that
can stand at that place: the one behind the good line before, or, where damaged bytes lie between,
one that those bytes have room for. All else of a line is judged by who loads it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "LINE_BYTES_MIN",
    "Extent",
    "Line",
    "Segment",
    "Tail",
    "extent",
    "good_lines",
    "line_at",
    "line_before",
    "listing",
    "path_of",
    "read_range",
    "tail",
]

LINE_BYTES_MIN: Final = 55
"""The shortest line that the format admits, with its line feed."""

_NAME: Final = re.compile(r"0x([0-9A-F]{16})\.log")
_HEAD: Final = re.compile(rb"^[0-9A-Za-z]0x([0-9A-F]{16})\t", re.MULTILINE)
_BLOCK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the log: the number of its first line and where it lies."""

    first: int
    path: Path


@dataclass(frozen=True, slots=True)
class Line:
    """A good line: its number, and the offsets of its first byte and behind its line feed."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tail:
    """How a segment ends: its last good number, where that line ends, and what follows it.

    An empty segment ends at offset 0 with the number before its first.
    """

    number: int
    end: int
    damaged_lines: int
    whole_end: int


@dataclass(frozen=True, slots=True)
class Extent:
    """What a spool holds: the numbers from `first` to `last`; `last` = `first` - 1 when empty."""

    first: int
    last: int


def listing(directory: Path) -> list[Segment]:
    """List the segments of a spool, oldest first; none when there is no such folder."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are enough, and often many
    except FileNotFoundError:
        return []
    return sorted(
        Segment(int(match[1], 16), directory / name)
        for name in names
        if (match := _NAME.fullmatch(name))
    )


def path_of(directory: Path, first: int) -> Path:
    """Name the segment whose first line is to have the number `first`."""
    return directory / f"0x{first:016X}.log"


def extent(directory: Path) -> Extent:
    """Tell which numbers a spool holds.

    Shape: the numbers 1 to 0 for a spool that was never written.
    """
    segments = listing(directory)
    if not segments:
        return Extent(1, 0)
    newest = segments[-1]
    descriptor = os.open(newest.path, os.O_RDONLY)
    try:
        end = tail(descriptor, newest.first)
    finally:
        os.close(descriptor)
    return Extent(segments[0].first, end.number + end.damaged_lines)


def tail(descriptor: int, first: int) -> Tail:
    """Find the last good line of the segment that begins with number `first`."""
    size = os.fstat(descriptor).st_size
    block = os.pread(descriptor, _BLOCK_BYTES, max(0, size - _BLOCK_BYTES))
    at = max(0, size - _BLOCK_BYTES)
    whole = block.rfind(b"\n") + 1
    last = line_before(block, at, at + whole)
    if last is not None and _follows(block, at, last, first):
        return Tail(last.number, last.end, 0, last.end)
    data = read_range(descriptor, 0, size)
    whole = data.rfind(b"\n") + 1
    number, end = first - 1, 0
    for line in good_lines(data[:whole], first):
        number, end = line.number, line.end
    return Tail(number, end, data.count(b"\n", end, whole), whole)


def read_range(descriptor: int, start: int, end: int) -> bytes:
    """Read the bytes of a file from `start` to `end`, or to where the file ends."""
    data = os.pread(descriptor, end - start, start)
    while len(data) < end - start:  # one call gives at most 2 GiB
        more = os.pread(descriptor, end - start - len(data), start + len(data))
        if not more:
            break
        data += more
    return data


def line_at(data: bytes, at: int, offset: int) -> Line | None:
    """Read the head of the line at `offset`; `data` begins at offset `at`."""
    match = _HEAD.match(data, offset - at)
    end = data.find(b"\n", offset - at)
    if match is None or end < 0:
        return None
    return Line(int(match[1], 16), offset, at + end + 1)


def line_before(data: bytes, at: int, end: int) -> Line | None:
    """Read the head of the line that ends at `end`; None when it is damaged or begins earlier."""
    if end <= at:
        return None
    start = data.rfind(b"\n", 0, end - at - 1) + 1
    if start == 0 and at > 0:
        return None
    return line_at(data, at, at + start)


def good_lines(data: bytes, first: int) -> Iterator[Line]:
    """Go through the good lines of a whole segment that begins with number `first`."""
    expected, behind = first, 0
    for match in _HEAD.finditer(data):
        number, start = int(match[1], 16), match.start()
        room = (start - behind) // LINE_BYTES_MIN
        if not expected <= number <= expected + room:
            continue
        end = data.find(b"\n", start) + 1
        if end == 0:
            return
        yield Line(number, start, end)
        expected, behind = number + 1, end


def _follows(block: bytes, at: int, line: Line, first: int) -> bool:
    """Tell whether a line is good beyond doubt: the first, or one more than the line before."""
    if line.start == 0:
        return line.number == first
    before = line_before(block, at, line.start)
    return before is not None and before.number + 1 == line.number
