"""Proofs: copies of a delivery, numbered in the order they are made."""

from typing import Final

from sqlalchemy import Connection, delete, func, select

from aftersend.database.schema import (
    analysis_check,
    content,
    delivery,
    delivery_target,
    exclusion,
    message,
    seed,
    tracked_url,
)
from aftersend.model.ids import DeliveryId

__all__ = ["discard", "last_number"]

_OWNED: Final = (message, exclusion, analysis_check, tracked_url, seed, content, delivery_target)


def last_number(connection: Connection, origin_id: DeliveryId) -> int:
    """Give the number of the last proof of a delivery, 0 before the first."""
    query = select(func.max(delivery.c.proof_number)).where(delivery.c.origin_id == origin_id)
    return connection.execute(query).scalar_one() or 0


def discard(connection: Connection, delivery_id: DeliveryId) -> None:
    """Take out a delivery that was never sent; its id and those of its messages stay used."""
    for table in _OWNED:
        connection.execute(delete(table).where(table.c.delivery_id == delivery_id))
    connection.execute(delete(delivery).where(delivery.c.id == delivery_id))
