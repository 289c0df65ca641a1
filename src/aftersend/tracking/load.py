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
or rejected, by reason. Numbers that no line stands for, not even a damaged one, are told.

After a person has moved a pointer back, lines come once more. Those that the lake has are left out
by their log ids (`lake.late`), which nothing else has to be asked for.

Source: spec §5 (step 1); architecture D4, "Every run ends in an equation".
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.errors import AftersendError, Corruption
from aftersend.lake import late
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.model.logline import log_id
from aftersend.model.run import Counts, StepReport
from aftersend.tracking import agent, inbox
from aftersend.tracking.ahead import Ahead, Read, reading_ahead
from aftersend.tracking.batch import Batch
from aftersend.tracking.context import Context
from aftersend.tracking.gaps import Gap, details, find_gaps, sentences
from aftersend.tracking.inbox import InboxFile
from aftersend.tracking.known import KnownSources
from aftersend.tracking.reason import DAMAGED, ORDINARY
from aftersend.tracking.resolve import Resolved, resolve
from aftersend.tracking.visit import Visits

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["load"]

BATCH_BYTES_MAX: Final = 256 * 1024 * 1024


@dataclass(slots=True)
class _Progress:
    """What a run has loaded so far."""

    counts: Counts = field(default_factory=Counts)
    gaps: list[Gap] = field(default_factory=list)
    failures: dict[str, None] = field(default_factory=dict)

    def failure(self, rejected_max: int) -> AftersendError | None:
        """Give the error of a run that has met more damaged lines than it may, 0: any number."""
        damaged = sum(self.counts.rejected.get(reason, 0) for reason in DAMAGED)
        if damaged <= rejected_max or not rejected_max:
            return None
        return Corruption(
            "tracking.rejected_max",
            f"{damaged:,} damaged lines have come in this run, more than the {rejected_max:,} that"
            " are let pass; everything up to there is kept. See aftersend tracking rejected list",
        )

    def report(self, failure: AftersendError | None) -> StepReport:
        """Say it all."""
        counts = self.counts
        rejected = "".join(f", {count:,} {reason}" for reason, count in counts.rejected.items())
        text = (
            f"Read {counts.read:,} lines: {counts.loaded:,} loaded,"
            f" {counts.already:,} loaded before,"
            f" {sum(counts.rejected.values()):,} rejected{rejected}."
        )
        return StepReport(
            " ".join([text, *sentences(self.gaps), *self.failures]),
            counts,
            is_warning=bool(self.failures or self.gaps or counts.rejected.keys() - ORDINARY),
            failure=failure,
            details=details(self.gaps),
        )


def load(context: Context) -> StepReport:
    """Load what waits in the inbox, until too many lines are damaged."""
    context.passing("load:begun")
    progress, failure = _Progress(), None
    known = KnownSources(context.lake, context.inbox)
    visits = Visits(context.database, context.clock, context.web_tracking, known.since)
    with reading_ahead() as ahead:
        for server, files in ahead.each(_all_batches(context)):
            _load(context, server, files, visits, progress, ahead)
            progress.failures |= dict.fromkeys(_acknowledge(context, server, files[-1].last))
            context.passing("load:acknowledged")
            for file in files:
                inbox.remove(file)
            context.passing("load:removed")
            failure = progress.failure(context.settings.rejected_max)
            if failure is not None:
                break
    return progress.report(failure)


def _all_batches(context: Context) -> Iterator[tuple[ServerId, Sequence[InboxFile]]]:
    for server in inbox.servers(context.inbox):
        for files in _batches(inbox.pending(context.inbox, server), context):
            yield server, files


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


def _load(
    context: Context,
    server: ServerId,
    files: Sequence[InboxFile],
    visits: Visits,
    progress: _Progress,
    ahead: Ahead,
) -> None:
    reached = _Reached.of(context.lake, server)
    done = sum(_count_lines(file) for file in files if file.last <= reached.pointer)
    progress.counts += Counts(read=done, already=done)
    fresh = [file for file in files if file.last > reached.pointer]
    if fresh:
        _load_fresh(context, reached, ahead.read(fresh), visits, progress)


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far a server has been read; `highest` is more where the pointer was moved back."""

    server: ServerId
    pointer: int
    highest: int

    @classmethod
    def of(cls, lake: Lake, server: ServerId) -> Self:
        return cls(server, *late.reached(lake, server))

    @property
    def is_moved_back(self) -> bool:
        return self.highest > self.pointer


def _load_fresh(
    context: Context, reached: _Reached, read: Read, visits: Visits, progress: _Progress
) -> None:
    batch, lines = read
    segments = {file.segment for file in batch.files}
    known = batch.bytes_at(context.lake.rejected_places(reached.server, segments))
    misshapen = _only(lines.rejected, _is_new(lines.rejected, known))
    valid = _only(lines.valid, _is_new(lines.valid, known))
    is_in_range = batch.is_in_range(valid)
    is_new = ~(is_in_range & (valid["number"].to_numpy() <= reached.pointer))
    if reached.is_moved_back:
        misshapen, is_new = _without_known(context.lake, reached, misshapen, valid, is_new)
    new = _only(valid, is_new)
    resolved = resolve(new, visits, server=reached.server, is_in_range=is_in_range[is_new])
    gaps = find_gaps(lines, batch, server=reached.server, after=reached.pointer)
    progress.gaps += [gap for gap in gaps if gap.last > reached.highest]
    context.passing("load:resolved")
    rejected = pa.concat_tables((misshapen, lines.reject(resolved.rejected_at, resolved.reasons)))
    _keep(context, reached, batch, resolved=resolved, rejected=rejected)
    before = sum(
        whole.num_rows - part.num_rows
        for whole, part in ((lines.rejected, misshapen), (lines.valid, new))
    )
    progress.counts += Counts(
        read=lines.rejected.num_rows + lines.valid.num_rows,
        loaded=resolved.hits.num_rows,
        already=before,
        rejected=Counter(map(str, rejected["reason"].to_pylist())),
    )


def _without_known(
    lake: Lake,
    reached: _Reached,
    misshapen: pa.Table,
    valid: pa.Table,
    is_new: npt.NDArray[np.bool_],
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Leave out lines that come once more: their hits are there, damaged ones were repaired."""
    is_past = is_new & (valid["number"].to_numpy() <= reached.highest)
    past = valid.filter(pa.array(is_past))
    is_new = is_new.copy()
    is_new[is_past] = ~late.is_known(lake, past, has_been=True).to_numpy(zero_copy_only=False)
    is_repaired = late.are_hits(lake, late.named(misshapen["bytes"].to_pylist()))
    return misshapen.filter(pc.invert(is_repaired)), is_new


def _keep(
    context: Context, reached: _Reached, batch: Batch, *, resolved: Resolved, rejected: pa.Table
) -> None:
    server, hits = reached.server, resolved.hits
    if rejected.num_rows:
        context.lake.append_rejected(batch.places(rejected), server=server)
    context.passing("load:rejected")
    agent.keep(context.database, resolved.agents, context.machines)
    context.passing("load:agents")
    if reached.is_moved_back:
        is_past = pc.less_equal(hits["log_id"], log_id(server, reached.highest))
        late.append_late(context.lake, hits.filter(is_past), server=server)
        hits = hits.filter(pc.invert(is_past))
    deliveries = set(map(DeliveryId, np.unique(hits["delivery_id"].to_numpy()).tolist()))
    context.lake.append(hits, server=server, last=batch.last, deliveries=deliveries)
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
