"""The rule about the size of a proof."""

import pytest

from aftersend.model.enumeration import DeliveryKind
from tests.support.typology import prepared, told


@pytest.mark.parametrize(
    ("kind", "count", "is_told"),
    [
        (DeliveryKind.PROOF, 100, False),
        (DeliveryKind.PROOF, 101, True),
        (DeliveryKind.MAIN, 101, False),
    ],
)
def test_a_proof_is_small(kind: DeliveryKind, count: int, is_told: bool) -> None:
    """More addresses than allowed are told of; a delivery may have as many seeds as it likes."""
    found = told(prepared(kind=kind, seed_count=count), "proof-size")

    assert is_told == bool(found)
    assert all("at most 100 addresses, not to 101" in text for text in found)
