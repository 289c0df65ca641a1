"""Step 3: try lines of unknown messages again, each loaded exactly once.

A hit may come before its message is known here: messages are written by another process, or come
back with a backup. Such lines wait among the rejected ones. What lasts is done in this order, so
that a run may end between any two of these and the next one goes on as if nothing had happened:

1. texts of user agents are kept, each once by its number;
2. hits are committed to the lake, unless it has one with their log id;
3. the lines are taken out of the rejected ones.

A line was counted as rejected by the run that met it first, so here only those that are settled are
counted: loaded, or loaded already by a run that ended before 3. Those that have waited for
`tracking.unresolved_days` are rejected for good, which is told once; a person may still have them
tried again.

Source: spec §5 ("Unlinkable lines"), D-12.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from aftersend.lake import late, rejected
from aftersend.lake.line import parse
from aftersend.lake.rejected import PLACE, SETTLED
from aftersend.model.ids import ServerId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking import agent
from aftersend.tracking.context import Context
from aftersend.tracking.known import KnownSources
from aftersend.tracking.reason import MISNUMBERED, Reason
from aftersend.tracking.resolve import resolve
from aftersend.tracking.visit import Visits

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Tried", "retry", "servers_of", "try_lines", "visits_of"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of lines that were tried again.

    Shape: `settled` as `rejected.SETTLED`: those that are loaded, with no reason any more, and
        those that are rejected for another reason than before.
    """

    settled: pa.Table = field(default_factory=SETTLED.empty_table)
    loaded: int = 0
    already: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tried") -> "Tried":
        return Tried(
            settled=pa.concat_tables((self.settled, other.settled)),
            loaded=self.loaded + other.loaded,
            already=self.already + other.already,
            rejected=dict(Counter(self.rejected) + Counter(other.rejected)),
        )

    @property
    def counts(self) -> Counts:
        """Count those that are settled."""
        return Counts(read=self.loaded + self.already, loaded=self.loaded, already=self.already)


def retry(context: Context) -> StepReport:
    """Load the waiting lines whose messages are known by now, and give up the old ones."""
    context.passing("retry:begun")
    visits = visits_of(context)
    oldest = context.clock.now() - timedelta(days=context.settings.unresolved_days)
    total, given_up = Tried(), 0
    for lines in rejected.pieces(context.lake, reasons=(Reason.UNRESOLVED,)):
        is_old = pc.less_equal(lines["at"], pa.scalar(oldest, lines["at"].type))
        old = lines.filter(is_old)
        given_up += old.num_rows
        tried = Tried(_now(old, pa.repeat(str(Reason.UNKNOWN_MESSAGE), old.num_rows)))
        for server, waiting in servers_of(lines.filter(pc.invert(is_old))):
            tried += try_lines(context, server, waiting, visits)
            context.passing("retry:appended")
        rejected.settle(context.lake, tried.settled)
        context.passing("retry:removed")
        total += tried
    return _report(total, given_up, context.settings.unresolved_days)


def visits_of(context: Context) -> Visits:
    """Give how web visits are understood."""
    known = KnownSources(context.lake, context.inbox)
    return Visits(context.database, context.clock, context.web_tracking, known.since)


def servers_of(lines: pa.Table) -> Iterator[tuple[ServerId, pa.Table]]:
    """Part rejected lines by the servers they came from."""
    for name in sorted(map(str, lines["server"].unique().to_pylist())):
        yield ServerId(name), lines.filter(pc.equal(lines["server"], name))


def try_lines(context: Context, server: ServerId, lines: pa.Table, visits: Visits) -> Tried:
    """Load those rejected lines of a `server` that can be loaded by now; nothing is settled yet.

    Lines whose log id is damaged stay as they are, and so do those that their server will be asked
    for again, because nothing behind the pointer is certain.

    Shape: `lines` has the columns of `REJECTED_LINE`.
    """
    is_tried = pc.invert(pc.is_in(lines["reason"], value_set=pa.array(sorted(MISNUMBERED))))
    left, lines = lines.filter(pc.invert(is_tried)), lines.filter(is_tried)
    texts: list[Any] = lines["bytes"].to_pylist()
    parsed = parse(b"".join(piece for text in texts for piece in (text, b"\n")))
    highest = late.highest(context.lake, server)
    valid = parsed.valid.filter(pc.less_equal(parsed.valid["number"], highest))
    new = valid.filter(pc.invert(late.is_known(context.lake, valid)))
    found = resolve(new, visits, server=server, is_in_range=np.ones(new.num_rows, np.bool_))
    agent.keep(context.database, found.agents, context.machines)
    loaded = late.append_late(context.lake, found.hits, server=server)
    before = np.array(lines["reason"].to_pylist(), object)
    now = before.copy()
    for places, reasons in (
        (parsed.rejected["byte_at"].to_numpy(), parsed.rejected["reason"].to_pylist()),
        (valid["byte_at"].to_numpy(), None),
        (found.rejected_at, found.reasons.to_pylist()),
    ):
        now[parsed.row_index(places)] = reasons
    now[(before == Reason.UNKNOWN_MESSAGE) & (now == Reason.UNRESOLVED)] = Reason.UNKNOWN_MESSAGE
    is_settled = pa.array(now != before)
    kept = [*now[now != None], *left["reason"].to_pylist()]  # noqa: E711 - of each element
    return Tried(
        _now(lines.filter(is_settled), pa.array(now, pa.string()).filter(is_settled)),
        loaded,
        len(now) - (len(kept) - left.num_rows) - loaded,
        Counter(map(str, kept)),
    )


def _now(lines: pa.Table, reasons: Any) -> pa.Table:
    columns: list[Any] = [*(lines[name] for name in PLACE), reasons]
    return pa.table(columns, schema=SETTLED)


def _report(total: Tried, given_up: int, days: int) -> StepReport:
    waiting = total.rejected.get(Reason.UNRESOLVED, 0)
    others = sum(total.rejected.values()) - waiting
    tried = sum(total.rejected.values()) + total.counts.read
    if not tried and not given_up:
        return StepReport("No line waits for its message.")
    text = (
        f"Tried {tried:,} waiting lines again: {total.loaded:,} loaded,"
        f" {total.already:,} loaded before; {waiting:,} wait on."
    )
    if others:
        text += f" {others:,} are rejected for other reasons now."
    if given_up:
        text += (
            f" {given_up:,} have waited for {days:,} days and are rejected for good, because nobody"
            " knows their messages."
        )
    details = {"waiting": waiting, "given_up": given_up}
    return StepReport(text, total.counts, is_warning=bool(given_up), details=details)
