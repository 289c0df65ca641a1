"""Step 1: bring new lines from every tracking server into the inbox, several servers side by side.

A server that cannot be reached is reported, the others go on. What is in the inbox is asked for
no more: the next question begins behind its last line.

Servers are asked by threads of their own, which only ask. What they give is put into the inbox, and
the points of a run are passed, by the thread that runs the step: it decides alone what lasts.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event
from typing import Final

from aftersend.errors import AftersendError
from aftersend.model.ids import ServerId
from aftersend.model.run import StepReport
from aftersend.tracking import inbox
from aftersend.tracking.context import Context
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.source import Chunk, Source

__all__ = ["download"]

FILE_BYTES_MAX: Final = 32 * 1024 * 1024
FILES_BYTES_MAX: Final = 128 * 1024 * 1024
"""What all servers together may have in memory of files that grow."""
BYTES_MAX: Final = 4 * 1024 * 1024 * 1024
"""How much one run takes from one server; the rest is for the next one."""

_PATIENCE_S: Final = 0.1
"""How long a thread waits before it looks whether it is still wanted."""


@dataclass(slots=True)
class _Growing:
    """A stretch of lines that takes up chunks until it fills a file."""

    first: int
    last: int
    segment: str
    offset: int
    data: bytearray

    def takes(self, chunk: Chunk, *, lines_max: int, bytes_max: int) -> bool:
        return (
            self.segment == chunk.segment
            and self.offset + len(self.data) == chunk.offset
            and len(self.data) + len(chunk.data) <= bytes_max
            and chunk.last - self.first < lines_max
        )

    def grown(self) -> Stretch:
        return Stretch(self.first, self.last, self.segment, self.offset, bytes(self.data))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Sources of one server, in their order, and the number behind which lines are wanted."""

    server: ServerId
    sources: Sequence[Source]
    after: int


_Told = tuple[ServerId, Stretch | AftersendError]


@dataclass(frozen=True, slots=True)
class _Crew:
    """Threads that ask servers; each waits with what it has got until it is taken."""

    waiting: "Queue[_Asked]"
    lines_max: int
    bytes_max: int
    told: "Queue[_Told | None]" = field(default_factory=lambda: Queue(1))
    """What comes in; none when a thread has ended."""
    is_over: Event = field(default_factory=Event)

    def work(self) -> None:
        """Ask server after server, until none is left or nobody wants to know."""
        try:
            while not self.is_over.is_set():
                self._ask(self.waiting.get_nowait())
        except Empty:
            pass
        finally:
            self._tell(None)

    def _ask(self, asked: _Asked) -> None:
        after = asked.after
        for source in asked.sources:
            try:
                for stretch in self._stretches(source, after):
                    if not self._tell((asked.server, stretch)):
                        return
                    after = stretch.last
            except AftersendError as error:
                self._tell((asked.server, error))

    def _tell(self, told: _Told | None) -> bool:
        while not self.is_over.is_set():
            try:
                self.told.put(told, timeout=_PATIENCE_S)
            except Full:
                continue
            return True
        return False

    def _stretches(self, source: Source, after: int) -> Iterator[Stretch]:
        count = 0
        growing: _Growing | None = None
        failure: AftersendError | None = None
        chunks = source.chunks(after)
        while count < BYTES_MAX and not self.is_over.is_set():
            try:
                chunk = next(chunks, None)
            except AftersendError as error:
                # What came before is good.
                failure = error
                break
            if chunk is None:
                break
            limits = {"lines_max": self.lines_max, "bytes_max": self.bytes_max}
            if growing and not growing.takes(chunk, **limits):
                yield growing.grown()
                growing = None
            if growing is None:
                growing = _Growing(after + 1, after, chunk.segment, chunk.offset, bytearray())
            growing.data += chunk.data
            growing.last = after = chunk.last
            count += len(chunk.data)
        if growing is not None:
            yield growing.grown()
        if failure is not None:
            raise failure


def download(context: Context) -> StepReport:
    """Copy the lines behind the pointer of each server into the inbox."""
    context.passing("download:begun")
    asked = _asked(context)
    count, failures = 0, dict[ServerId, list[str]]()
    with _answers(context, asked) as answers:
        for server, told in answers:
            if isinstance(told, AftersendError):
                failures.setdefault(server, []).append(str(told))
                continue
            inbox.keep(context.inbox, server, told)
            context.passing("download:kept")
            count += len(told.data)
    servers = "one tracking server" if len(asked) == 1 else f"{len(asked):,} tracking servers"
    text = f"Downloaded {count:,} bytes of lines from {servers}."
    sentences = [text for each in asked for text in failures.get(each.server, ())]
    return StepReport(
        " ".join([text, *sentences]),
        is_warning=bool(failures),
        details={"bytes": count, "servers": len(asked), "failed_servers": sorted(failures)},
    )


def _asked(context: Context) -> list[_Asked]:
    """Say which servers are asked, and from where on; half-written files are removed."""
    sources: dict[ServerId, list[Source]] = {}
    for source in context.sources:
        sources.setdefault(source.server, []).append(source)
    asked = []
    for server, its_sources in sources.items():
        inbox.tidy(context.inbox, server)
        waiting = inbox.pending(context.inbox, server)
        after = max([context.lake.pointer(server), *(file.last for file in waiting)])
        asked.append(_Asked(server, its_sources, after))
    return asked


@contextmanager
def _answers(context: Context, asked: Sequence[_Asked]) -> Iterator[Iterator[_Told]]:
    """Ask all servers, and give what they tell as it comes in; threads end with the block."""
    waiting: Queue[_Asked] = Queue()
    for each in asked:
        waiting.put(each)
    count = max(1, min(context.settings.servers_at_once, len(asked)))
    bytes_max = min(FILE_BYTES_MAX, FILES_BYTES_MAX // count)
    crew = _Crew(waiting, context.settings.load_lines_max, bytes_max)
    with ThreadPoolExecutor(count, "download") as threads:
        working = [threads.submit(crew.work) for _ in range(count)]
        try:
            yield _taken(crew, working)
        finally:
            crew.is_over.set()


def _taken(crew: _Crew, working: Sequence["Future[None]"]) -> Iterator[_Told]:
    for _ in working:
        while (told := crew.told.get()) is not None:
            yield told
    for each in working:
        each.result()  # raises what nobody has thought of
