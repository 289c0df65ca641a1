"""What a report says when raw hits behind its figures were removed.

Source: spec §10.1; architecture D8.
"""

from collections.abc import Collection

from sqlalchemy import Connection

from aftersend.database import statistics
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId

__all__ = ["purged_notes"]


def purged_notes(
    connection: Connection, lake: Lake, deliveries: Collection[DeliveryId]
) -> tuple[str, ...]:
    """Say that figures are whole while hits behind them are gone; nothing where all are there."""
    frozen = statistics.frozen(connection, deliveries) if deliveries else ()
    first = lake.first_day if frozen else None
    if first is None:
        return ()
    whose = "1 delivery has" if len(frozen) == 1 else f"{len(frozen):,} deliveries have"
    return (
        f"Hits before {first} were removed after their time: {whose} the figures kept from then."
        " Lists behind figures, periods and all hits show only what is left.",
    )
