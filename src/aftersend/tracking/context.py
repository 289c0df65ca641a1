"""What the steps of the Tracking workflow are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from aftersend.database import user_agents
from aftersend.database.engine import Database
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.platform.clock import Clock
from aftersend.settings import MachineSettings, Settings, TrackingSettings, WebTrackingSettings
from aftersend.tracking.source import Source

__all__ = ["POINTS", "Context"]

POINTS: Final = (
    "download:begun",
    "download:kept",
    "load:begun",
    "load:resolved",
    "load:rejected",
    "load:agents",
    "load:appended",
    "load:acknowledged",
    "load:removed",
    "retry:begun",
    "retry:appended",
    "retry:removed",
    "attribute:begun",
    "attribute:written",
    "attribute:committed",
    "consolidate:begun",
    "consolidate:agents",
    "consolidate:days",
    "consolidate:counted",
    "consolidate:replaced",
)
"""The moments between two lasting effects of a run, by name; a run may end at any of them."""


class Ground(Protocol):
    """An instance as far as the steps need it; `var` is the folder of everything that changes."""

    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def var(self) -> Path: ...

    @property
    def lake(self) -> Callable[[], Lake]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a run works with; `inbox` is a folder of its own.

    `passing` is called with each of `POINTS` that a run comes through; what it raises ends the run.
    `telling` takes how much is done, and of how much. `is_scheduled`: nobody asked for this run, so
    figures that hardly change may wait.
    """

    database: Database
    lake: Lake
    sources: Sequence[Source]
    inbox: Path
    clock: Clock
    settings: TrackingSettings
    machines: MachineSettings = field(default_factory=MachineSettings)
    web_tracking: WebTrackingSettings = field(default_factory=WebTrackingSettings)
    passing: Callable[[str], None] = lambda _point: None
    telling: Callable[[int, int], None] = lambda _done, _total: None
    is_scheduled: bool = False

    @classmethod
    def of(cls, ground: Ground, sources: Sequence[Source] = ()) -> Self:
        """Take everything else from an instance; without `sources` nothing is downloaded."""
        settings = ground.settings
        return cls(
            database=ground.database,
            lake=ground.lake(),
            sources=sources,
            inbox=ground.var / "inbox",
            clock=ground.clock,
            settings=settings.tracking,
            machines=settings.machines,
            web_tracking=settings.web_tracking,
        )

    def rules(self) -> Rules:
        """Give the rules about machines, with the user agents that are known by now."""
        with self.database.read() as connection:
            agents = user_agents.by_rule(connection)
        return Rules.of(
            self.machines, open_repeat_s=self.settings.dedup_open_period_s, agents=agents
        )
