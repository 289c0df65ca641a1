"""How far readers have got, and the removal of what all of them have."""

import os
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from aftersend.errors import InvalidInput
from aftersend.model.logline import LINE_BYTES_MAX
from aftersend.platform import files
from aftersend.platform.telemetry import logger
from aftersend.spool.segment import Segment, extent, listing, tail

__all__ = ["acknowledge", "acknowledged", "remove_acknowledged", "remove_expired"]

_PREFIX: Final = "ack-"
_READER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NUMBER_BYTES_MAX: Final = 19
_TIME_BYTES: Final = slice(20, 46)


def acknowledge(directory: Path, reader: str, number: int) -> None:
    """Note that `reader` has safely stored all lines up to `number`; the first time registers it.

    An older number than before changes nothing.

    Raises:
        InvalidInput: the reader's name cannot be a file's, or no such line was ever written.
    """
    if not _READER.fullmatch(reader):
        raise InvalidInput(
            "The name of a reader is made of a to z, 0 to 9, - and _, at most 64 characters."
        )
    last = extent(directory).last
    if not 0 <= number <= last:
        raise InvalidInput(f"Line {number} cannot be acknowledged: the last one is {last}.")
    path = directory / f"{_PREFIX}{reader}"
    if number > _read(path):
        files.write_atomic(path, b"%d\n" % number)
    else:  # perhaps asked again, because the name could not be synced the first time
        files.sync_directory(directory)


def acknowledged(directory: Path) -> dict[str, int]:
    """Tell the last acknowledged number of every registered reader; 0 where it is unreadable."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are enough
    except FileNotFoundError:
        return {}
    return {
        name.removeprefix(_PREFIX): max(0, _read(directory / name))
        for name in sorted(names)
        if name.startswith(_PREFIX)
    }


def remove_acknowledged(directory: Path) -> int:
    """Remove the segments that every registered reader has read; tell how many.

    The newest stays, because it holds the number to go on with.
    """
    readers = acknowledged(directory)
    if not readers:
        return 0
    done = min(readers.values())
    segments = listing(directory)
    readable = [segment for segment, following in pairwise(segments) if following.first - 1 <= done]
    for segment in readable:
        _remove(segment)
    return len(readable)


def remove_expired(directory: Path, *, now: datetime, keep_days: int) -> int:
    """Remove the segments whose last line is older than `keep_days`, read or not; tell how many.

    Every removal of lines that somebody has not read is an alarm in the log.
    """
    before = now - timedelta(days=keep_days)
    removed = 0
    for segment in listing(directory)[:-1]:
        last_at = _last_at(segment)
        if last_at is None:
            continue
        if last_at >= before:
            break
        logger("spool").error(
            "segment removed before every reader had read it",
            segment=segment.path.name,
            keep_days=keep_days,
            readers=acknowledged(directory),
        )
        _remove(segment)
        removed += 1
    return removed


def _read(path: Path) -> int:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return -1
    text = raw.strip()
    return int(text) if text.isdigit() and len(text) <= _NUMBER_BYTES_MAX else 0


def _remove(segment: Segment) -> None:
    # In this order, because nobody would find what belongs to a segment that is gone.
    for torn in segment.path.parent.glob(f"{segment.path.stem}-*.torn"):
        torn.unlink(missing_ok=True)
    segment.path.unlink(missing_ok=True)


def _last_at(segment: Segment) -> datetime | None:
    """Tell when the last good line was written; without one, when the file was changed.

    None when another process has removed the segment meanwhile.
    """
    try:
        with segment.path.open("rb") as file:
            end = tail(file.fileno(), segment.first).end
            start = max(0, end - LINE_BYTES_MAX)
            line = os.pread(file.fileno(), end - start, start)[:-1].rpartition(b"\n")[2]
            changed_at = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    try:
        return datetime.fromisoformat(line[_TIME_BYTES].decode()).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(changed_at, UTC)
