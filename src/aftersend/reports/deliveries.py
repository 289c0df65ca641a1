"""Deliveries with their indicators: the same figures as in every report of them.

Source: spec §6.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aftersend.database import figures as database_figures
from aftersend.database.engine import Database
from aftersend.database.figures import DeliveryFigures
from aftersend.lake.measure import MEASURES
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from aftersend.reports.facts import facts
from aftersend.reports.indicator import Figure, figures
from aftersend.reports.scope import Scope, as_of, chosen

__all__ = ["Summary", "summaries", "summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """One delivery; `indicators` by name, `as_of` as reports tell it."""

    id: DeliveryId
    internal_name: str
    label: str
    state: DeliveryState
    is_tracked: bool
    contact_at: datetime | None
    to_deliver: int
    success: int
    error: int
    indicators: Mapping[str, Figure]
    as_of: datetime | None

    @property
    def processed(self) -> int:
        """Count the messages that were sent or failed."""
        return self.success + self.error


def summary(database: Database, delivery_id: DeliveryId) -> Summary:
    """Give one delivery.

    Raises:
        NotFound: there is none with this id.
    """
    with database.read() as connection:
        (one,) = chosen(connection, Scope([delivery_id]))
        return _summary(one, as_of(connection, [one]))


def summaries(database: Database, *, limit: int | None = None, offset: int = 0) -> list[Summary]:
    """List deliveries, the newest first, whether they were sent or not."""
    with database.read() as connection:
        rows = database_figures.newest(
            connection, limit=limit, offset=offset, reactions=tuple(MEASURES)
        )
        at = as_of(connection, ())
        return [_summary(one, at or one.computed_at) for one in rows]


def _summary(one: DeliveryFigures, at: datetime | None) -> Summary:
    return Summary(
        id=one.id,
        internal_name=one.internal_name,
        label=one.label,
        state=one.state,
        is_tracked=one.is_tracked,
        contact_at=one.contact_at,
        to_deliver=one.to_deliver,
        success=one.success,
        error=one.error,
        indicators=figures(facts([one])),
        as_of=at,
    )
