"""What the API stands on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from aftersend.database.engine import Database
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId
from aftersend.platform.attempts import Attempts
from aftersend.platform.clock import Clock

__all__ = ["Backing", "Given"]

T = TypeVar("T")

Given: TypeAlias = NamedDependency[SkipValidation[T]]
"""A parameter that `app.build` provides by name, as it is."""


@dataclass(frozen=True, slots=True)
class Backing:
    """Everything that the API reads, and what it starts.

    `start_run` starts a run of a workflow by name for an operator and returns at once; `recompute`
    computes the figures of deliveries anew for an operator, and tells of how many.
    """

    database: Database
    lake: Lake
    clock: Clock
    attempts: Attempts
    rules: Callable[[], Rules]
    start_run: Callable[[str, str], None]
    recompute: Callable[[Sequence[DeliveryId], str], int]
