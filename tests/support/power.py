"""A disk that loses what was not synced when the power goes: for tests of the spool."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from aftersend.platform import files

__all__ = ["Disk", "disk"]


@dataclass(slots=True)
class Disk:
    """What of a folder is safe: bytes of each file by inode, and names.

    Bytes and names fail apart; `failed` holds the files with something in them that a sync failed
    to bring down.
    """

    directory: Path
    bytes_safe: dict[int, int] = field(default_factory=dict)
    names_safe: dict[str, int] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    is_failing: bool = False
    is_failing_names: bool = False

    def sync(self, descriptor: int) -> None:
        """Make the bytes of a file safe."""
        status = os.fstat(descriptor)
        if self.is_failing:
            self.failed |= {status.st_ino} if status.st_size else set()
            raise OSError(5, "Input/output error")
        self.bytes_safe[status.st_ino] = status.st_size

    def sync_directory(self, _path: Path) -> None:
        """Make the names of the folder safe."""
        if self.is_failing_names:
            raise OSError(5, "Input/output error")
        self.names_safe = {entry.name: entry.stat().st_ino for entry in self.directory.iterdir()}

    def cut_power(self, choose: Callable[[int, int], int], *, has_holes: bool) -> None:
        """Lose what is not safe: `choose` draws a number between two bounds.

        Names go or stay; of the bytes behind the safe ones a part stays, and with `has_holes` a
        part of that part is zeros.
        """
        for path in sorted(self.directory.glob("*.log")):
            status = path.stat()
            if path.name not in self.names_safe and choose(0, 1):
                path.unlink()
                continue
            safe = min(self.bytes_safe.get(status.st_ino, 0), status.st_size)
            kept = choose(safe, status.st_size)
            os.truncate(path, kept)
            if has_holes and kept > safe:
                start = choose(safe, kept)
                with path.open("r+b") as file:
                    file.seek(start)
                    file.write(bytes(choose(start, kept) - start))
            self.bytes_safe[status.st_ino] = kept
        self.sync_directory(self.directory)


@contextmanager
def disk(directory: Path) -> Iterator[Disk]:
    """Let every sync in this process go to a `Disk`, which costs no time."""
    simulated = Disk(directory)
    with (
        patch.object(files, "sync", simulated.sync),
        patch.object(files, "sync_directory", simulated.sync_directory),
    ):
        yield simulated
