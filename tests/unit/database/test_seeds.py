"""Seed addresses."""

from aftersend.database import seeds
from aftersend.database.engine import Database
from aftersend.database.seeds import Seed
from aftersend.model.ids import DeliveryId

FIRST = DeliveryId(1)


def test_seeds_are_kept_in_order(lamps: Database) -> None:
    """Seed addresses are read back as they were added."""
    members = [Seed("b@x.example", "Bea"), Seed("a@x.example")]
    with lamps.write() as connection:
        seeds.add(connection, FIRST, members)
        seeds.add(connection, FIRST, [])
        assert members == seeds.of_delivery(connection, FIRST)
