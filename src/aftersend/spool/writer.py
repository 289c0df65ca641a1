"""The one writer of a spool."""

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from aftersend.errors import Busy, Transient
from aftersend.model.ids import ServerId
from aftersend.model.logline import escape, time_text
from aftersend.platform import files
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger
from aftersend.spool.acknowledge import acknowledged, remove_acknowledged, remove_expired
from aftersend.spool.segment import Segment, Tail, listing, path_of, read_range, tail

__all__ = ["Hit", "Limits", "State", "Writer"]

_LOCK_NAME: Final = "lock"
_RETRY_SECONDS: Final = 0.2
_BATCH_LINES_MAX: Final = 256
_FORM: Final = "0x%016X\t%s%06d\t%x\t%x\t%x"
_AGENTS_MAX: Final = 1024
_AGENT_LENGTH_MAX: Final = 1024
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
_MODE: Final = 0o640


@dataclass(frozen=True, slots=True)
class Limits:
    """When a segment ends, how long it is kept unread, and how many lines wait for a full disk."""

    segment_bytes_max: int = 16 * 1024 * 1024
    segment_seconds_max: float = 3600.0
    keep_days: int = 30
    queue_lines_max: int = 100_000


Fields = tuple[int, int, int, str, str, str, str, str, str]
"""A `Hit` without the names: making one costs a click nothing."""


class Hit(NamedTuple):
    """What a log line says beside its id and time, in the order of its fields."""

    message_id: int
    delivery_id: int
    url_id: int
    flags: str
    source_id: str
    part: str
    parameters: str
    user_agent: str
    address: str


@dataclass(frozen=True, slots=True)
class State:
    """How a writer fares: the last number given, lines waiting for the disk, lines lost."""

    last: int
    unwritten: int
    lost: int
    failed_syncs: int


