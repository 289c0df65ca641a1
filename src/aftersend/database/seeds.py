"""Seed addresses: outside the target, told apart in every figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from aftersend.database.schema import seed
from aftersend.model.ids import DeliveryId

__all__ = ["Seed", "add", "of_delivery"]


@dataclass(frozen=True, slots=True)
class Seed:
    """An address that gets the message too, but is no recipient."""

    email: str
    first_name: str = ""
    last_name: str = ""


def add(connection: Connection, delivery_id: DeliveryId, seeds: Sequence[Seed]) -> None:
    """Add seed addresses to a delivery."""
    rows = [
        {
            "delivery_id": delivery_id,
            "email": each.email,
            "first_name": each.first_name,
            "last_name": each.last_name,
        }
        for each in seeds
    ]
    if rows:
        connection.execute(insert(seed), rows)


def of_delivery(connection: Connection, delivery_id: DeliveryId) -> list[Seed]:
    """List the seed addresses of a delivery."""
    query = select(seed).where(seed.c.delivery_id == delivery_id).order_by(seed.c.id)
    return [Seed(row.email, row.first_name, row.last_name) for row in connection.execute(query)]
