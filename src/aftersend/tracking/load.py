"""Step 2: load the lines of the inbox into the lake, each exactly once.

A batch is some files of one server in their order. What lasts is done in this order, so that a run
may end between any two of these and the next one goes on as if nothing had happened:

1. web tags that pages ask for are made, and the delivery of web visits, each once by its name;
2. lines that cannot be loaded are kept as rejected lines, each once by its place;
3. texts of user agents are kept, each once by its number;
4. hits and the pointer are committed to the lake, together;
5. the server is told that the lines are ours;
6. the files are taken out of the inbox.

Every line is counted in one place: loaded; already, when an earlier run has loaded or rejected it;
or rejected, by reason.

Source: spec §5 (step 1); architecture D4, "Every run ends in an equation".
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.errors import AftersendError
from aftersend.lake.line import parse
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking import agent, inbox
from aftersend.tracking.context import Context
from aftersend.tracking.inbox import InboxFile
from aftersend.tracking.known import KnownSources
from aftersend.tracking.reason import ORDINARY
from aftersend.tracking.resolve import Resolved, resolve
from aftersend.tracking.visit import Visits

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["load"]

BATCH_BYTES_MAX: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Batch:
    """The bytes of some files, one behind the other; `starts` are their places, and the end."""

    files: Sequence[InboxFile]
    raw: bytearray
    starts: npt.NDArray[np.int64]

    @classmethod
    def read(cls, files: Sequence[InboxFile]) -> Self:
        starts = np.cumsum([0, *(file.path.stat().st_size for file in files)], dtype=np.int64)
        raw = bytearray(int(starts[-1]))
        for file, start, end in zip(files, starts, starts[1:], strict=False):
            with file.path.open("rb") as stream:
                stream.readinto(memoryview(raw)[start:end])
        return cls(files, raw, starts)

    def file_index(self, byte_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.starts, byte_at, side="right") - 1

    def is_in_range(self, lines: pa.Table) -> npt.NDArray[np.bool_]:
        """Tell of each line whether its number is one that its file covers."""
        file = self.file_index(lines["byte_at"].to_numpy())
        numbers = lines["number"].to_numpy()
        first = np.array([file.first for file in self.files], np.int64)
        last = np.array([file.last for file in self.files], np.int64)
        is_in: npt.NDArray[np.bool_] = (numbers >= first[file]) & (numbers <= last[file])
        return is_in

    def places(self, rejected: pa.Table) -> pa.Table:
        """Say where lines stood in the segments of their server."""
        byte_at = rejected["byte_at"].to_numpy()
        file = self.file_index(byte_at)
        offsets = np.array([file.offset for file in self.files], np.int64)
        segments = pa.array([file.segment for file in self.files], pa.string())
        columns: list[Any] = [
            segments.take(file),
            pa.array(byte_at - self.starts[file] + offsets[file]),
            rejected["reason"],
            rejected["bytes"],
        ]
        return pa.table(columns, names=["segment", "offset", "reason", "bytes"])

    def bytes_at(self, places: pa.Table) -> npt.NDArray[np.int64]:
        """Give where lines at some places of segments begin in this batch."""
        offsets = places["offset"].to_numpy()
        found = []
        for file, start, end in zip(self.files, self.starts, self.starts[1:], strict=False):
            here = offsets[pc.equal(places["segment"], file.segment).to_numpy()]
            at = here - file.offset + start
            found.append(at[(at >= start) & (at < end)])
        return np.concatenate(found)


def load(context: Context) -> StepReport:
    """Load what waits in the inbox."""
    context.passing("load:begun")
    counts, failures = Counts(), list[str]()
    known = KnownSources(context.lake, context.inbox)
    visits = Visits(context.database, context.clock, context.web_tracking, known.since)
    for server in inbox.servers(context.inbox):
        for files in _batches(inbox.pending(context.inbox, server), context):
            counts += _load(context, server, files, visits)
            failures += _acknowledge(context, server, files[-1].last)
            context.passing("load:acknowledged")
            for file in files:
                inbox.remove(file)
            context.passing("load:removed")
    rejected = "".join(f", {count:,} {reason}" for reason, count in counts.rejected.items())
    text = (
        f"Read {counts.read:,} lines: {counts.loaded:,} loaded, {counts.already:,} loaded before,"
        f" {sum(counts.rejected.values()):,} rejected{rejected}."
    )
    return StepReport(
        " ".join([text, *dict.fromkeys(failures)]),
        counts,
        is_warning=bool(failures or counts.rejected.keys() - ORDINARY),
    )


def _batches(files: Sequence[InboxFile], context: Context) -> Iterator[Sequence[InboxFile]]:
    batch: list[InboxFile] = []
    lines = size = 0
    for file in files:
        more_lines, more_bytes = file.last - file.first + 1, file.path.stat().st_size
        is_full = (
            lines + more_lines > context.settings.load_lines_max
            or size + more_bytes > BATCH_BYTES_MAX
        )
        if batch and is_full:
            yield batch
            batch, lines, size = [], 0, 0
        batch.append(file)
        lines, size = lines + more_lines, size + more_bytes
    if batch:
        yield batch


def _load(context: Context, server: ServerId, files: Sequence[InboxFile], visits: Visits) -> Counts:
    pointer = context.lake.pointer(server)
    done = sum(_count_lines(file) for file in files if file.last <= pointer)
    fresh = [file for file in files if file.last > pointer]
    counts = Counts(read=done, already=done)
    return counts + _load_fresh(context, server, fresh, pointer, visits) if fresh else counts


def _load_fresh(
    context: Context, server: ServerId, files: Sequence[InboxFile], pointer: int, visits: Visits
) -> Counts:
    batch = _Batch.read(files)
    lines = parse(batch.raw)
    known = batch.bytes_at(context.lake.rejected_places(server, {file.segment for file in files}))
    misshapen = _only(lines.rejected, _is_new(lines.rejected, known))
    valid = _only(lines.valid, _is_new(lines.valid, known))
    is_in_range = batch.is_in_range(valid)
    is_new = ~(is_in_range & (valid["number"].to_numpy() <= pointer))
    new = _only(valid, is_new)
    resolved = resolve(new, visits, server=server, is_in_range=is_in_range[is_new])
    context.passing("load:resolved")
    rejected = pa.concat_tables((misshapen, lines.reject(resolved.rejected_at, resolved.reasons)))
    _keep(context, server, batch, resolved=resolved, rejected=rejected)
    before = sum(
        whole.num_rows - part.num_rows
        for whole, part in ((lines.rejected, misshapen), (lines.valid, new))
    )
    return Counts(
        read=lines.rejected.num_rows + lines.valid.num_rows,
        loaded=resolved.hits.num_rows,
        already=before,
        rejected=Counter(map(str, rejected["reason"].to_pylist())),
    )


def _keep(
    context: Context, server: ServerId, batch: _Batch, *, resolved: Resolved, rejected: pa.Table
) -> None:
    if rejected.num_rows:
        context.lake.append_rejected(batch.places(rejected), server=server)
    context.passing("load:rejected")
    agent.keep(context.database, resolved.agents, context.machines)
    context.passing("load:agents")
    context.lake.append(
        resolved.hits,
        server=server,
        last=batch.files[-1].last,
        deliveries=set(
            map(DeliveryId, np.unique(resolved.hits["delivery_id"].to_numpy()).tolist())
        ),
    )
    context.passing("load:appended")


def _acknowledge(context: Context, server: ServerId, number: int) -> list[str]:
    """Tell the server; what it cannot hear now it is told with the next lines."""
    try:
        for source in context.sources:
            if source.server == server:
                source.acknowledge(number)
    except AftersendError as error:
        return [str(error)]
    return []


def _is_new(lines: pa.Table, known: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return ~np.isin(lines["byte_at"].to_numpy(), known)


def _only(lines: pa.Table, is_wanted: npt.NDArray[np.bool_]) -> pa.Table:
    # A filter copies everything, also when everything is wanted.
    return lines if is_wanted.all() else lines.filter(pa.array(is_wanted))


def _count_lines(file: InboxFile) -> int:
    return file.path.read_bytes().count(b"\n")
