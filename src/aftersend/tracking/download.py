"""Step 1: bring new lines from every tracking server into the inbox.

A server that cannot be reached is reported, the others go on. What is in the inbox is asked for
no more: the next question begins behind its last line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aftersend.errors import AftersendError
from aftersend.model.run import StepReport
from aftersend.tracking import inbox
from aftersend.tracking.context import Context
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.source import Chunk, Source

__all__ = ["download"]

FILE_BYTES_MAX: Final = 32 * 1024 * 1024
BYTES_MAX: Final = 4 * 1024 * 1024 * 1024
"""How much one run takes from one server; the rest is for the next one."""


@dataclass(slots=True)
class _Growing:
    """A stretch of lines that takes up chunks until it fills a file."""

    first: int
    last: int
    segment: str
    offset: int
    data: bytearray

    def takes(self, chunk: Chunk, *, lines_max: int) -> bool:
        return (
            self.segment == chunk.segment
            and self.offset + len(self.data) == chunk.offset
            and len(self.data) + len(chunk.data) <= FILE_BYTES_MAX
            and chunk.last - self.first < lines_max
        )

    def grown(self) -> Stretch:
        return Stretch(self.first, self.last, self.segment, self.offset, bytes(self.data))


def download(context: Context) -> StepReport:
    """Copy the lines behind the pointer of each server into the inbox."""
    context.passing("download:begun")
    count, failures = 0, []
    for source in context.sources:
        try:
            for stretch in _stretches(context, source):
                inbox.keep(context.inbox, source.server, stretch)
                context.passing("download:kept")
                count += len(stretch.data)
        except AftersendError as error:
            failures.append(str(error))
    text = f"Downloaded {count:,} bytes of lines from {len(context.sources)} tracking servers."
    return StepReport(" ".join([text, *failures]), is_warning=bool(failures))


def _stretches(context: Context, source: Source) -> Iterator[Stretch]:
    inbox.tidy(context.inbox, source.server)
    waiting = inbox.pending(context.inbox, source.server)
    after = max([context.lake.pointer(source.server), *(file.last for file in waiting)])
    count = 0
    growing: _Growing | None = None
    failure: AftersendError | None = None
    chunks = source.chunks(after)
    while count < BYTES_MAX:
        try:
            chunk = next(chunks, None)
        except AftersendError as error:
            # What came before is good.
            failure = error
            break
        if chunk is None:
            break
        if growing and not growing.takes(chunk, lines_max=context.settings.load_lines_max):
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
