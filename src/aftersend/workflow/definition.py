"""What a technical workflow is, and how the control plane learns of it.

Source: spec §5.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import JournalLine, Workflow
from aftersend.model.enumeration import Severity
from aftersend.model.run import StepReport
from aftersend.platform.clock import Clock
from aftersend.workflow import schedule
from aftersend.workflow.schedule import Schedule

__all__ = ["SCHEDULER", "Declaration", "Definition", "Occasion", "Step", "register"]

SCHEDULER: Final = "scheduler"
"""The activity that journal lines about the schedule belong to."""

StepT = TypeVar("StepT", contravariant=True)
ContextT = TypeVar("ContextT")


class Step(Protocol[StepT]):
    """One activity of a workflow."""

    @property
    def name(self) -> str:
        """Name it, e.g. ``download``."""
        ...

    @property
    def label(self) -> str:
        """Name it for people."""
        ...

    @property
    def do(self) -> Callable[[StepT], StepReport]:
        """Give what does it; doing it again does no harm."""
        ...

    @property
    def simulate(self) -> Callable[[StepT], StepReport] | None:
        """Give what tells what it would do and changes nothing; None: nobody can tell."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the control plane knows of a workflow; it costs nothing to make.

    `lease_s`: seconds after which a run whose machine fell silent no longer stops others.
    """

    name: str
    label: str
    schedule: str
    lease_s: float = 300


@dataclass(frozen=True, slots=True)
class Occasion:
    """The run that steps are done in.

    `check` raises when the run has to end: another one has taken over, or somebody asked for it.
    `telling` takes how much is done, and of how much, as often as one likes.
    """

    is_scheduled: bool
    is_simulated: bool
    check: Callable[[], None]
    telling: Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Definition(Generic[ContextT]):
    """A workflow that can be run: its steps are done in order, with a context for each run.

    `guard` gives a context whose steps call `check` of the occasion before each lasting effect.
    Without it, that is looked at between steps only.
    """

    declaration: Declaration
    steps: Sequence[Step[ContextT]]
    context: Callable[[], AbstractContextManager[ContextT]]
    guard: Callable[[ContextT, Occasion], ContextT] | None = None

    @property
    def name(self) -> str:
        """Name the workflow, e.g. ``tracking``."""
        return self.declaration.name


def register(database: Database, declarations: Sequence[Declaration], *, clock: Clock) -> None:
    """Let the control plane know the workflows and their schedules; changes nothing it knows.

    A schedule that an operator has set stays.

    Raises:
        InvalidSettings: the text of a schedule is none.
    """
    schedules = {
        each.name: schedule.parse(each.schedule, setting=f"{each.name}.schedule")
        for each in declarations
    }
    with database.read() as connection:
        known = {row.name: row for row in workflows.every(connection)}
    # Every command comes by here: one that has nothing to change waits for no writer.
    new = [each for each in declarations if not _is_known(each, known.get(each.name))]
    if new:
        with database.write() as connection:
            for declaration in new:
                _register(connection, declaration, schedules[declaration.name], clock)


def _is_known(declaration: Declaration, row: Workflow | None) -> bool:
    if row is None or row.label != declaration.label:
        return False
    return row.is_schedule_own or row.schedule == declaration.schedule


def _register(
    connection: Connection, declaration: Declaration, wanted: Schedule, clock: Clock
) -> None:
    name, label, text = declaration.name, declaration.label, declaration.schedule
    next_at = wanted.next_after(clock.now())
    if workflows.add(connection, name=name, label=label, schedule=text, next_at=next_at):
        line = f'The workflow is registered with the schedule "{text}".'
    else:
        known = workflows.find(connection, name)
        if _is_known(declaration, known):
            return
        workflows.change(connection, name, label=label)
        if known.is_schedule_own or known.schedule == text:
            return
        workflows.change(connection, name, schedule=text, next_at=next_at, scheduled_runs=0)
        line = f'The schedule "{known.schedule}" is now "{text}".'
    _note(connection, name, clock, Severity.INFO, line)
    if wanted.is_hasty:
        minutes = schedule.GAP_MIN.total_seconds() // 60
        line = f'The schedule "{text}" runs more often than every {minutes:.0f} minutes.'
        _note(connection, name, clock, Severity.WARNING, line)


def _note(connection: Connection, name: str, clock: Clock, severity: Severity, text: str) -> None:
    workflows.write_line(
        connection,
        JournalLine(
            workflow=name, at=clock.now(), activity=SCHEDULER, severity=severity, text=text
        ),
    )
