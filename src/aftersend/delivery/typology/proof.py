"""What may be wrong with a proof."""

from collections.abc import Iterator
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery.typology.prepared import Prepared
from aftersend.delivery.typology.rule import finding
from aftersend.model.enumeration import DeliveryKind

__all__ = ["CHECKS", "too_many"]


def too_many(count: int, count_max: int) -> str:
    """Say that a proof has more addresses than it may have."""
    return (
        f"A proof goes to at most {count_max:,} addresses, not to {count:,}: it is for those who"
        " check the message. Name fewer, or set delivery.proof_size_max."
    )


def _size(prepared: Prepared) -> Iterator[Check]:
    is_proof = prepared.delivery.kind is DeliveryKind.PROOF
    if is_proof and prepared.seed_count > prepared.proof_size_max:
        yield finding("proof-size", too_many(prepared.seed_count, prepared.proof_size_max))


CHECKS: Final = (_size,)
