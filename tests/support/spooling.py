"""Hits, lines and dead writers: for tests of the spool and of the collector."""

import os
from datetime import UTC, datetime
from pathlib import Path

from aftersend.model import logline
from aftersend.model.ids import ServerId
from aftersend.model.logline import LogLine
from aftersend.platform.clock import Clock, ManualClock
from aftersend.spool import Chunk, Hit, Limits, Writer, read

__all__ = ["AT", "SERVER", "hit", "kill", "opened", "read_all", "stored_lines"]

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
SERVER = ServerId("1")


def hit(message_id: int = 1, *, user_agent: str = "", parameters: str = "") -> Hit:
    """Make a plain click of a message."""
    return Hit(message_id, 7, 2, "0", "", "h", parameters, user_agent, "127.0.0.1")


def opened(directory: Path, clock: Clock | None = None, **limits: float) -> Writer:
    """Open a spool with the given limits, usual ones else."""
    return Writer.open(
        directory,
        server=SERVER,
        clock=clock or ManualClock(AT),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


def kill(writer: Writer) -> None:
    """Do to a writer what the end of its process does: its descriptors close, nothing else."""
    for descriptor in (writer._descriptor, writer._lock_descriptor, *writer._retired):
        os.close(descriptor)


def read_all(directory: Path, *, after: int = 0, lines_max: int = 1000) -> list[Chunk]:
    """Read on until there is nothing more."""
    chunks = []
    while chunk := read(directory, after=after, lines_max=lines_max, bytes_max=1 << 20):
        assert chunk.last > after, "a reader gets on"
        after = chunk.last
        chunks.append(chunk)
    return chunks


def stored_lines(directory: Path) -> list[LogLine]:
    """Read all whole lines of a spool, past our own reader."""
    raw = b"".join(
        path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
        for path in sorted(directory.glob("*.log"))
    )
    return [logline.decode(line) for line in raw.splitlines(keepends=True)]
