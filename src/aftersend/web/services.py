"""What the pages stand on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from aftersend.content import Addresses
from aftersend.database.engine import Database
from aftersend.delivery.office import PostOffice
from aftersend.delivery.registration import Registry
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy
from aftersend.reports.scope import rules_of
from aftersend.settings import Settings
from aftersend.tracking.rejected import Retried
from aftersend.workflow.engine import RunResult

__all__ = ["Given", "Services"]

T = TypeVar("T")

Given: TypeAlias = NamedDependency[SkipValidation[T]]
"""A parameter of a page that `app.build` provides by name, as it is."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that pages read, and the one thing that they start.

    `sessions` is the folder of log-in sessions. What is started takes the operator's name last,
    and comes back when it has ended; pages call it in a thread of their own. `run_workflow` runs a
    workflow by name though it is paused or not due, `simulate_workflow` tells what that would do.
    `retry_rejected` tries the rejected lines of a reason again (empty: all), `recompute` computes
    the figures of deliveries anew, and tells of how many.
    `local_url` is where the tracking server of this machine listens.
    """

    office: PostOffice
    lake: Lake
    settings: Settings
    entropy: Entropy
    sessions: Path
    run_workflow: Callable[[str, str], RunResult]
    simulate_workflow: Callable[[str, str], RunResult]
    recompute: Callable[[Sequence[DeliveryId], str], int]
    retry_rejected: Callable[[str, str], Retried]
    local_url: str = ""

    @property
    def database(self) -> Database:
        """Give the control plane."""
        return self.office.database

    @property
    def clock(self) -> Clock:
        """Give the clock."""
        return self.office.clock

    @property
    def keys(self) -> KeyRing:
        """Give the keys of tokens."""
        return self.office.keys

    @property
    def inbox(self) -> Path:
        """Give the folder of lines that were fetched and are not loaded yet."""
        return self.office.catalogue.parent / "inbox"

    @property
    def rules(self) -> Rules:
        """Give the rules about machines as they are now."""
        return rules_of(self.database, self.settings)

    @property
    def registry(self) -> Registry:
        """Give what registering tracking servers stands on."""
        return Registry(
            office=self.office,
            entropy=self.entropy,
            instance=self.settings.collector.instance,
            var=self.office.catalogue.parent,
            local_url=self.local_url,
        )

    @property
    def addresses(self) -> Addresses:
        """Give the public addresses."""
        return self.office.addresses
