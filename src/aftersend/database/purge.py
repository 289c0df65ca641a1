"""Deleting rows that are kept no longer, in batches, so that others go on writing.

`Purging` either deletes or only counts: both ask for the same rows, so a dry run tells exactly what
a real one does. Each batch is a transaction of its own; to end in the middle does no harm, the next
run deletes the rest.

Source: spec §10.1, §10.2.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from aftersend.database.engine import Database
from aftersend.database.lookup import deliveries_by_id
from aftersend.database.schema import (
    analysis_check,
    audit_entry,
    content,
    delivery,
    delivery_indicator,
    delivery_log_stats,
    delivery_rule_stats,
    delivery_target,
    exclusion,
    journal_line,
    message,
    seed,
    tracked_url,
    tracking_stats,
    workflow,
    workflow_run,
)
from aftersend.database.workflows import FINISHED, RUNNING
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["Purging", "begin_removal", "deleted_before", "freeze", "not_frozen", "over_before"]

_IDS_MAX: Final = 1_000

_OF_DELIVERY: Final = (
    ("analysis messages", analysis_check),
    ("targets", delivery_target),
    ("seed addresses", seed),
    ("periods of statistics", tracking_stats),
    ("domains of statistics", delivery_log_stats),
    ("rules of statistics", delivery_rule_stats),
    ("indicators", delivery_indicator),
    ("tracked URLs", tracked_url),
    ("contents", content),
)
"""What belongs to a delivery beside messages and exclusions, in the order in which it goes."""


@dataclass(frozen=True, slots=True)
class Purging:
    """How rows go: `rows_max` in one transaction; with `is_dry` they are counted and stay.

    `between` is called after each transaction with the number of rows that it deleted.
    """

    database: Database
    rows_max: int
    is_dry: bool = False
    between: Callable[[int], None] = lambda _rows: None

    def checks(self, before: datetime, *, without: Collection[DeliveryId] = ()) -> int:
        """Delete what analyses before a moment found; tell how many rows."""
        analysed = select(delivery.c.id).where(delivery.c.analysed_at < before)
        return self._gone(
            analysis_check,
            analysis_check.c.delivery_id.in_(analysed),
            analysis_check.c.delivery_id.not_in(without),
        )

    def history(self, now: datetime) -> Mapping[str, int]:
        """Delete runs and journal lines of each workflow that are older than it keeps them.

        A run that goes on stays, and so does the last that finished: it tells how fresh data is.
        """
        with self.database.read() as connection:
            kept = connection.execute(select(workflow.c.name, workflow.c.history_days)).all()
        runs = lines = 0
        for name, days in kept:
            if not days:
                continue
            before = now - timedelta(days=days)
            lines += self._gone(
                journal_line, journal_line.c.workflow == name, journal_line.c.at < before
            )
            finished = select(func.max(workflow_run.c.id)).where(
                workflow_run.c.workflow == name,
                workflow_run.c.state == FINISHED,
                workflow_run.c.is_simulated.is_(False),
            )
            runs += self._gone(
                workflow_run,
                workflow_run.c.workflow == name,
                workflow_run.c.started_at < before,
                workflow_run.c.state != RUNNING,
                workflow_run.c.id != func.coalesce(finished.scalar_subquery(), 0),
            )
        return {"runs": runs, "journal lines": lines}

    def statistics(self, before: datetime, *, without: Collection[DeliveryId] = ()) -> int:
        """Delete periods of the statistics over time that began before a moment."""
        table = tracking_stats.c
        return self._gone(tracking_stats, table.start < before, table.delivery_id.not_in(without))

    def audit(self, before: datetime) -> int:
        """Delete entries of the audit trail from before a moment."""
        return self._gone(audit_entry, audit_entry.c.at < before)

    def messages(self, deliveries: Sequence[DeliveryId], *, now: datetime) -> Mapping[str, int]:
        """Delete messages and exclusions of some deliveries.

        Each is marked first, so that its messages are never counted again.
        """
        counts = {"messages": 0, "exclusions": 0}
        for delivery_id in deliveries:
            self._mark(delivery_id, now)
            counts["exclusions"] += self._gone(exclusion, exclusion.c.delivery_id == delivery_id)
            counts["messages"] += self._gone(message, message.c.delivery_id == delivery_id)
        return counts

    def of_delivery(self, delivery_id: DeliveryId) -> Mapping[str, int]:
        """Delete what is left of a delivery after `messages`, and the delivery itself last."""
        counts = {
            name: self._gone(table, table.c.delivery_id == delivery_id)
            for name, table in _OF_DELIVERY
        }
        return {**counts, "deliveries": self._gone(delivery, delivery.c.id == delivery_id)}

    def _mark(self, delivery_id: DeliveryId, now: datetime) -> None:
        if self.is_dry:
            return
        with self.database.write() as connection:
            connection.execute(
                update(delivery)
                .where(delivery.c.id == delivery_id, delivery.c.messages_purged_at.is_(None))
                .values(messages_purged_at=now)
            )
        self.between(0)

    def _gone(self, table: Table, *where: ColumnElement[bool]) -> int:
        """Delete or count the rows that fit, along the primary key."""
        if self.is_dry:
            with self.database.read() as connection:
                query = select(func.count()).select_from(table).where(*where)
                return int(connection.execute(query).scalar_one())
        count, last = 0, None
        while True:
            rows, last = self._delete_next(table, where, last)
            count += rows
            self.between(rows)
            if last is None:
                return count

    def _delete_next(
        self, table: Table, where: Sequence[ColumnElement[bool]], last: Sequence[Any] | None
    ) -> tuple[int, Sequence[Any] | None]:
        """Delete the next rows after the key `last`; tell how many, and the last key if full."""
        key = list(table.primary_key.columns)
        conditions = list(where)
        if last is not None:
            values = [literal(value, column.type) for value, column in zip(last, key, strict=True)]
            conditions.append(tuple_(*key) > tuple_(*values))
        query = select(*key).where(*conditions).order_by(*key)
        with self.database.write() as connection:
            keys = connection.execute(query.limit(self.rows_max)).all()
            if not keys:
                return 0, None
            first, end = (
                tuple_(
                    *(literal(value, column.type) for value, column in zip(row, key, strict=True))
                )
                for row in (keys[0], keys[-1])
            )
            is_between = and_(tuple_(*key) >= first, tuple_(*key) <= end)
            deleted = connection.execute(delete(table).where(*conditions, is_between)).rowcount
        return deleted, keys[-1] if len(keys) == self.rows_max else None


def deleted_before(connection: Connection, before: datetime) -> list[DeliveryId]:
    """List the deliveries that somebody deleted before a moment."""
    query = select(delivery.c.id).where(delivery.c.deleted_at < before).order_by(delivery.c.id)
    return [DeliveryId(number) for number in connection.execute(query).scalars()]


def begin_removal(
    connection: Connection, delivery_id: DeliveryId, *, before: datetime, now: datetime
) -> bool:
    """Mark a delivery as one that is being removed; false: somebody has restored it."""
    marked = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.deleted_at < before)
        .values(messages_purged_at=now)
    )
    return marked.rowcount == 1


def over_before(
    connection: Connection, before: datetime, *, without: Collection[DeliveryId] = ()
) -> list[DeliveryId]:
    """List the deliveries that were over before a moment and have messages or exclusions left."""
    is_given_up = and_(
        delivery.c.state.in_((DeliveryState.STOPPED, DeliveryState.FAILED)),
        delivery.c.ended_at.is_(None),
        delivery.c.modified_at < before,
    )
    has_rows = [
        select(table.c.id).where(table.c.delivery_id == delivery.c.id).exists()
        for table in (message, exclusion)
    ]
    query = select(delivery.c.id).where(
        or_(delivery.c.ended_at < before, is_given_up),
        or_(*has_rows),
        delivery.c.id.not_in(without),
    )
    return [DeliveryId(number) for number in connection.execute(query.order_by("id")).scalars()]


def not_frozen(connection: Connection, deliveries: Collection[DeliveryId]) -> list[DeliveryId]:
    """Tell which of some deliveries there are whose figures are still computed."""
    frozen = select(delivery_indicator.c.delivery_id).where(delivery_indicator.c.is_frozen)
    known = deliveries_by_id(connection, deliveries)
    return sorted(map(DeliveryId, known - set(connection.execute(frozen).scalars())))


def freeze(connection: Connection, deliveries: Sequence[DeliveryId]) -> None:
    """Let the figures of some deliveries stay for ever; they must have been computed.

    The delivery of web visits gets another name, so that visits to come have a new one.
    """
    indicators, visits = delivery_indicator.c, delivery.c
    for start in range(0, len(deliveries), _IDS_MAX):
        ids = deliveries[start : start + _IDS_MAX]
        connection.execute(
            update(delivery_indicator)
            .where(indicators.delivery_id.in_(ids))
            .values(is_frozen=True, pending=0, pending_since=None, pending_from=None)
        )
        named = select(visits.id, visits.internal_name).where(
            visits.id.in_(ids), visits.kind == DeliveryKind.WEB_VISITS
        )
        for number, name in connection.execute(named).all():
            other = f"{name}-{number}"[-100:]
            connection.execute(
                update(delivery).where(visits.id == number).values(internal_name=other)
            )
