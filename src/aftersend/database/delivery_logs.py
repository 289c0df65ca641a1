"""Delivery logs as lists: the messages of one delivery, or of one recipient in all deliveries.

Source: spec §6.3, §6.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from aftersend.database.schema import delivery, message
from aftersend.model.enumeration import FailureReason, FailureType, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId, RecipientId

__all__ = ["SORTS", "Entry", "Query", "count", "page"]

SORTS: Final[Mapping[str, ColumnElement[Any]]] = {
    "date": message.c.event_at,
    "status": message.c.status,
    "address": message.c.address,
    "delivery": delivery.c.label,
}
"""What a list can be sorted by; with a minus before the name, downwards."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message and what became of it; `recipient_id` 0 for a seed address."""

    id: MessageId
    delivery_id: DeliveryId
    delivery_label: str
    recipient_id: RecipientId
    address: str
    is_seed: bool
    status: MessageStatus
    failure_type: FailureType
    failure_reason: FailureReason
    failure_text: str
    event_at: datetime


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages; `search` is a part of an address, `sort` one of `SORTS`, maybe with minus.

    `has_seeds` false leaves out seed addresses, as the figures of a delivery do.
    """

    delivery_id: DeliveryId | None = None
    recipient_id: RecipientId | None = None
    statuses: tuple[MessageStatus, ...] = ()
    search: str = ""
    has_seeds: bool = True
    sort: str = "-date"
    offset: int = 0
    limit: int = 200


def page(connection: Connection, query: Query) -> list[Entry]:
    """List messages; those that sort alike stand by id, so that pages neither overlap nor skip."""
    columns = [column for column in message.c if column.name != "domain"]
    name = query.sort.removeprefix("-")
    is_down = query.sort.startswith("-")
    column = SORTS.get(name, message.c.event_at)
    orders = (column.desc(), message.c.id.desc()) if is_down else (column, message.c.id)
    rows = connection.execute(
        _filtered(select(*columns, delivery.c.label), query)
        .order_by(*orders)
        .offset(query.offset)
        .limit(query.limit)
    )
    return [
        Entry(
            id=MessageId(row.id),
            delivery_id=DeliveryId(row.delivery_id),
            delivery_label=row.label,
            recipient_id=RecipientId(row.recipient_id),
            address=row.address,
            is_seed=row.is_seed,
            status=MessageStatus(row.status),
            failure_type=FailureType(row.failure_type),
            failure_reason=FailureReason(row.failure_reason),
            failure_text=row.failure_text,
            event_at=row.event_at,
        )
        for row in rows
    ]


def count(connection: Connection, query: Query) -> int:
    """Count the messages that `page` lists page by page."""
    number: int = connection.execute(_filtered(select(func.count()), query)).scalar_one()
    return number


def _filtered(rows: Select[Any], query: Query) -> Select[Any]:
    rows = rows.select_from(message).join(delivery, delivery.c.id == message.c.delivery_id)
    if query.delivery_id is not None:
        rows = rows.where(message.c.delivery_id == query.delivery_id)
    if query.recipient_id is not None:
        rows = rows.where(message.c.recipient_id == query.recipient_id)
    if query.statuses:
        rows = rows.where(message.c.status.in_(query.statuses))
    if query.search:
        rows = rows.where(message.c.address.icontains(query.search, autoescape=True))
    if not query.has_seeds:
        rows = rows.where(message.c.is_seed.is_(False))
    return rows
