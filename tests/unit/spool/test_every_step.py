"""A spool whose process ends between any two calls of the kernel, with or without the power.

Killed mutants, each by this test alone: a segment that is removed before its torn end; a torn end
that is cut off before it is kept; an acknowledgement that is written in place; a reader, or a
writer, that does not sync the name of a segment.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from aftersend.spool import acknowledged, extent, read
from tests.support.every_step import ENDS, TORN
from tests.support.spooling import AT, hit, opened, read_all, stored_lines

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a real disk would only be slower


@pytest.fixture(scope="module")
def lives() -> Iterator[list[Path]]:
    """Give the folders of all lives."""
    folder = Path(tempfile.mkdtemp(prefix="lives-", dir=MEMORY))
    command = [sys.executable, "-m", "tests.support.every_step", str(folder)]
    ended = subprocess.run(command, capture_output=True, timeout=300, check=True)
    yield [Path(line) for line in ended.stdout.decode().splitlines()]
    shutil.rmtree(folder)


@pytest.mark.parametrize("end", ENDS)
def test_no_end_costs_what_was_told(lives: list[Path], end: str) -> None:
    """What anybody was told is there, numbers go on, and the next life leaves nothing to mend."""
    ends = [life for life in lives if life.name.startswith(end)]

    assert len(ends) > 80, "a life has many steps"

    for life in ends:
        told = _told(life)
        safe = {*range(1, max([10, *told["safe"]]) + 1), *told["read"]}
        promised = safe | set(told["appended"]) if end == "killed" else safe
        writer = opened(life)
        first, last = extent(life).first, writer.state.last
        lines = stored_lines(life)

        assert last >= max(promised), life.name
        assert {line.number for line in lines} >= {n for n in promised if n >= first}, life.name
        assert all(line.number == line.message_id for line in lines), life.name
        assert writer.append(AT, hit(last + 1)) == last + 1
        writer.close()

        _check_acknowledgements(life, told, first)
        _check_torn_end(life)
        assert b"".join(chunk.data for chunk in read_all(life)) == _stored(life), life.name
        for after in safe:  # nobody who has read it is told that it was never here
            read(life, after=after, lines_max=1, bytes_max=1)


def _told(life: Path) -> dict[str, list[int]]:
    told: dict[str, list[int]] = defaultdict(list)
    file = life.with_name(f"{life.name}.told")
    for line in file.read_text().splitlines():
        what, number = line.split()
        told[what].append(int(number))
    return told


def _check_acknowledgements(life: Path, told: dict[str, list[int]], first: int) -> None:
    """No acknowledgement is undone, and nothing is removed that somebody lacks."""
    found = acknowledged(life)

    assert first <= min(found.values()) + 1, life.name
    assert found["copy"] in (3, 13), life.name
    assert all(found[reader] == told[reader][0] for reader in ("lake", "copy") if told[reader])


def _check_torn_end(life: Path) -> None:
    """The bytes of the first life's half line are kept until their segment may go, no longer."""
    segment = max((life.parent / "first").glob("*.log"))
    kept = [path.read_bytes() for path in life.glob("*.torn")]

    assert kept in ([TORN], []), life.name
    assert kept == [TORN] or acknowledged(life)["copy"] == 13, life.name
    assert kept == [] or (life / segment.name).exists(), life.name


def _stored(life: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(life.glob("*.log")))
