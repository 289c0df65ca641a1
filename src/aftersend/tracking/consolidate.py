"""Step 5: replace the statistics of every delivery that got hits worth it.

Figures are computed anew from the whole lake, so doing it twice is doing it once, and the order in
which lines came does not matter. Of the buckets, those are replaced that start no earlier than the
earliest new hit: what lies before cannot have changed. The version of the lake that was
consolidated is kept in the same transaction as the last figures and as what waits, with the rules
by which; a run that ends before is repeated by the next one, and other rules make everything new.

Source: spec §2.4, §5 (step 2, Recompute); architecture D8.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from aftersend.database import enumerations, outcomes, statistics, user_agents
from aftersend.database.statistics import DELIVERIES_MAX, Pending, Statistics
from aftersend.errors import InvalidInput
from aftersend.lake.agent_days import agent_days, days_around
from aftersend.lake.machines import Rules
from aftersend.lake.totals import Periods, delivery_ids, totals
from aftersend.model.ids import DeliveryId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking import agent
from aftersend.tracking.context import Context
from aftersend.tracking.due import due

__all__ = ["consolidate", "recompute", "rules"]

_DAYS_AT_ONCE: Final = 31


def consolidate(context: Context) -> StepReport:
    """Bring the statistics up to the newest version of the lake."""
    context.passing("consolidate:begun")
    agent.identify_anew(context.database, context.machines)
    context.passing("consolidate:agents")
    work = _Work.begin(context)
    with context.database.read() as connection:
        since = statistics.consolidated_version(connection, work.edition)
    _replace_days(context, work.periods.rules, since)
    todo = due(context, since)
    *portions, last = _portions(todo.computed)
    for at, portion in enumerate(portions, start=1):
        _replace(context, work, portion, todo.computed, recounted=todo.recounted)
        context.telling(at * DELIVERIES_MAX, len(todo.computed))
    _replace(context, work, last, todo.computed, recounted=todo.recounted, waiting=todo.waiting)
    count = len(todo.computed)
    waiting = f" Few new hits: {len(todo.waiting):,} more wait." if todo.waiting else ""
    return StepReport(f"Consolidated {count:,} deliveries.{waiting}", Counts(deliveries=count))


def recompute(context: Context, deliveries: Collection[DeliveryId] | None = None) -> int:
    """Compute the statistics of some deliveries anew (none named: all); tell how many.

    Those whose raw hits were purged stay as they are.

    Raises:
        InvalidInput: one that is named is such a one; then none is computed.
    """
    agent.identify_anew(context.database, context.machines)
    with context.database.read() as connection:
        frozen = statistics.frozen(connection)
        if deliveries is None:
            every = delivery_ids(context.lake) | statistics.sent_deliveries(connection)
            deliveries = every - frozen
    if stay := sorted(frozen.intersection(deliveries)):
        listed = ", ".join(map(str, stay[:5])) + (" and others" if len(stay) > 5 else "")
        raise InvalidInput(
            f"Raw hits were purged, so these keep the figures they have: delivery {listed}."
        )
    work = _Work.begin(context)
    for portion in _portions(deliveries):
        _replace(context, work, portion, dict.fromkeys(deliveries), recounted=deliveries)
    return len(deliveries)


def rules(context: Context) -> str:
    """Spell by what rules figures are computed; other rules make all figures outdated."""
    return _Work.begin(context).edition


@dataclass(frozen=True, slots=True)
class _Work:
    """By what is counted, up to which version of the lake."""

    version: int
    periods: Periods
    edition: str

    @classmethod
    def begin(cls, context: Context) -> Self:
        with context.database.read() as connection:
            domains = enumerations.domains(connection)
        known = context.rules()
        bucket_s = context.settings.consolidation_period_s
        agents = agent.edition(context.machines.allow_agents)
        return cls(
            version=context.lake.version,
            periods=Periods(known, bucket_s, domains),
            edition=f"{known.edition}/{agents}/{domains.edition}/{bucket_s}",
        )


def _portions(deliveries: Collection[DeliveryId]) -> list[list[DeliveryId]]:
    ids = sorted(deliveries)
    return [ids[at : at + DELIVERIES_MAX] for at in range(0, max(1, len(ids)), DELIVERIES_MAX)]


def _replace(
    context: Context,
    work: _Work,
    deliveries: Collection[DeliveryId],
    earliest: Mapping[DeliveryId, datetime | None],
    *,
    recounted: Collection[DeliveryId],
    waiting: Mapping[DeliveryId, Pending] | None = None,
) -> None:
    """Compute the figures of a portion; `waiting` is given with the last one of a run.

    `earliest` tells of each delivery before what time none of its hits is new; none: nobody knows.
    """
    at = context.clock.now()
    moments = [earliest[number] for number in deliveries]
    known = [moment for moment in moments if moment is not None]
    is_known = bool(known) and len(known) == len(moments)
    since = work.periods.bucket_start(min(known)) if is_known else None
    counted = totals(context.lake, work.periods, deliveries=deliveries, buckets_since=since)
    with context.database.read() as connection:
        sent = outcomes.outcomes(
            connection, deliveries, recounted=recounted, domains=work.periods.domains
        )
    context.passing("consolidate:counted")
    figures = Statistics(
        deliveries=deliveries,
        indicators=counted.deliveries,
        domains=counted.domains,
        buckets=counted.buckets,
        outcomes=sent,
        rules=counted.rules,
        buckets_since=since,
    )
    with context.database.write() as connection:
        statistics.replace(connection, figures, lake_version=work.version, at=at)
        if waiting is not None:
            statistics.wait(connection, waiting)
            statistics.set_consolidated_version(connection, work.version, work.edition)
    context.passing("consolidate:replaced")


def _replace_days(context: Context, known: Rules, since: int) -> None:
    """Count anew who clicked with what, on the days that have new hits and those beside them.

    Days of which raw hits were purged stay as they are.
    """
    there = context.lake.days()
    new = context.lake.days_since(since)
    first = context.lake.first_day
    wanted = there if new is None else there & days_around(new)
    days = sorted(day for day in wanted if first is None or day >= first)
    for at in range(0, len(days), _DAYS_AT_ONCE):
        portion = days[at : at + _DAYS_AT_ONCE]
        rows = agent_days(context.lake, known, portion)
        with context.database.write() as connection:
            user_agents.replace_days(connection, portion, rows)
    context.passing("consolidate:days")
