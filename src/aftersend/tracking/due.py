"""Whose figures are computed anew in a run, and whose wait.

Most deliveries that get a hit in an hour are old and get one or two. Their figures wait until the
new hits are a share worth computing, or have waited long enough; long after a delivery has ended
being valid they wait for ever. This is so in runs of the schedule alone: who asks, gets figures.

How many hits wait is told by the commits of the lake. Those up to the version that the figures of
a delivery are of are in them, so whatever was done before a run ended too early is counted once.

Source: spec §2.4 (trackingIgnorePercent, trackingIgnorePeriod, indicatorsDuration).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aftersend.database import statistics
from aftersend.database.statistics import NOTHING_CONSOLIDATED, Pending, Standing
from aftersend.lake.table import Touch
from aftersend.lake.totals import delivery_ids
from aftersend.model.ids import DeliveryId
from aftersend.settings import TrackingSettings
from aftersend.tracking.context import Context

__all__ = ["Due", "due"]


@dataclass(frozen=True, slots=True)
class Due:
    """What a run does: `computed` gives the earliest new hit of each delivery.

    None as the earliest: nobody knows, so it may be any. Messages of deliveries in `recounted` are
    counted again. `waiting` are those whose waiting hits have become more.
    """

    computed: Mapping[DeliveryId, datetime | None]
    recounted: Collection[DeliveryId]
    waiting: Mapping[DeliveryId, Pending]


def due(context: Context, since: int) -> Due:
    """Decide what is done about the hits after version `since` of the lake."""
    touched = context.lake.touched_since(since)
    with context.database.read() as connection:
        frozen = statistics.frozen(connection)
        outdated = statistics.outdated(connection)
        if since == NOTHING_CONSOLIDATED:
            outdated |= statistics.sent_deliveries(connection)
        if touched is None:
            every = delivery_ids(context.lake) | outdated
            if since == NOTHING_CONSOLIDATED:
                outdated = every
            return Due(dict.fromkeys(every - frozen), outdated - frozen, {})
        before = context.clock.now()
        if context.is_scheduled:
            before -= timedelta(seconds=context.settings.ignore_period_s)
        wanted = touched.keys() | statistics.overdue(connection, before)
        standings = statistics.standings(connection, wanted - frozen)
    return _divided(context, touched, standings, outdated=outdated - frozen, wanted=wanted - frozen)


def _divided(
    context: Context,
    touched: Mapping[DeliveryId, Sequence[Touch]],
    standings: Mapping[DeliveryId, Standing],
    *,
    outdated: Collection[DeliveryId],
    wanted: Collection[DeliveryId],
) -> Due:
    computed: dict[DeliveryId, datetime | None] = {}
    waiting: dict[DeliveryId, Pending] = {}
    at = context.clock.now()
    for number in {*wanted, *outdated}:
        standing = standings.get(number)
        touches = touched.get(number, ())
        if standing is None:
            computed[number] = _earliest(touch.earliest for touch in touches) if touches else at
            continue
        touches = [touch for touch in touches if touch.version > standing.lake_version]
        pending = _pending(standing, touches, at)
        may_wait = context.is_scheduled and number not in outdated
        if pending is None:
            computed[number] = None
        elif may_wait and _waits(standing, pending, context.settings, at):
            if pending != standing.pending:
                waiting[number] = pending
        elif pending.pending:
            computed[number] = pending.pending_from
        elif number in outdated:
            computed[number] = at
    return Due(computed, outdated, waiting)


def _pending(standing: Standing, touches: Sequence[Touch], at: datetime) -> Pending | None:
    """Tell what waits with what is new; none: nobody knows how much is new."""
    count = standing.pending.pending
    earliest = [standing.pending.pending_from] if count else []
    for touch in touches:
        if not touch.hits:
            return None
        count += touch.hits
        earliest.append(touch.earliest)
    if not count:
        return Pending()
    return Pending(count, standing.pending.pending_since or at, _earliest(earliest))


def _waits(standing: Standing, pending: Pending, settings: TrackingSettings, at: datetime) -> bool:
    duration = timedelta(seconds=settings.indicators_duration_s)
    if standing.valid_until is not None and at >= standing.valid_until + duration:
        return True
    share = 100 * pending.pending < settings.ignore_percent * (standing.hits + pending.pending)
    waited_since = pending.pending_since or at
    return share and at - waited_since < timedelta(seconds=settings.ignore_period_s)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """Give the earliest; none: one of them is not known."""
    known = list(moments)
    found = [moment for moment in known if moment is not None]
    return min(found) if len(found) == len(known) else None
