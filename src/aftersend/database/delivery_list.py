"""The list of deliveries: searched, filtered, sorted, with the figures that it shows.

Figures are those that consolidation wrote down, the same that every report of a delivery gives.
Source: spec §6.3, §6.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from aftersend.database.schema import delivery, delivery_indicator
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["SORTS", "Query", "Row", "count", "page"]

_opens = func.coalesce(delivery_indicator.c.recipient_open, 0)
_clicks = func.coalesce(delivery_indicator.c.recipient_click, 0)

SORTS: Final[Mapping[str, ColumnElement[Any]]] = {
    "label": func.lower(delivery.c.label),
    "contact": delivery.c.contact_at,
    "to_deliver": delivery.c.to_deliver,
    "opens": _opens,
    "clicks": _clicks,
}
"""What the list can be sorted by; with a minus before the name, downwards."""


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery; `opens` and `clicks` are 0 until something is collected."""

    id: DeliveryId
    internal_name: str
    label: str
    state: DeliveryState
    is_tracked: bool
    contact_at: datetime | None
    to_deliver: int
    success: int
    error: int
    opens: int
    clicks: int

    @property
    def processed(self) -> float | None:
        """Give the share of messages that were sent or failed; none before there are any."""
        return (self.success + self.error) / self.to_deliver if self.to_deliver else None

    @property
    def success_rate(self) -> float | None:
        """Give the share of messages that were sent; none before there are any."""
        return self.success / self.to_deliver if self.to_deliver else None


@dataclass(frozen=True, slots=True)
class Query:
    """Which deliveries; `search` is a part of a label or internal name, `sort` one of `SORTS`.

    Without a sort the newest come first.
    """

    search: str = ""
    state: DeliveryState | None = None
    sort: str = ""
    offset: int = 0
    limit: int = 200


def page(connection: Connection, query: Query) -> list[Row]:
    """List deliveries; those that sort alike stand by id: pages neither overlap nor skip."""
    columns = (
        delivery.c.id,
        delivery.c.internal_name,
        delivery.c.label,
        delivery.c.state,
        delivery.c.is_tracked,
        delivery.c.contact_at,
        delivery.c.to_deliver,
        delivery.c.success,
        delivery.c.error,
        _opens.label("opens"),
        _clicks.label("clicks"),
    )
    rows = connection.execute(
        _filtered(select(*columns), query)
        .outerjoin(delivery_indicator, delivery_indicator.c.delivery_id == delivery.c.id)
        .order_by(*_order(query.sort))
        .offset(query.offset)
        .limit(query.limit)
    )
    return [
        Row(DeliveryId(row.id), row.internal_name, row.label, DeliveryState(row.state), *row[4:])
        for row in rows
    ]


def count(connection: Connection, query: Query) -> int:
    """Count the deliveries that `page` lists page by page."""
    rows = _filtered(select(func.count()), query)
    number: int = connection.execute(rows).scalar_one()
    return number


def _order(sort: str) -> tuple[ColumnElement[Any], ...]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        return (delivery.c.id.desc(),)
    if sort.startswith("-"):
        return (column.desc().nulls_last(), delivery.c.id.desc())
    return (column.asc().nulls_last(), delivery.c.id.asc())


def _filtered(rows: Select[Any], query: Query) -> Select[Any]:
    # Nobody made the delivery of web visits: it shows when there is something in it.
    has_visits = select(delivery_indicator.c.delivery_id).where(
        delivery_indicator.c.total_web_page > 0
    )
    is_shown = or_(delivery.c.kind != DeliveryKind.WEB_VISITS, delivery.c.id.in_(has_visits))
    rows = rows.select_from(delivery).where(is_shown, delivery.c.deleted_at.is_(None))
    if query.search:
        columns = (delivery.c.label, delivery.c.internal_name)
        rows = rows.where(or_(*(each.icontains(query.search, autoescape=True) for each in columns)))
    if query.state is not None:
        rows = rows.where(delivery.c.state == query.state)
    return rows
