"""A tracking server that is known and not registered: nothing is read of it, and that is told."""

from collections.abc import Iterator
from dataclasses import dataclass

from aftersend.errors import Transient
from aftersend.model.ids import ServerId
from aftersend.tracking.source import Chunk

__all__ = ["Unregistered"]


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Its lines may be another application's, or another server's of the same id."""

    server: ServerId
    problem: str

    def chunks(self, after: int) -> Iterator[Chunk]:
        """Give nothing.

        Raises:
            Transient: always, with what is wrong.
        """
        del after  # nothing stands behind any place
        raise Transient(f"Tracking server {self.server} is not registered: {self.problem}")

    def acknowledge(self, number: int) -> None:
        """Acknowledge lines that were read when it was registered, another time."""
