"""Randomness as an argument."""

import uuid

from aftersend.platform.entropy import SeededEntropy, SystemEntropy


def test_a_seed_gives_the_same_values_again() -> None:
    """A simulation can be repeated; another seed gives another one."""
    first, again, other = SeededEntropy(1), SeededEntropy(1), SeededEntropy(2)
    drawn = first.bytes(8), first.uuid()

    assert drawn == (again.bytes(8), again.uuid())
    assert drawn != (other.bytes(8), other.uuid())


def test_the_kernel_gives_what_was_asked_for() -> None:
    """Bytes have the asked length, UUIDs are of version 4 and never the same."""
    entropy = SystemEntropy()
    first, second = entropy.uuid(), entropy.uuid()

    assert len(entropy.bytes(7)) == 7
    assert uuid.UUID(first).version == uuid.UUID(SeededEntropy(1).uuid()).version == 4
    assert first != second
