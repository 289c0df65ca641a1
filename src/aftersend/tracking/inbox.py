"""The inbox: lines that were downloaded and wait to be loaded, safe on our own disk.

One folder a server; one file a stretch of lines without gaps, named by everything that must be
known of it, so that name and lines are there or not there together::

    <first number>-<last number>-<offset>-<segment>.lines

Numbers are 16 hex digits, so names sort as lines do; `offset` is the place of the first byte in the
segment of the server's spool. The stretch covers its numbers: what is missing in it is lost for
good, not late.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftersend.model.ids import ServerId
from aftersend.platform.files import make_directory, sync_directory, write_atomic

__all__ = ["InboxFile", "Stretch", "keep", "pending", "put_aside", "remove", "servers", "tidy"]

_NAME: Final = re.compile(r"([0-9A-F]{16})-([0-9A-F]{16})-([0-9]{1,18})-([0-9A-Za-z._-]+)\.lines")


@dataclass(frozen=True, slots=True)
class InboxFile:
    """A stretch of lines: numbers `first` to `last`, from byte `offset` of a `segment` on."""

    path: Path
    first: int
    last: int
    segment: str
    offset: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole lines that follow each other: numbers `first` to `last`, and where they stood."""

    first: int
    last: int
    segment: str
    offset: int
    data: bytes


def servers(inbox: Path) -> list[ServerId]:
    """List the tracking servers that lines were ever downloaded from."""
    if not inbox.is_dir():
        return []
    return sorted(ServerId(path.name) for path in inbox.iterdir() if path.is_dir())


def pending(inbox: Path, server: ServerId) -> list[InboxFile]:
    """List the files of a server in the order of their lines."""
    folder = inbox / server
    if not folder.is_dir():
        return []
    return sorted(
        (_file(path, match) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))),
        key=lambda file: file.first,
    )


def keep(inbox: Path, server: ServerId, lines: Stretch) -> None:
    """Put lines into the inbox; they are on the disk when this returns."""
    assert lines.data.endswith(b"\n"), "sources give whole lines"
    make_directory(inbox / server)
    name = f"{lines.first:016X}-{lines.last:016X}-{lines.offset}-{lines.segment}.lines"
    assert _NAME.fullmatch(name), "sources admit no other segment"
    write_atomic(inbox / server / name, lines.data)


def remove(file: InboxFile) -> None:
    """Take out a file whose lines are dealt with."""
    file.path.unlink(missing_ok=True)


def put_aside(inbox: Path, server: ServerId) -> None:
    """Give the waiting files of a server other names: their bytes stay, but nobody loads them."""
    for file in pending(inbox, server):
        file.path.rename(file.path.with_name(f"{file.path.name}.aside"))
    if (inbox / server).is_dir():
        sync_directory(inbox / server)


def tidy(inbox: Path, server: ServerId) -> None:
    """Remove what a crash left half-written."""
    folder = inbox / server
    if not folder.is_dir():
        return
    for path in folder.glob(".*"):
        path.unlink(missing_ok=True)
    sync_directory(folder)


def _file(path: Path, match: re.Match[str]) -> InboxFile:
    return InboxFile(path, int(match[1], 16), int(match[2], 16), match[4], int(match[3]))
