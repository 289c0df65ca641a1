"""Step 4: replace the statistics of every delivery that got hits.

Figures are computed anew from the whole lake, so doing it twice is doing it once, and the order in
which lines came does not matter. Of the buckets, those are replaced that start no earlier than the
earliest new hit: what lies before cannot have changed. The version of the lake that was
consolidated is kept in the same transaction as the last figures, with the rules by which; a run
that ends before is repeated by the next one, and other rules make everything new.

Source: spec §5 (step 2, Recompute); architecture D8.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from aftersend.database import statistics
from aftersend.database.statistics import DELIVERIES_MAX, Statistics
from aftersend.lake.machines import Rules
from aftersend.lake.totals import Periods, delivery_ids, totals
from aftersend.model.ids import DeliveryId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking.context import Context

__all__ = ["consolidate", "recompute", "rules"]


def consolidate(context: Context) -> StepReport:
    """Bring the statistics up to the newest version of the lake."""
    context.passing("consolidate:begun")
    version = context.lake.version
    with context.database.read() as connection:
        since = statistics.consolidated_version(connection, rules(context))
        outdated = statistics.outdated(connection)
    touched = context.lake.touched_since(since)
    earliest = None if touched is None else context.lake.earliest_since(since)
    if touched is None:
        touched = delivery_ids(context.lake)
    work = _Work(version=version, recounted=outdated, earliest=earliest)
    *portions, last = _portions(touched | outdated)
    for portion in portions:
        _replace(context, portion, work)
    _replace(context, last, work, is_last=True)
    count = len(touched | outdated)
    return StepReport(f"Consolidated {count:,} deliveries.", Counts(deliveries=count))


def recompute(context: Context, deliveries: Collection[DeliveryId] | None = None) -> int:
    """Compute the statistics of some deliveries anew (none named: all); tell how many."""
    version = context.lake.version
    if deliveries is None:
        with context.database.read() as connection:
            deliveries = delivery_ids(context.lake) | statistics.sent_deliveries(connection)
    work = _Work(version=version, recounted=deliveries, earliest=None)
    for portion in _portions(deliveries):
        _replace(context, portion, work)
    return len(deliveries)


def rules(context: Context) -> str:
    """Spell by what rules figures are computed; other rules make all figures outdated."""
    settings = context.settings
    edition = Rules.of(context.machines, open_repeat_s=settings.dedup_open_period_s).edition
    return f"{edition}/{settings.consolidation_period_s}"


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done, up to `version` of the lake.

    Messages of deliveries in `recounted` are counted again. No hit is new that happened before
    `earliest`, so buckets before stay as they are; none: nobody knows, so all are replaced.
    """

    version: int
    recounted: Collection[DeliveryId]
    earliest: datetime | None


def _portions(deliveries: Collection[DeliveryId]) -> list[list[DeliveryId]]:
    ids = sorted(deliveries)
    return [ids[at : at + DELIVERIES_MAX] for at in range(0, max(1, len(ids)), DELIVERIES_MAX)]


def _replace(
    context: Context, deliveries: Collection[DeliveryId], work: _Work, *, is_last: bool = False
) -> None:
    at = context.clock.now()
    periods = Periods(context.rules(), context.settings.consolidation_period_s)
    since = None if work.earliest is None else periods.bucket_start(work.earliest)
    counted = totals(context.lake, periods, deliveries=deliveries, buckets_since=since)
    with context.database.read() as connection:
        sent = statistics.sent(connection, deliveries, recounted=work.recounted)
    context.passing("consolidate:counted")
    with context.database.write() as connection:
        figures = Statistics(
            deliveries=deliveries,
            indicators=counted.deliveries,
            domains=counted.domains,
            buckets=counted.buckets,
            sent=sent,
            buckets_since=since,
        )
        statistics.replace(connection, figures, lake_version=work.version, at=at)
        if is_last:
            statistics.set_consolidated_version(connection, work.version, rules(context))
    context.passing("consolidate:replaced")
