"""Finding lines that do not follow the format, before or after the workflow meets them.

Source: spec §4.7; D-07.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftersend.errors import InvalidInput
from aftersend.lake.line import parse

__all__ = ["BadLine", "check_lines"]


_PIECE_BYTES: Final = 64 * 1024 * 1024
_SUFFIXES: Final = (".log", ".lines")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that does not follow the format; `line` counts from 1."""

    file: Path
    line: int
    reason: str


def check_lines(files: Sequence[Path]) -> Iterator[BadLine]:
    """Give the lines of some files that do not follow the format, in their order.

    A folder stands for the segments and inbox files in it and below it, such as a spool.

    Raises:
        InvalidInput: a file cannot be read, or a folder has none.
    """
    for path in _files(files):
        try:
            yield from _check(path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES)
        if not found:
            raise InvalidInput(f"{path} has no files of log lines.")
        yield from found


def _check(path: Path) -> Iterator[BadLine]:
    before = 0
    for piece in _pieces(path):
        lines = parse(piece)
        rejected = lines.rejected
        rows = lines.row_index(rejected["byte_at"].to_numpy()).tolist()
        for row, reason in zip(rows, rejected["reason"].to_pylist(), strict=True):
            yield BadLine(path, before + row + 1, str(reason))
        before += rejected.num_rows + lines.valid.num_rows


def _pieces(path: Path) -> Iterator[bytes]:
    """Read a file in pieces of whole lines; a line longer than a piece makes the piece longer."""
    rest = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            whole, feed, rest = (rest + piece).rpartition(b"\n")
            if feed:
                yield whole + feed
    if rest:
        yield rest