class Writer:
    """Appends lines to the spool in a folder, of which it is the only writer.

    Any thread may call; `append` never waits for a disk to sync.
    """

    def __init__(
        self, directory: Path, *, server: ServerId, clock: Clock, limits: Limits, lock: int
    ) -> None:
        """Take over a folder whose lock is held; `open` is the way in."""
        self._directory, self._clock, self._limits = directory, clock, limits
        self._segment_bytes_max = limits.segment_bytes_max
        self._lock_descriptor = lock
        self._form = server + _FORM
        self._begin_second(datetime.min.replace(tzinfo=UTC))
        self._agents: dict[str, str] = {}
        self._mutex, self._sync_mutex = threading.Lock(), threading.Lock()
        self._acquire, self._release = self._mutex.acquire, self._mutex.release
        self._queue: deque[bytes] = deque()
        self._retry_at = 0.0
        self._lost = self._failed_syncs = 0
        self._is_torn = self._is_failing = self._is_name_new = self._is_closed = False
        self._is_doubtful = False  # a sync of this segment has failed, and none could be begun
        self._retired: list[int] = []
        self._synced = (0, 0)
        self._begun_at = clock.monotonic()
        self._descriptor, self._first, self._size, self._next = self._recover()

    @classmethod
    def open(
        cls, directory: Path, *, server: ServerId, clock: Clock, limits: Limits | None = None
    ) -> Self:
        """Open the spool in `directory`, made if missing, and mend what a crash left behind.

        Raises:
            Busy: another writer has it.
            OSError: the folder cannot be used.
        """
        files.make_directory(directory)
        lock = os.open(directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(directory, server=server, clock=clock, limits=limits or Limits(), lock=lock)
        except BlockingIOError as error:
            os.close(lock)
            raise Busy(f"The spool {directory} is in use by another tracking server.") from error
        except BaseException:
            os.close(lock)
            raise

    def append(self, at: datetime, hit: Fields) -> int:
        """Hand one line to the kernel and give its number; 0 when it had to be dropped.

        When the disk does not take it, the line waits in memory, in its place, and is tried again.

        Raises:
            Transient: the writer was closed.
        """
        message_id, delivery_id, url_id, flags, source_id, part, parameters, agent, address = hit
        self._acquire()  # by hand: half the price of `with`
        try:
            if not self._second <= at <= self._second_end:
                self._begin_second(at)
            spelled = self._agents.get(agent)
            if spelled is None:
                spelled = self._spell(agent)
            if parameters:
                parameters = escape(parameters)
            if not address.isascii() or not address.isprintable() or "\\" in address:
                address = escape(address)
            number = self._next
            head = self._form % (
                number, self._second_text, at.microsecond, message_id, delivery_id, url_id
            )  # fmt: skip
            tail = f"{flags}\t{source_id}\t{part}\t{parameters}\t{spelled}\t{address}"
            line = f"{head}\t{tail}\n".encode()
            size = self._size + len(line)
            if self._queue or self._is_torn or size > self._segment_bytes_max:
                return self._append_slowly(line)
            try:
                written = os.write(self._descriptor, line)
            except OSError:
                written = 0
            if written != len(line):
                self._is_torn = written > 0
                return self._enqueue(line)
            self._size = size
            self._next = number + 1
            return number
        finally:
            self._release()

    def sync(self) -> None:
        """Bring everything appended so far onto the disk; try again what it did not take.

        Trouble is no exception but a matter of `state` and the log: people must be redirected.
        """
        with self._sync_mutex:
            with self._mutex:
                self._write_queue()
                age = self._clock.monotonic() - self._begun_at
                is_old = age >= self._limits.segment_seconds_max
                if self._size and (is_old or self._is_doubtful):
                    self._begin()
                current, descriptor = (self._first, self._size), self._descriptor
                retired, self._retired = self._retired, []
                is_name_new, self._is_name_new = self._is_name_new, False
            for old in retired:
                self._try(files.sync, old)
                self._try(os.close, old)
            if is_name_new and not self._try(files.sync_directory, self._directory):
                self._is_name_new = True
            if current != self._synced:
                if self._try(files.sync, descriptor):
                    self._synced = current
                else:
                    with self._mutex:
                        self._is_doubtful = self._first == current[0] and not self._begin()

    def clean(self) -> None:
        """Remove the segments that every reader has, and those that are too old."""
        remove_acknowledged(self._directory)
        remove_expired(self._directory, now=self._clock.now(), keep_days=self._limits.keep_days)

    @property
    def state(self) -> State:
        """Tell how this writer fares."""
        return State(self._next - 1, len(self._queue), self._lost, self._failed_syncs)

    def close(self) -> None:
        """Sync, and let another writer in."""
        self.sync()
        with self._mutex:
            if self._queue:
                logger("spool").error("lines are lost that the disk did not take", **self._told())
            # Who still appends goes the slow way and is refused: nobody is answered for nothing.
            self._is_closed = self._is_torn = True
            os.close(self._descriptor)
            os.close(self._lock_descriptor)

    def _begin_second(self, at: datetime) -> None:
        """Spell what all lines of a second have in common."""
        self._second = at.replace(microsecond=0)
        self._second_end = at.replace(microsecond=999_999)
        self._second_text = time_text(at)[:20]

    def _spell(self, agent: str) -> str:
        """Spell a user agent for its field and keep it: the same ones come again and again."""
        spelled = escape(agent)
        if len(agent) <= _AGENT_LENGTH_MAX:
            if len(self._agents) >= _AGENTS_MAX:
                self._agents.clear()
            self._agents[agent] = spelled
        return spelled

    def _recover(self) -> tuple[int, int, int, int]:
        """Find where the last writer stopped; give descriptor, first number, size and next one."""
        floor = max(acknowledged(self._directory).values(), default=0) + 1
        segments = listing(self._directory)
        for segment in segments:  # a killed writer has synced some of them and not others
            with segment.path.open("rb") as file:
                files.sync(file.fileno())
        files.sync_directory(self._directory)
        if not segments:
            return self._create(floor), floor, 0, floor
        newest = segments[-1]
        descriptor = os.open(newest.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        end = tail(descriptor, newest.first)
        number = max(end.number + end.damaged_lines + 1, floor)
        # Within a segment numbers have no gaps, so that a damaged one is recognised.
        if number == end.number + 1:
            self._put_torn_end_aside(descriptor, newest, end)
            return descriptor, newest.first, end.end, number
        os.close(descriptor)
        return self._create(number), number, 0, number

    def _put_torn_end_aside(self, descriptor: int, segment: Segment, end: Tail) -> None:
        """Cut off what stands behind the last line feed, but keep the bytes if there is room."""
        torn = read_range(descriptor, end.whole_end, os.fstat(descriptor).st_size)
        if not torn:
            return
        path = self._directory / f"{segment.path.stem}-{end.whole_end}.torn"
        logger("spool").warning("a half-written end is put aside", file=path.name, bytes=len(torn))
        with suppress(OSError):  # a full disk has no room for bytes that nobody was answered for
            files.write_atomic(path, torn, mode=_MODE)
        os.ftruncate(descriptor, end.whole_end)

    def _create(self, number: int) -> int:
        path = path_of(self._directory, number)
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, _MODE)
        self._is_name_new = True
        return descriptor

    def _begin(self) -> bool:
        """Begin another segment with the first number that is not written yet, if the disk can."""
        number = self._next - len(self._queue)
        if number == self._first:
            return False
        try:
            descriptor = self._create(number)
        except OSError:
            return False
        self._retired.append(self._descriptor)
        self._descriptor, self._first, self._size = descriptor, number, 0
        self._is_torn = self._is_doubtful = False
        self._begun_at = self._clock.monotonic()
        return True

    def _append_slowly(self, line: bytes) -> int:
        """Append behind others that wait, or where a segment is full or ends in half a line."""
        if self._is_closed:
            raise Transient(f"The spool {self._directory} is closed.")
        if self._queue and self._clock.monotonic() < self._retry_at:
            return self._enqueue(line)
        self._write_queue()
        if self._queue:
            return self._enqueue(line)
        if self._size + len(line) > self._limits.segment_bytes_max:
            self._begin()  # where the disk has no room for a name, the old segment grows on
        self._queue.append(line)
        self._next += 1
        number = self._next - 1
        self._write_queue()
        return number

    def _enqueue(self, line: bytes) -> int:
        """Let a line wait for the disk, in its place; 0 when too many wait already."""
        self._is_failing = self._is_failing or self._tell_failing()
        if len(self._queue) >= self._limits.queue_lines_max:
            self._lost += 1
            return 0
        self._queue.append(line)
        self._next += 1
        return self._next - 1

    def _write_queue(self) -> None:
        """Write what is waiting, in order, as far as the disk takes it."""
        if self._is_torn and not self._mend():
            return
        while self._queue:
            data = b"".join(islice(self._queue, _BATCH_LINES_MAX))
            try:
                written = os.write(self._descriptor, data)
            except OSError:
                written = 0
            whole = data.rfind(b"\n", 0, written) + 1
            for _ in range(data.count(b"\n", 0, whole)):
                self._queue.popleft()
            self._size += whole
            if written != len(data):
                self._is_failing = self._is_failing or self._tell_failing()
                self._is_torn = written > whole
                self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
                return
        if self._is_failing:
            self._is_failing = False
            logger("spool").warning("the disk takes lines again", **self._told())

    def _mend(self) -> bool:
        """Cut a half-written line off, or leave it behind in a segment that is over."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            return self._begin()
        self._is_torn = False
        return True

    def _try(self, sync: Callable[[Any], None], target: object) -> bool:
        """Sync, and count and tell where it failed."""
        try:
            sync(target)
        except OSError as error:
            self._failed_syncs += 1
            logger("spool").error("a sync failed", reason=error.strerror, **self._told())
            return False
        return True

    def _tell_failing(self) -> bool:
        logger("spool").error("the disk takes no lines; they wait in memory", **self._told())
        return True

    def _told(self) -> dict[str, object]:
        return {"directory": str(self._directory), "waiting": len(self._queue), "lost": self._lost}
