"""Randomness as an argument."""

import os
import random
import uuid
from typing import Protocol

__all__ = ["Entropy", "SeededEntropy", "SystemEntropy"]


class Entropy(Protocol):
    """Gives random bytes and UUIDs."""

    def bytes(self, count: int) -> bytes:
        """Give `count` random bytes."""
        ...

    def uuid(self) -> str:
        """Give a random UUID, version 4, in its usual text."""
        ...


class SystemEntropy:
    """The kernel's randomness."""

    def bytes(self, count: int) -> bytes:
        """Give `count` random bytes."""
        return os.urandom(count)  # noqa: TID251 - the one place

    def uuid(self) -> str:
        """Give a random UUID, version 4, in its usual text."""
        return str(uuid.uuid4())  # noqa: TID251 - the one place


class SeededEntropy:
    """The same "random" values for the same seed: for tests and simulations, never for secrets."""

    def __init__(self, seed: int) -> None:
        """Start from `seed`."""
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    def bytes(self, count: int) -> bytes:
        """Give `count` bytes of the sequence."""
        return self._random.randbytes(count)

    def uuid(self) -> str:
        """Give a UUID of the sequence."""
        return str(uuid.UUID(bytes=self.bytes(16), version=4))
