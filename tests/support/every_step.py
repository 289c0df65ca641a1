"""A life of a spool that ends before its n-th call that changes or syncs files, for every n.

`python -m tests.support.every_step FOLDER` lives it once for each n and each kind of end, each in a
process and a folder of its own below FOLDER, which it names on standard output, one a line.
Beside each folder lies ``<its name>.told``: what the life had told anybody before it ended.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aftersend.platform import telemetry
from aftersend.spool import acknowledge, read
from tests.support.power import disk
from tests.support.spooling import AT, hit, opened

__all__ = ["ENDS", "TORN"]

ENDS = ("killed", "bytes", "names")
"""The process alone is gone; the power too, and what was not synced: bytes, or names."""

TORN = b"10x000000000000000B\t2026-01-02T0"
_CHANGING = frozenset(
    ("open", "write", "flush", "close", "ftruncate", "fchmod", "mkdir", "replace", "unlink")
)
_SYNCING = frozenset(("fstat", "listdir"))
"""What the simulated disk asks when something is synced."""

_ENDED_BEFORE = 3
_SEGMENT_BYTES = 250


def _begin(directory: Path) -> None:
    """Leave a spool as a first life does that ended in the middle of a line."""
    writer = opened(directory, segment_bytes_max=_SEGMENT_BYTES)
    for number in range(1, 11):
        writer.append(AT, hit(number))
    writer.close()
    acknowledge(directory, "copy", 3)
    newest = max(directory.glob("*.log"))
    with newest.open("ab") as file:
        file.write(TORN)


def _live(directory: Path, tell: Callable[[str, int], None]) -> None:
    """Do everything once that a writer and its readers do."""
    writer = opened(directory, segment_bytes_max=_SEGMENT_BYTES)
    for number in range(11, 20):
        tell("appended", writer.append(AT, hit(number)))
        if number % 4 == 0:
            writer.sync()
            tell("safe", number)
    chunk = read(directory, after=18, lines_max=1, bytes_max=1)
    assert chunk is not None, "lines were appended"
    tell("read", chunk.last)
    for reader, number in (("lake", 18), ("copy", 13)):
        acknowledge(directory, reader, number)
        tell(reader, number)
    writer.clean()
    writer.append(AT, hit(20))
    writer.close()
    tell("safe", 20)


def _live_until(directory: Path, *, steps: int, end: str) -> bool:
    """Live in a process that ends before its call number `steps`; tell whether there was one."""
    child = os.fork()
    if child == 0:
        _live_and_end(directory, steps=steps, end=end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _ENDED_BEFORE


def _live_and_end(directory: Path, *, steps: int, end: str) -> None:
    left = steps
    told = os.open(f"{directory}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    with disk(directory) as simulated:
        for path in directory.glob("*.log"):
            with path.open("rb") as file:
                simulated.sync(file.fileno())
        simulated.sync_directory(directory)

        def count(_frame: object, event: str, called: Any) -> None:
            nonlocal left
            if event != "c_call" or called.__name__ not in _CHANGING | _SYNCING:
                return
            left -= 1
            if left == 0:
                if end != "killed":
                    simulated.cut_power(max if end == "names" else min, has_holes=False)
                os._exit(_ENDED_BEFORE)

        def tell(what: str, number: int) -> None:
            sys.setprofile(None)
            os.write(told, f"{what} {number}\n".encode())
            sys.setprofile(count)

        sys.setprofile(count)
        _live(directory, tell)
    os._exit(0)


def _main(folder: Path) -> None:
    telemetry.configure(is_json=True)
    _begin(folder / "first")
    for end in ENDS:
        steps, is_going_on = 0, True
        while is_going_on:
            steps += 1
            directory = folder / f"{end}-{steps}"
            shutil.copytree(folder / "first", directory)
            is_going_on = _live_until(directory, steps=steps, end=end)
            sys.stdout.write(f"{directory}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
