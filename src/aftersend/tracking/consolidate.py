"""Step 3: replace the statistics of every delivery that got hits.

Figures are computed anew from the whole lake, so doing it twice is doing it once, and the order in
which lines came does not matter. The version of the lake that was consolidated is kept in the same
transaction as the last figures; a run that ends before is repeated by the next one.

Source: spec §5 (step 2, Recompute); architecture D8.
"""

from collections.abc import Collection

from aftersend.database import statistics
from aftersend.database.statistics import DELIVERIES_MAX, Statistics
from aftersend.lake.totals import Periods, delivery_ids, totals
from aftersend.model.ids import DeliveryId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking.context import Context

__all__ = ["consolidate", "recompute"]


def consolidate(context: Context) -> StepReport:
    """Bring the statistics up to the newest version of the lake."""
    context.passing("consolidate:begun")
    version = context.lake.version
    with context.database.read() as connection:
        since = statistics.consolidated_version(connection)
        outdated = statistics.outdated(connection)
    touched = context.lake.touched_since(since)
    if touched is None:
        touched = delivery_ids(context.lake)
    *portions, last = _portions(touched | outdated)
    for portion in portions:
        _replace(context, portion, recounted=outdated, version=version)
    _replace(context, last, recounted=outdated, version=version, is_last=True)
    count = len(touched | outdated)
    return StepReport(f"Consolidated {count:,} deliveries.", Counts(deliveries=count))


def recompute(context: Context, deliveries: Collection[DeliveryId] | None = None) -> int:
    """Compute the statistics of some deliveries anew (none named: all); tell how many."""
    version = context.lake.version
    if deliveries is None:
        with context.database.read() as connection:
            deliveries = delivery_ids(context.lake) | statistics.sent_deliveries(connection)
    for portion in _portions(deliveries):
        _replace(context, portion, recounted=deliveries, version=version)
    return len(deliveries)


def _portions(deliveries: Collection[DeliveryId]) -> list[list[DeliveryId]]:
    ids = sorted(deliveries)
    return [ids[at : at + DELIVERIES_MAX] for at in range(0, max(1, len(ids)), DELIVERIES_MAX)]


def _replace(
    context: Context,
    deliveries: Collection[DeliveryId],
    *,
    recounted: Collection[DeliveryId],
    version: int,
    is_last: bool = False,
) -> None:
    at = context.clock.now()
    periods = Periods(context.settings.dedup_open_period_s, context.settings.consolidation_period_s)
    counted = totals(context.lake, periods, deliveries=deliveries)
    with context.database.read() as connection:
        sent = statistics.sent(connection, deliveries, recounted=recounted)
    context.passing("consolidate:counted")
    with context.database.write() as connection:
        figures = Statistics(
            deliveries=deliveries,
            indicators=counted.deliveries,
            domains=counted.domains,
            buckets=counted.buckets,
            sent=sent,
        )
        statistics.replace(connection, figures, lake_version=version, at=at)
        if is_last:
            statistics.set_consolidated_version(connection, version)
    context.passing("consolidate:replaced")
