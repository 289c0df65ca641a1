"""Reading a spool while its writer goes on.

The usual way is two looks: a bisection over the offsets finds where to begin, one read brings the
lines, and their numbers prove that nothing is damaged at the edges. Where the proof fails, the
whole segment is gone through line by line.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftersend.errors import Corruption
from aftersend.platform import files
from aftersend.spool.segment import (
    Line,
    Segment,
    extent,
    good_lines,
    line_at,
    line_before,
    listing,
    path_of,
    read_range,
)

__all__ = ["Chunk", "Stretch", "pieces", "read", "stretches"]

_PROBE_BYTES: Final = 4096
_COUNTED_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one segment, damaged ones too; ask on with `after` = `last`.

    `first` is the number asked for, `data` begins at byte `offset` of the file named `segment`.
    """

    first: int
    last: int
    data: bytes
    segment: str
    offset: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where bytes that a reader lacks stand: `size` of them from byte `offset` of `segment` on.

    They are what `read` would hand on of that segment, call by call; `last` is its `Chunk.last`
    then.
    """

    segment: str
    offset: int
    size: int
    last: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    after: int
    lines_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class _Open:
    """An open segment: its synced bytes up to the last line feed, and the last number it can hold.

    `last` is None while the segment is being written.
    """

    descriptor: int
    first: int
    end: int
    last: int | None


def read(directory: Path, *, after: int, lines_max: int, bytes_max: int) -> Chunk | None:
    """Give the lines that follow number `after`, or None when there are none yet.

    Everything given is on the disk: the segment and its name are synced first. The lines come from
    one segment; the last call of a series gives None.

    Limits: at most `lines_max` lines and `bytes_max` bytes, but at least one good line; damaged
        lines come on top, with the good line that follows them.

    Raises:
        Corruption: line `after` was never written here, so the folder was replaced by another.
        OSError: the disk cannot be read or synced.
    """
    assert lines_max >= 1, "a reader wants at least one line"
    wanted = _Wanted(after, lines_max, bytes_max)
    segments = listing(directory)
    following = segments[1:]
    for index, segment in enumerate(segments):
        beyond = following[index].first if index < len(following) else None
        if beyond is not None and beyond <= after + 1:
            continue
        chunk = _read_segment(segment, beyond, wanted)
        if chunk is not None:
            return chunk
    _check_position(directory, after)
    return None


def stretches(directory: Path, *, after: int, count_max: int) -> list[Stretch]:
    """Tell where the lines stand that follow number `after`; none when there are none yet.

    It reads little more than the edges, but for what `read` too has to go through line by line.
    Everything told is on the disk.

    Limits: at most `count_max` segments; ask on with `after` = the last `Stretch.last`.

    Raises:
        Corruption: line `after` was never written here, so the folder was replaced by another.
        OSError: the disk cannot be read or synced.
    """
    assert count_max >= 1, "a reader wants at least one segment"
    segments = listing(directory)
    following = segments[1:]
    found: list[Stretch] = []
    for index, segment in enumerate(segments):
        beyond = following[index].first if index < len(following) else None
        if beyond is not None and beyond <= after + 1:
            continue
        with _opened(segment, beyond) as opened:
            place = None if opened is None else _place(opened, after)
        if place is not None:
            start, end, last = place
            found.append(Stretch(segment.path.name, start, end - start, last))
        if len(found) == count_max:
            break
    if not found:
        _check_position(directory, after)
    return found


def pieces(directory: Path, stretch: Stretch, *, bytes_max: int) -> Iterator[bytes]:
    """Read the bytes of a stretch, at most `bytes_max` at a time.

    Raises:
        OSError: the segment was removed meanwhile, or the disk cannot be read.
    """
    at, end = stretch.offset, stretch.offset + stretch.size
    descriptor = os.open(directory / stretch.segment, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while at < end:
            piece = read_range(descriptor, at, min(end, at + bytes_max))
            if not piece:
                raise OSError(errno.EIO, "A segment has become shorter", stretch.segment)
            yield piece
            at += len(piece)
    finally:
        os.close(descriptor)


def _check_position(directory: Path, after: int) -> None:
    """Raise where a reader has more than was ever written here."""
    last = extent(directory).last
    if after > last:
        remedy = path_of(directory, after + 1).name
        raise Corruption(
            directory,
            f"line {after} was read from here, but the last line is {last}; the folder was emptied"
            f" or replaced. Stop the tracking server, make an empty file {remedy}, and start again",
        )


@contextmanager
def _opened(segment: Segment, beyond: int | None) -> Iterator[_Open | None]:
    """Open a segment and sync it; None where there is nothing in it."""
    try:
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None  # every reader had it, so it was removed meanwhile
        return
    try:
        size = os.fstat(descriptor).st_size  # what is written from here on may not be synced
        if size == 0:
            yield None
            return
        files.sync(descriptor)
        files.sync_directory(segment.path.parent)
        end = _whole_end(descriptor, size)
        last = None if beyond is None else beyond - 1
        yield _Open(descriptor, segment.first, end, last)
    finally:
        os.close(descriptor)


def _read_segment(segment: Segment, beyond: int | None, wanted: _Wanted) -> Chunk | None:
    with _opened(segment, beyond) as opened:
        if opened is None:
            return None
        found = _quick(opened, wanted) or _thorough(opened, wanted)
    if found is None:
        return None
    start, last, data = found
    return Chunk(max(wanted.after + 1, segment.first), last, data, segment.path.name, start)


def _place(opened: _Open, after: int) -> tuple[int, int, int] | None:
    """Find start, end and last number of what follows a number, without reading it if possible."""
    first = max(after + 1, opened.first)
    start = _bisect(opened, first)
    if start is not None and opened.last is not None:
        return start, opened.end, opened.last
    if start is not None and (last := _proven_last(opened, first, start)) is not None:
        return start, opened.end, last
    found = _thorough(opened, _Wanted(after, sys.maxsize, sys.maxsize))
    if found is None:
        return None
    start, last, data = found
    return start, start + len(data), last


def _proven_last(opened: _Open, first: int, start: int) -> int | None:
    """Tell the number of the last line, if there are as many lines before it as there must be."""
    at = max(start, opened.end - _PROBE_BYTES)
    line = line_before(os.pread(opened.descriptor, opened.end - at, at), at, opened.end)
    if line is None:
        return None
    count = sum(
        read_range(opened.descriptor, at, min(opened.end, at + _COUNTED_BYTES)).count(b"\n")
        for at in range(start, opened.end, _COUNTED_BYTES)
    )
    return line.number if line.number == first + count - 1 else None


def _whole_end(descriptor: int, size: int) -> int:
    """Find the end of the last whole line."""
    at = size
    while at > 0:
        start = max(0, at - _PROBE_BYTES)
        found = os.pread(descriptor, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _quick(opened: _Open, wanted: _Wanted) -> tuple[int, int, bytes] | None:
    """Read where nothing is damaged at the edges; None where that is not certain."""
    first = max(wanted.after + 1, opened.first)
    start = _bisect(opened, first)
    if start is None:
        return None
    data = os.pread(opened.descriptor, min(opened.end - start, wanted.bytes_max), start)
    stop = data.rfind(b"\n") + 1
    if data.count(b"\n", 0, stop) > wanted.lines_max:
        stop = _lines_end(data, wanted.lines_max)
    last = line_before(data, start, start + stop)
    count = data.count(b"\n", 0, stop)
    if last is None or last.number != first + count - 1:
        return None
    is_at_end = start + stop == opened.end
    if opened.last is not None and is_at_end != (last.number == opened.last):
        return None  # nobody asks for a segment again whose last number he has
    return start, last.number, data[:stop]


def _bisect(opened: _Open, number: int) -> int | None:
    """Find the offset of line `number`, if the line before it is the number before."""
    low, high, best = 0, opened.end, None
    while low < high:
        middle = (low + high) // 2
        line = _line_from(opened, middle)
        if line is None or line.start >= high:
            high = middle
        elif line.number < number:
            low = line.end
        else:
            best, high = line, middle
    if best is None or best.number != number:
        return None
    if best.start == 0:
        return 0 if number == opened.first else None
    at = max(0, best.start - _PROBE_BYTES)
    before = line_before(os.pread(opened.descriptor, best.start - at, at), at, best.start)
    return best.start if before is not None and before.number == number - 1 else None


def _line_from(opened: _Open, offset: int) -> Line | None:
    """Read the head of the first line that begins at `offset` or later, if it is in sight."""
    at = max(0, offset - 1)
    data = os.pread(opened.descriptor, min(_PROBE_BYTES, opened.end - at), at)
    start = 0 if offset == 0 else data.find(b"\n") + 1
    if offset > 0 and start == 0:
        return None
    return line_at(data, at, at + start)


def _lines_end(data: bytes, count: int) -> int:
    end = 0
    for _ in range(count):
        end = data.find(b"\n", end) + 1
    return end


def _thorough(opened: _Open, wanted: _Wanted) -> tuple[int, int, bytes] | None:
    """Go through the whole segment, and cut only behind good lines."""
    data = read_range(opened.descriptor, 0, opened.end)
    start, stop, last, count = 0, 0, None, 0
    is_cut = False
    for line in good_lines(data, opened.first):
        if opened.last is not None and line.number > opened.last:
            break
        if line.number <= wanted.after:
            start = stop = line.end
            continue
        count += 1
        if last is not None and (count > wanted.lines_max or line.end - start > wanted.bytes_max):
            is_cut = True
            break
        stop, last = line.end, line.number
    if opened.last is not None and not is_cut:
        stop, last = opened.end, opened.last
    if last is None or stop == start:
        return None
    return start, last, data[start:stop]
