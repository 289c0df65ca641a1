"""The spool against a list: appending, reading, removing, kills and power cuts in any order.

Killed mutants, each by this machine alone: a reader that does not sync the segment, or its name,
before it reads; a reader that looks at the size after the sync; a recovery that leaves half a line
in place, or names unsynced; a sync that forgets rotated segments, or their names; a removal that
asks the fastest reader; a half line that is not cut off after a short write; names that are not
synced again after that alone has failed; a segment that stays in use after a failed sync, also
where the next one could not be begun at once; a line that waits and is not told.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from aftersend.platform.clock import ManualClock
from aftersend.spool import (
    Chunk,
    acknowledge,
    acknowledged,
    extent,
    read,
    remove_acknowledged,
)
from tests.support.power import disk
from tests.support.spooling import AT, hit, kill, opened

READERS = ("lake", "copy")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a real disk would only be slower


class Spool(RuleBasedStateMachine):
    """Lines by number as they were appended, those that wait for the disk, those that are safe.

    A line that stood in a failed sync is safe only once a reader has it: the writer cannot know.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.real_open = os.open
        self.directory = Path(tempfile.mkdtemp(prefix="spool-", dir=MEMORY))
        self.stack.callback(shutil.rmtree, self.directory)
        self.disk = self.stack.enter_context(disk(self.directory))
        self.stack.enter_context(patch("aftersend.spool.writer.os.write", self._write))
        self.stack.enter_context(patch("aftersend.spool.writer.os.open", self._open_file))
        self.clock = ManualClock(AT)
        self.is_open = False
        self.room: int | None = None
        self.has_room_for_names = True
        self.left: dict[Path, int] = {}
        self.lines: dict[int, bytes] = {}
        self.waiting: dict[int, bytes] = {}
        self.highest = 0
        self.safe: set[int] = set()
        self.doubtful: set[int] = set()
        self.positions = dict.fromkeys(READERS, 0)

    @initialize()
    def start(self) -> None:
        """Open the empty folder."""
        self._open()

    @rule(size=st.integers(0, 60))
    def append(self, size: int) -> None:
        """Append a line, short or long."""
        number = self.writer.append(AT, hit(1, user_agent="x" * size))

        assert number > self.highest

        self.highest = number
        self._note_written(number, size)

    @rule(sizes=st.lists(st.integers(0, 60), min_size=4, max_size=8))
    def append_many(self, sizes: list[int]) -> None:
        """Append so much that a segment ends."""
        for size in sizes:
            self.append(size)

    @rule(room=st.integers(0, 150), size=st.integers(0, 60))
    def fill_the_disk(self, room: int, size: int) -> None:
        """Append while the disk has room for a part only, then give it room again."""
        self.room = room
        self.append(size)
        self.append(size)
        self.room = None

    @rule(seconds=st.integers(1, 200))
    def wait(self, seconds: int) -> None:
        """Let time go by: segments grow old, what waits may be tried again."""
        self.clock.advance(seconds)

    @rule()
    def sync(self) -> None:
        """Bring everything onto the disk."""
        self.writer.sync()
        self._settle()

        assert self.waiting == {}

        self.safe |= self.lines.keys() - self.doubtful
        self._leave()

    @rule(has_room_for_names=st.booleans())
    def fail_to_sync(self, *, has_room_for_names: bool) -> None:
        """Sync while the disk fails: what it held may be gone, numbers go on.

        The segment is left, with the next sync where there was no room for another one.
        """
        self.disk.is_failing = self.disk.is_failing_names = True
        self.has_room_for_names = has_room_for_names
        self.writer.sync()
        self.disk.is_failing = self.disk.is_failing_names = False
        self.has_room_for_names = True
        self._settle()
        self.doubtful |= self.lines.keys() - self.safe
        if not has_room_for_names:
            self.sync()
        self._leave()
        self.append(0)

    @rule()
    def fail_to_sync_names(self) -> None:
        """Sync while the disk takes bytes but no names: the next sync makes up for it."""
        failed = self.writer.state.failed_syncs
        is_news = {path.name for path in self.directory.glob("*.log")} - self.disk.names_safe.keys()
        self.disk.is_failing_names = True
        self.writer.sync()
        self.disk.is_failing_names = False
        self._settle()

        assert not is_news or self.writer.state.failed_syncs > failed

    @rule(
        reader=st.sampled_from(READERS),
        lines_max=st.integers(1, 9),
        bytes_max=st.integers(1, 999),
        times=st.integers(1, 4),
    )
    def read(self, reader: str, lines_max: int, bytes_max: int, times: int) -> None:
        """Read on: whole lines, in order, none left out; what is read is safe from then on."""
        for _ in range(times):
            after = self.positions[reader]
            chunk = read(self.directory, after=after, lines_max=lines_max, bytes_max=bytes_max)
            expected = [number for number in self.lines if number > after]
            if chunk is None:
                assert expected == []
                return
            found = self._known(chunk)

            assert found == expected[: len(found)]
            assert all(number > chunk.last for number in expected[len(found) :])
            assert all(number <= chunk.last for number in found)
            assert after < chunk.last <= self.highest

            self.positions[reader] = chunk.last
            self.safe.update(found)
            self.doubtful.difference_update(found)

    @rule(reader=st.sampled_from(READERS))
    def acknowledge(self, reader: str) -> None:
        """Tell that a reader has stored what it has read."""
        acknowledge(self.directory, reader, self.positions[reader])

    @rule()
    def remove(self) -> None:
        """Remove what everybody has; who has not begun yet goes without."""
        readers = acknowledged(self.directory)
        remove_acknowledged(self.directory)
        first = extent(self.directory).first
        gone = [number for number in self.lines if number < first]

        assert all(number <= min(readers.values(), default=0) for number in gone)

        self.left = {path: size for path, size in self.left.items() if path.exists()}
        for number in gone:
            del self.lines[number]
        self.safe.difference_update(gone)
        self.doubtful.difference_update(gone)

    @rule()
    def kill(self) -> None:
        """End the process at once: what waited in memory is gone, nothing else."""
        self._kill()
        self.highest -= len(self.waiting)
        self.waiting = {}
        self._open()

        assert self.writer.state.last == self.highest

    @rule(
        data=st.data(),
        has_holes=st.booleans(),
        before=st.lists(st.sampled_from(["append", "sync", "read", "kill"]), max_size=3),
    )
    def cut_power(self, data: st.DataObject, *, has_holes: bool, before: list[str]) -> None:
        """Lose any part of what is not safe, and nothing that is.

        What happened right `before` is drawn along, so that the machine tries it often enough.
        """
        for action in before:
            match action:
                case "append":
                    self.append_many([0, 9, 5, 60, 7])
                case "sync":
                    self.sync()
                case "read":
                    self.read("copy", 9, 999, times=3)
                case "kill":
                    self.kill()
        self._kill()
        self.disk.cut_power(
            lambda low, high: data.draw(st.integers(low, high)), has_holes=has_holes
        )
        self.waiting, self.left = {}, {}
        self.disk.failed.clear()
        # What follows a hole that took a line feed along belongs to the damaged line.
        stored = {
            line
            for path in self.directory.glob("*.log")
            for line in path.read_bytes().splitlines(keepends=True)
        }
        self.lines = {number: line for number, line in self.lines.items() if line in stored}

        assert self.safe <= self.lines.keys()

        self.safe, self.doubtful = set(self.lines), set()
        self._open()
        self.highest = self.writer.state.last

        assert self.highest >= max((*self.positions.values(), *self.lines), default=0)

    @invariant()
    def the_state_tells_the_truth(self) -> None:
        """The last number given is that of the list; what is not told as waiting is in a file."""
        if self.is_open:
            files = [path.read_bytes() for path in self.directory.glob("*.log")]
            written = {line for raw in files for line in raw.splitlines(keepends=True)}

            assert self.writer.state.last == self.highest
            assert self.writer.state.unwritten == len(self.waiting)
            assert written.issuperset(self.lines.values())
            assert written.isdisjoint(self.waiting.values())

    @invariant()
    def a_segment_that_failed_is_left(self) -> None:
        """Nothing is written into a segment once a sync of it has failed."""
        assert self.left == {path: path.stat().st_size for path in self.left if path.exists()}

    def teardown(self) -> None:
        """Whoever reads on to the end has every line that was not lost."""
        with self.stack:
            if not self.is_open:
                return
            self.sync()
            for reader in READERS:
                self.read(reader, 3, 200, times=len(self.lines) + 9)

                assert [number for number in self.lines if number > self.positions[reader]] == []

            self._kill()

    def _leave(self) -> None:
        """Note what nothing may be added to from now on."""
        paths = [(path, path.stat()) for path in self.directory.glob("*.log")]
        self.left = {path: s.st_size for path, s in paths if s.st_ino in self.disk.failed}

    def _open_file(self, path: Path, flags: int, *arguments: int, **named: int) -> int:
        """Make a file only while there is room for its name."""
        if flags & os.O_CREAT and not self.has_room_for_names:
            raise OSError(28, "No space left on device")
        return self.real_open(path, flags, *arguments, **named)

    def _open(self) -> None:
        self.writer = opened(
            self.directory, self.clock, segment_bytes_max=300, segment_seconds_max=500
        )
        self.is_open = True

    def _kill(self) -> None:
        self.is_open = False
        kill(self.writer)

    def _write(self, descriptor: int, data: bytes) -> int:
        """Write as much as there is room for."""
        if self.room is not None:
            if self.room == 0:
                raise OSError(28, "No space left on device")
            data = data[: self.room]
            self.room -= len(data)
        return os.writev(descriptor, [data])

    def _note_written(self, number: int, size: int) -> None:
        line = (
            f"10x{number:016X}\t2026-01-02T03:04:05.000006\t1\t7\t2\t0\t\th\t\t{'x' * size}"
            "\t127.0.0.1\n"
        ).encode()
        self.waiting[number] = line
        self._settle()

    def _settle(self) -> None:
        """Take as written what waits no longer."""
        for number in list(self.waiting)[: len(self.waiting) - self.writer.state.unwritten]:
            self.lines[number] = self.waiting.pop(number)

    def _known(self, chunk: Chunk) -> list[int]:
        """Tell which of the lines that were appended stand in a chunk, whole."""
        numbers = {line: number for number, line in self.lines.items()}
        return [numbers[line] for line in chunk.data.splitlines(keepends=True) if line in numbers]


TestSpool = Spool.TestCase
TestSpool.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, print_blob=True
)
