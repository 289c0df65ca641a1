"""The cleanup: what is older than it is kept goes, in a fixed order, task by task.

Figures never change: a delivery whose raw hits go is computed once more and frozen before, one
whose messages go is marked before, so that neither is counted from what is left. To end between any
two effects does no harm: at worst a delivery is frozen though its hits are still there.

A task that fails stops those after it, because it raises and the engine ends the run.

Source: spec §10.1, §10.2; field lessons §0.10.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from aftersend.database import deliveries as delivery_rows
from aftersend.database import purge, statistics
from aftersend.errors import NotFound, Transient
from aftersend.lake.purge import HitsOf, OldHits, OldLines
from aftersend.lake.store import COMMIT_TRIES_MAX
from aftersend.maintenance.context import Context, Task
from aftersend.model.ids import DeliveryId

__all__ = ["TASKS"]

_AT_ONCE: Final = 1_000
"""Deliveries that are computed and frozen together."""


def _deleted(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove deliveries that somebody deleted, and all there is of them but their catalogues.

    Messages go first, so that a hit that comes late finds none and waits as unresolved; the row of
    the delivery goes last, so that a run that ends before is taken up by the next.
    """
    due = _due(context) if is_dry else _begun(context)
    purging = context.purging(is_dry=is_dry, total=total)
    counts = Counter(purging.messages(due, now=context.clock.now()))
    counts["hits"] = _remove_hits(context, due, is_dry=is_dry)
    for delivery_id in due:
        counts.update(purging.of_delivery(delivery_id))
    return counts


def _begun(context: Context) -> Sequence[DeliveryId]:
    """Mark what is due as being removed: from then on nobody restores it."""
    before, now = context.limit(context.settings.deleted_deliveries_days), context.clock.now()
    if before is None:
        return ()
    with context.database.write() as connection:
        return [
            delivery_id
            for delivery_id in purge.deleted_before(connection, before)
            if purge.begin_removal(connection, delivery_id, before=before, now=now)
        ]


def _remove_hits(context: Context, due: Sequence[DeliveryId], *, is_dry: bool) -> int:
    for _attempt in range(COMMIT_TRIES_MAX):
        found = HitsOf.find(context.lake, due)
        count = found.count()
        if is_dry or not count:
            return count
        if found.remove():
            context.passing("deleted:hits")
            return count
    raise _crossed()


