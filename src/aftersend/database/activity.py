"""Opens and clicks of a delivery over time and by link, as consolidation wrote them down.

Source: spec §1.10 (trackingStats), §7.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from aftersend.database.schema import tracked_url, tracking_stats
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, UrlId

__all__ = ["Period", "by_period", "by_url"]


@dataclass(frozen=True, slots=True)
class Period:
    """Hits of one type that count, from `start` on."""

    start: datetime
    type: UrlType
    count: int


def by_period(connection: Connection, delivery_id: DeliveryId) -> list[Period]:
    """Give the opens and the clicks of a delivery by period of consolidation, in order of time."""
    stats = tracking_stats.c
    rows = connection.execute(
        select(stats.start, tracked_url.c.type, func.sum(stats.total_clicks))
        .join(tracked_url, tracked_url.c.id == stats.url_id)
        .where(
            stats.delivery_id == delivery_id,
            or_(stats.url_id == OPEN_URL_ID, tracked_url.c.type == UrlType.EMAIL_CLICK),
        )
        .group_by(stats.start, tracked_url.c.type)
        .order_by(stats.start)
    )
    return [Period(start, UrlType(kind), int(count)) for start, kind, count in rows]


def by_url(connection: Connection, delivery_id: DeliveryId) -> Mapping[UrlId, int]:
    """Count the hits that count by tracked URL; those never hit are left out."""
    stats = tracking_stats.c
    rows = connection.execute(
        select(stats.url_id, func.sum(stats.total_clicks))
        .where(stats.delivery_id == delivery_id)
        .group_by(stats.url_id)
    )
    return {UrlId(number): int(count) for number, count in rows}
