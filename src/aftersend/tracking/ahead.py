"""Reading what comes next while what came before is kept: two cores are busy instead of one.

Nothing lasts by reading, so the order of all lasting effects stays as it is. At most two batches
are in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TypeAlias

from aftersend.lake.line import Lines, parse
from aftersend.model.ids import ServerId
from aftersend.tracking.batch import Batch
from aftersend.tracking.inbox import InboxFile

__all__ = ["Ahead", "Read", "reading_ahead"]

Read: TypeAlias = tuple[Batch, Lines]
"""Some files, and their lines."""


@dataclass(slots=True)
class Ahead:
    """Reads one batch while the one before it is dealt with."""

    _thread: ThreadPoolExecutor
    _files: Sequence[InboxFile] = field(default=(), init=False)
    _coming: Future[Read] | None = field(default=None, init=False)
    _following: Sequence[InboxFile] = field(default=(), init=False)

    def each(
        self, batches: Iterable[tuple[ServerId, Sequence[InboxFile]]]
    ) -> Iterator[tuple[ServerId, Sequence[InboxFile]]]:
        """Give batches of files one by one, and look at the one behind."""
        for now, following in pairwise(chain(batches, [None])):
            assert now is not None, "only the last is none"
            self._following = () if following is None else following[1]
            yield now

    def read(self, files: Sequence[InboxFile]) -> Read:
        """Read files of the batch that was given last, and begin to read the one behind."""
        coming, self._coming = self._coming, None
        # What was begun may have been loaded by somebody else meanwhile.
        is_wanted = coming is not None and self._files == files
        found = coming.result() if coming is not None and is_wanted else _read(files)
        self._files = self._following
        if self._files:
            self._coming = self._thread.submit(_read, self._files)
        return found


@contextmanager
def reading_ahead() -> Iterator[Ahead]:
    """Read ahead on one thread, which ends before this does."""
    with ThreadPoolExecutor(1) as thread:
        yield Ahead(thread)


def _read(files: Sequence[InboxFile]) -> Read:
    batch = Batch.read(files)
    return batch, parse(batch.raw)
