"""A workflow made of functions, to be run, stopped and watched."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from aftersend.database.engine import Database
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow import engine
from aftersend.workflow.definition import Declaration, Definition, Occasion, register
from aftersend.workflow.engine import Alarm, RunResult
from aftersend.workflow.owner import Owner
from aftersend.workflow.scheduler import Scheduler
from aftersend.workflow.supervision import Overview, overview

__all__ = ["NAME", "SmallStep", "SmallWorkflow"]

NAME = "tracking"

Do = Callable[[Occasion], StepReport]


@dataclass(frozen=True)
class SmallStep:
    """An activity; its context is the occasion of the run."""

    name: str
    do: Do
    simulate: Do | None = None
    label: str = "Step"


@dataclass
class SmallWorkflow:
    """Steps `first`, `second`, `third`, which note that they were done, unless told otherwise."""

    database: Database
    clock: ManualClock
    schedule: str = "0 * * * *"
    done: list[str] = field(default_factory=list)
    instead: dict[str, Do] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    occasions: list[Occasion] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let the control plane know it."""
        register(self.database, [self.declaration], clock=self.clock)

    @property
    def declaration(self) -> Declaration:
        """Give what the control plane knows."""
        return Declaration(NAME, "Tracking", self.schedule)

    @property
    def definition(self) -> Definition[Occasion | None]:
        """Give what can be run."""
        steps = [SmallStep(name, self._do(name)) for name in ("first", "second", "third")]
        return Definition(self.declaration, steps, nullcontext, self._guard)  # type: ignore[arg-type]

    @property
    def seen(self) -> Overview:
        """Give how it stands."""
        return overview(self.database, NAME)

    @property
    def scheduler(self) -> Scheduler:
        """Give a scheduler that has looked for nothing yet."""
        return Scheduler(
            self.database, [self.definition], self.clock, Owner.current(), self.alarms.append
        )

    def run(self, *, is_forced: bool = True, operator: str = "") -> RunResult:
        """Run it once."""
        return engine.run(
            self.database,
            self.definition,
            clock=self.clock,
            owner=Owner.current(),
            is_forced=is_forced,
            operator=operator,
            alarm=self.alarms.append,
        )

    def look(self) -> list[str]:
        """Let a scheduler look once; give what was done."""
        before = len(self.done)
        self.scheduler.run_pending()
        return self.done[before:]

    def _guard(self, _given: Occasion | None, occasion: Occasion) -> Occasion:
        self.occasions.append(occasion)
        return occasion

    def _do(self, name: str) -> Do:
        def do(occasion: Occasion) -> StepReport:
            report = self.instead[name](occasion) if name in self.instead else StepReport("Done.")
            self.done.append(name)
            return report

        return do