def _rejects(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Remove lines that could not be loaded."""
    before = context.limit(context.settings.rejects_days)
    if before is None:
        return {}
    for _attempt in range(COMMIT_TRIES_MAX):
        found = OldLines.find(context.lake, before)
        counts = {"rejected lines": found.count()}
        if is_dry or found.remove():
            context.passing("rejects:removed")
            return counts
    raise _crossed()


def _analyses(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove what analyses have found."""
    before = context.limit(context.settings.job_logs_days)
    if before is None:
        return {}
    without = _due(context) if is_dry else ()
    purging = context.purging(is_dry=is_dry, total=total)
    return {"analysis messages": purging.checks(before, without=without)}


def _history(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove runs and journals of workflows, each after the time that it keeps them."""
    return context.purging(is_dry=is_dry, total=total).history(context.clock.now())


def _hits(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Remove raw hits, whole days of them; deliveries that have hits there are frozen before."""
    before = context.limit(context.settings.tracking_logs_days)
    if before is None:
        return {}
    due = set(_due(context)) if is_dry else set()
    for _attempt in range(COMMIT_TRIES_MAX):
        old = OldHits.find(context.lake, before.date())
        with context.database.read() as connection:
            open_ones = purge.not_frozen(connection, old.deliveries() - due)
        if is_dry:
            return {"hits": old.count(without=due)}
        _freeze(context, open_ones)
        if old.remove():
            context.passing("hits:removed")
            return {"hits": old.count()}
    raise _crossed()


def _freeze(context: Context, deliveries: Sequence[DeliveryId]) -> None:
    for start in range(0, len(deliveries), _AT_ONCE):
        portion = deliveries[start : start + _AT_ONCE]
        # Hits that waited to be counted are counted now: later there is nothing to count.
        context.recompute(portion)
        context.passing("hits:computed")
        with context.database.write() as connection:
            purge.freeze(connection, portion)
        context.passing("hits:frozen")
        context.telling(start + len(portion), len(deliveries))


def _statistics(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove periods of the statistics over time."""
    before = context.limit(context.settings.consolidated_tracking_days)
    if before is None:
        return {}
    without = _due(context) if is_dry else ()
    purging = context.purging(is_dry=is_dry, total=total)
    return {"periods of statistics": purging.statistics(before, without=without)}


def _messages(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove messages and exclusions of deliveries that are over."""
    before = context.limit(context.settings.delivery_logs_days)
    if before is None:
        return {}
    with context.database.read() as connection:
        over = purge.over_before(connection, before, without=_due(context) if is_dry else ())
        uncounted = sorted(statistics.outdated(connection).intersection(over))
        uncounted = purge.not_frozen(connection, uncounted)
    if not is_dry and uncounted:
        context.recompute(uncounted)
        context.passing("messages:computed")
    purging = context.purging(is_dry=is_dry, total=total)
    return purging.messages(over, now=context.clock.now())


def _audit(context: Context, is_dry: bool, total: int) -> Mapping[str, int]:
    """Remove entries of the audit trail."""
    before = context.limit(context.settings.audit_days)
    if before is None:
        return {}
    return {"audit entries": context.purging(is_dry=is_dry, total=total).audit(before)}


def _sessions(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Remove sessions of pages that have ended, and ledgers of deliveries that have."""
    sessions, ledgers = _ended_sessions(context), _left_ledgers(context)
    if not is_dry:
        for path in (*sessions, *ledgers):
            path.unlink(missing_ok=True)
    return {"sessions": len(sessions), "files of sends": len(ledgers)}


def _ended_sessions(context: Context) -> Sequence[Path]:
    """List the files of sessions that are over, or that nobody can read."""
    ended, now = [], context.clock.now()
    for path in sorted(context.sessions.glob("*.json")):
        try:
            is_over = datetime.fromisoformat(json.loads(path.read_bytes())["ends_at"]) <= now
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            is_over = True
        if is_over:
            ended.append(path)
    return ended


def _left_ledgers(context: Context) -> Sequence[Path]:
    """List the files of sends whose delivery has ended or is gone; a send in time removes them."""
    left = []
    for path in sorted(context.sending.glob("*.*")):
        number = path.name.partition(".")[0]
        if not number.isdecimal():
            continue
        with context.database.read() as connection:
            try:
                is_over = (
                    delivery_rows.get(connection, DeliveryId(int(number))).ended_at is not None
                )
            except NotFound:
                is_over = True
        if is_over:
            left.append(path)
    return left


def _due(context: Context) -> Sequence[DeliveryId]:
    before = context.limit(context.settings.deleted_deliveries_days)
    if before is None:
        return ()
    with context.database.read() as connection:
        return purge.deleted_before(connection, before)


def _crossed() -> Transient:
    return Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")


TASKS: Final[tuple[Task, ...]] = (
    Task("deletedDeliveries", "Remove deleted deliveries", _deleted),
    Task("rejects", "Remove rejected lines", _rejects),
    Task("jobLogs", "Remove messages of analyses", _analyses),
    Task("history", "Remove histories of workflows", _history),
    Task("trackingLogs", "Remove raw hits", _hits),
    Task("trackingStats", "Remove statistics over time", _statistics),
    Task("deliveryLogs", "Remove messages and exclusions", _messages),
    Task("audit", "Remove entries of the audit trail", _audit),
    Task("sessions", "Remove sessions", _sessions),
)
"""The tasks in their order."""
