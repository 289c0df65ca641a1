"""What a run of a workflow did, in numbers that must add up.

Invariant: ``read = loaded + already + Σ rejected``. Every run checks it, keeps it and shows it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from aftersend.errors import AftersendError

__all__ = ["Counts", "StepReport"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines that a run dealt with, each in exactly one place; `rejected` is by reason."""

    read: int = 0
    loaded: int = 0
    already: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    deliveries: int = 0

    def __add__(self, other: Self) -> "Counts":
        return Counts(
            read=self.read + other.read,
            loaded=self.loaded + other.loaded,
            already=self.already + other.already,
            rejected=dict(Counter(self.rejected) + Counter(other.rejected)),
            deliveries=self.deliveries + other.deliveries,
        )

    @property
    def is_balanced(self) -> bool:
        """Tell whether every line read is accounted for."""
        return self.read == self.loaded + self.already + sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step of a run did: a sentence for the journal and what it adds to the counts.

    `details` are figures beside the counts. With a `failure` the step has kept all that it tells
    of, and the run ends here.
    """

    text: str
    counts: Counts = field(default_factory=Counts)
    is_warning: bool = False
    failure: AftersendError | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    def check(self) -> None:
        """Do nothing for a step that may be followed by others.

        Raises:
            AftersendError: why it may not.
        """
        if self.failure is not None:
            raise self.failure
