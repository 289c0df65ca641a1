"""The rows behind a figure: the list is as long as the figure says, or adds up to it.

Source: architecture D9.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

import ibis

from aftersend.database import enumerations, figures
from aftersend.database.engine import Database
from aftersend.database.figures import SUCCESS, MessageRow
from aftersend.errors import InvalidInput
from aftersend.lake import duckdb, measure
from aftersend.lake.measure import MEASURES, Measure
from aftersend.lake.table import Lake
from aftersend.model.domain import OTHERS, Domains
from aftersend.model.enumeration import MessageStatus
from aftersend.model.ids import DeliveryId, MessageId, RecipientId
from aftersend.reports.counted import counted_hits
from aftersend.reports.log_query import LIMIT, LogRow
from aftersend.reports.logs import hit_columns, log_rows
from aftersend.reports.scope import Scope, chosen

__all__ = ["COUNTED", "Behind", "Page", "Reaction", "behind"]

_STATUSES: Final[Mapping[str, Collection[MessageStatus] | None]] = {
    "to_deliver": None,
    "success": SUCCESS,
    "error": (MessageStatus.FAILED,),
}

COUNTED: Final = (*_STATUSES, *MEASURES)
"""The figures that are counts of something, so that there is a list behind them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list; `limit` none: all that follows `offset`."""

    limit: int | None = LIMIT
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody who is counted once: a message's reader, or a person told by a cookie.

    `key` tells them apart within the delivery: a message id or a source id. `message_id` and
    `recipient` are those of the first message, where one person reacted to several; `count` is of
    hits.
    """

    delivery_id: DeliveryId
    delivery: str
    key: str
    message_id: MessageId
    recipient_id: RecipientId
    recipient: str
    first_at: datetime
    last_at: datetime
    count: int


Row: TypeAlias = LogRow | Reaction | MessageRow


@dataclass(frozen=True, slots=True)
class Behind:
    """Some rows of the list behind a figure, all of one kind, and how many there are in all.

    `value` is the figure itself: `total`, or what a sum over the rows comes to. `pending` of the
    hits of the deliveries have come since the figure was computed: the list has them already.
    """

    rows: Sequence[Row]
    total: int
    value: float
    pending: int = 0


def behind(
    database: Database,
    lake: Lake,
    figure: str,
    scope: Scope,
    *,
    page: Page = Page(),
    domain: str | None = None,
) -> Behind:
    """List what a figure of the Tracking indicators counts, newest or busiest first.

    `domain` is a name of the domain table, for its figures Opens and Clicks.

    Raises:
        InvalidInput: the figure is computed from others, so there is no list.
        NotFound: a delivery that is named does not exist.
    """
    if figure not in COUNTED:
        raise InvalidInput(
            f"There is no list behind {figure}; there is one behind {', '.join(COUNTED)}."
        )
    with database.read() as connection:
        deliveries = chosen(connection, scope)
        names = enumerations.domains(connection)
        if figure in _STATUSES:
            ids = [one.id for one in deliveries]
            rows = figures.message_rows(
                connection, ids, _STATUSES[figure], limit=page.limit, offset=page.offset
            )
            total = figures.message_count(connection, ids, _STATUSES[figure])
            return Behind(rows, total, total)
    tracked = [one.id for one in deliveries if one.is_tracked]
    if not tracked:
        return Behind((), 0, 0)
    pending = sum(one.pending for one in deliveries) if scope.is_consolidated else 0
    engine = duckdb.connect()
    try:
        hits = counted_hits(engine, lake, scope, tracked)
        if domain is not None:
            hits = _of_domain(hits, domain, names)
        found = _list(database, hits, MEASURES[figure], page)
        return replace(found, pending=pending)
    finally:
        engine.disconnect()


def _of_domain(hits: ibis.Table, name: str, domains: Domains) -> ibis.Table:
    """Keep the hits that the row `name` of the domain table counts."""
    domain = hits.domain.lower()
    if name in domains.names:
        return hits.filter(domain.isin(domains.of(name)))
    if name != OTHERS:
        known = ", ".join((*domains.names, OTHERS))
        raise InvalidInput(f"There is no domain {name}; choose {known}.")
    # Visitors whom nobody knows have no email domain.
    return hits.filter((domain != "") & domain.notin(sorted(domains.aliases)))


def _list(database: Database, hits: ibis.Table, counted: Measure, page: Page) -> Behind:
    rows = measure.rows(hits, counted)
    total = int(rows.count().to_pyarrow().as_py())
    value = total if counted.summed is None else _sum(hits, counted)
    if counted.distinct is None:
        rows = rows.order_by([ibis.desc("at"), ibis.desc("log_id")]).select(*hit_columns())
    else:
        rows = rows.mutate(key=rows.key.cast("string"))
        rows = rows.order_by([ibis.desc("count"), "delivery_id", "message_id", "key"])
    found = rows.limit(page.limit, offset=page.offset).to_pyarrow().to_pylist()
    with database.read() as connection:
        if counted.distinct is None:
            return Behind(log_rows(connection, found), total, value)
        addresses = figures.message_addresses(connection, {row["message_id"] for row in found})
        labels = figures.delivery_labels(connection, {row["delivery_id"] for row in found})
    return Behind([_reaction(row, addresses, labels) for row in found], total, value)


def _sum(hits: ibis.Table, counted: Measure) -> float:
    (row,) = measure.aggregate(hits, by=(), measures=(counted,)).to_pyarrow().to_pylist()
    value: float = row[counted.name]
    return value


def _reaction(
    row: Mapping[str, Any],
    addresses: Mapping[MessageId, str],
    labels: Mapping[DeliveryId, str],
) -> Reaction:
    return Reaction(
        delivery_id=DeliveryId(row["delivery_id"]),
        delivery=labels.get(row["delivery_id"], ""),
        key=row["key"],
        message_id=MessageId(row["message_id"]),
        recipient_id=RecipientId(row["recipient_id"]),
        recipient=addresses.get(row["message_id"], ""),
        first_at=row["first_at"],
        last_at=row["last_at"],
        count=row["count"],
    )
