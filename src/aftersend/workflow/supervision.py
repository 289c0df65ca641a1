"""Watching workflows, and what people do with them.

What somebody does is done in one transaction with its line in the journal and its entry in the
audit trail. A run that goes on is asked, and ends as `engine` says.

Source: spec §5 (Actions), §9.1, §9.4.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from aftersend.database import audit, workflows
from aftersend.database.audit import AuditEntry
from aftersend.database.engine import Database
from aftersend.database.workflows import (
    AGAIN,
    PAUSE,
    RESTART,
    RUNNING,
    STOP,
    STOPPED,
    WAKE,
    JournalLine,
    Run,
    Workflow,
)
from aftersend.errors import Busy, InvalidInput
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.platform.clock import Clock
from aftersend.workflow import schedule as schedules
from aftersend.workflow.outcome import POLICIES

__all__ = ["OPERATOR", "Overview", "journal", "overview", "overviews", "runs"]
__all__ += ["pause", "purge_history", "restart", "resume", "set_error_policy", "set_history_days"]
__all__ += ["set_schedule", "start", "stop", "wake"]

OPERATOR: Final = "operator"
"""The activity that journal lines about what people did belong to."""

_HISTORY_DAYS_MAX: Final = 36_500
_ERRORS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Overview:
    """A workflow and its last run; `is_running` while somebody runs it.

    `row` is all that the control plane knows of it.
    """

    row: Workflow
    last: Run | None

    @property
    def name(self) -> str:
        """Name it, e.g. ``tracking``."""
        return self.row.name

    @property
    def label(self) -> str:
        """Name it for people."""
        return self.row.label

    @property
    def schedule(self) -> str:
        """Give the text of its schedule."""
        return self.row.schedule

    @property
    def schedule_words(self) -> str:
        """Say in words when it runs."""
        return schedules.parse(self.schedule).describe()

    @property
    def state(self) -> WorkflowState:
        """Tell where it stands."""
        return self.row.state

    @property
    def is_failed(self) -> bool:
        """Tell whether its last run failed, and nobody has resumed it since."""
        return self.row.is_failed

    @property
    def next_at(self) -> datetime | None:
        """Tell when the schedule runs it next; a stopped workflow is run by none."""
        return None if self.state is WorkflowState.FINISHED else self.row.next_at

    @property
    def is_running(self) -> bool:
        """Tell whether a run goes on."""
        return self.last is not None and self.last.state == RUNNING

    @property
    def last_at(self) -> datetime | None:
        """Tell when it was last executed: when its last run began."""
        return self.last.started_at if self.last else None

    @property
    def status(self) -> str:
        """Say in one or two words how it stands, as people see it."""
        if self.is_running:
            return _ASKED.get(self.row.request, "Running")
        if self.row.request in (WAKE, AGAIN):
            return WorkflowState.START_AS_SOON_AS_POSSIBLE.label
        return self.state.label


_ASKED: Final = {
    PAUSE: WorkflowState.PAUSE_REQUESTED.label,
    STOP: "Stop requested",
    RESTART: "Restart requested",
}


def overview(database: Database, name: str) -> Overview:
    """Tell how a workflow stands.

    Raises:
        NotFound: there is none of this name.
    """
    with database.read() as connection:
        return _overview(connection, workflows.find(connection, name))


def overviews(database: Database) -> list[Overview]:
    """Tell how all workflows stand, by name."""
    with database.read() as connection:
        return [_overview(connection, row) for row in workflows.every(connection)]


def journal(
    database: Database,
    name: str,
    *,
    severity: Severity | None = None,
    run: int | None = None,
    limit: int = 200,
) -> list[JournalLine]:
    """Give the latest lines of a workflow's journal, newest first.

    Without `severity` all are shown, else those at least as bad; `run` is the id of one run.

    Raises:
        NotFound: there is no such workflow.
    """
    with database.read() as connection:
        workflows.find(connection, name)
        return workflows.journal(connection, name, severity=severity, run_id=run, limit=limit)


def runs(database: Database, name: str, *, limit: int = 200) -> list[Run]:
    """Give the latest runs of a workflow, newest first.

    Raises:
        NotFound: there is no such workflow.
    """
    with database.read() as connection:
        workflows.find(connection, name)
        return workflows.runs(connection, name, limit=limit)


def start(database: Database, name: str, *, operator: str, clock: Clock) -> None:
    """Let a workflow that is stopped or paused start by itself again; forget that it failed.

    If it was paused in the middle, it goes on there, at once. If its time has passed, the scheduler
    runs it at once, and once.

    Raises:
        NotFound: there is no such workflow.
    """
    with _deed(database, name, clock, operator) as deed:
        if deed.row.state is not WorkflowState.STARTED or deed.row.is_failed:
            deed.let_start()
            deed.note("start", "started")


def resume(database: Database, name: str, *, operator: str, clock: Clock) -> None:
    """Let a paused workflow go on; see `start`.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: it is stopped.
    """
    with _deed(database, name, clock, operator) as deed:
        if deed.row.state is WorkflowState.FINISHED:
            raise InvalidInput(f"The workflow {name} is stopped, not paused: start it.")
        if deed.row.state is not WorkflowState.STARTED or deed.row.is_failed:
            deed.let_start()
            deed.note("resume", "resumed")


def pause(database: Database, name: str, *, operator: str, clock: Clock) -> None:
    """Let a workflow start no more by itself; a run that has begun ends before its next activity.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: it is stopped.
    """
    with _deed(database, name, clock, operator) as deed:
        if deed.row.state is WorkflowState.FINISHED:
            raise InvalidInput(f"The workflow {name} is stopped: there is nothing to pause.")
        if deed.row.state is WorkflowState.PAUSED:
            return
        deed.change(state=WorkflowState.PAUSED.value, paused_at=clock.now(), notices=0)
        deed.ask(PAUSE)
        deed.note("pause", "paused")


def stop(
    database: Database, name: str, *, operator: str, clock: Clock, is_unconditional: bool = False
) -> None:
    """Stop a workflow until somebody starts it; a run that has begun ends as soon as it can.

    `is_unconditional` does not wait for that: the run counts as ended, and finds it out itself
    before its next lasting effect. Nothing is lost: what it had not done, the next run does.

    Raises:
        NotFound: there is no such workflow.
    """
    with _deed(database, name, clock, operator) as deed:
        if deed.row.state is WorkflowState.FINISHED and not deed.is_running:
            return
        deed.change(
            state=WorkflowState.FINISHED.value,
            resume_at="",
            is_failed=False,
            errors=0,
            paused_at=None,
            notices=0,
        )
        deed.ask(STOP)
        if not is_unconditional:
            deed.note("stop", "stopped")
            return
        deed.change(request="", lease_owner="", lease_until=None)
        error = f"The run was stopped unconditionally by {operator}."
        workflows.interrupt_runs(deed.connection, name, at=clock.now(), error=error, state=STOPPED)
        deed.note("stop-unconditionally", "stopped unconditionally")


def restart(database: Database, name: str, *, operator: str, clock: Clock) -> None:
    """Run a workflow anew from its first activity, at once; a run that has begun ends before.

    Raises:
        NotFound: there is no such workflow.
    """
    with _deed(database, name, clock, operator) as deed:
        deed.let_start()
        deed.change(resume_at="", request=RESTART if deed.is_running else AGAIN)
        deed.note("restart", "restarted")


def wake(database: Database, name: str, *, operator: str, clock: Clock) -> None:
    """Let the scheduler execute what is pending now: once, though the workflow is paused.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: it is stopped.
        Busy: it is being run.
    """
    with _deed(database, name, clock, operator) as deed:
        if deed.row.state is WorkflowState.FINISHED:
            raise InvalidInput(f"The workflow {name} is stopped: start it.")
        if deed.is_running:
            raise Busy(f"The workflow {name} is being run; nothing else is pending.")
        deed.change(request=WAKE)
        deed.note("wakeup", "asked to execute what is pending")


def purge_history(database: Database, name: str, *, operator: str, clock: Clock) -> int:
    """Delete the runs and the journal of a workflow; tell how many rows.

    Raises:
        NotFound: there is no such workflow.
    """
    with _deed(database, name, clock, operator) as deed:
        count = workflows.purge_history(deed.connection, name, clock.now())
        deed.note("purge-history", "freed of its history", rows=count)
        return count


def set_error_policy(
    database: Database,
    name: str,
    policy: str,
    *,
    errors_max: int | None = None,
    operator: str,
    clock: Clock,
) -> None:
    """Say what a lasting error does: ``stop`` pauses the workflow, ``ignore`` lets it go on.

    `errors_max` so many in a row pause one that ignores errors; 0: none does.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: there is no such policy, or the number is out of range.
    """
    if policy not in POLICIES:
        raise InvalidInput(f"There is no error policy {policy}: take {' or '.join(POLICIES)}.")
    if errors_max is not None and not 0 <= errors_max <= _ERRORS_MAX:
        raise InvalidInput(f"The number of errors lies between 0 and {_ERRORS_MAX:,}.")
    with _deed(database, name, clock, operator) as deed:
        count = deed.row.errors_max if errors_max is None else errors_max
        before = {"policy": deed.row.error_policy, "errors_max": deed.row.errors_max}
        deed.change(error_policy=policy, errors_max=count)
        after = {"policy": policy, "errors_max": count}
        deed.note("policy", f'given the error policy "{policy}"', before=before, after=after)


def set_history_days(
    database: Database, name: str, days: int, *, operator: str, clock: Clock
) -> None:
    """Say how many days runs and journal are kept; 0 is for ever.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: the number is out of range.
    """
    if not 0 <= days <= _HISTORY_DAYS_MAX:
        raise InvalidInput(f"History is kept 0 to {_HISTORY_DAYS_MAX:,} days; 0 is for ever.")
    with _deed(database, name, clock, operator) as deed:
        deed.change(history_days=days)
        kept = f"set to keep its history {f'{days} days' if days else 'for ever'}"
        deed.note("history", kept, before=deed.row.history_days, after=days)


def set_schedule(
    database: Database,
    name: str,
    text: str,
    *,
    operator: str,
    clock: Clock,
    is_own: bool = True,
) -> None:
    """Set when a workflow runs; with `is_own` the settings do not change it any more.

    Raises:
        NotFound: there is no such workflow.
        InvalidSettings: the text is no schedule.
        InvalidInput: its time is over.
    """
    wanted = schedules.parse(text)
    next_at = wanted.next_after(clock.now())
    if next_at is None:
        raise InvalidInput(f'The schedule "{text}" is over: it names no moment to come.')
    with _deed(database, name, clock, operator) as deed:
        deed.change(schedule=wanted.text, is_schedule_own=is_own, next_at=next_at, scheduled_runs=0)
        what = f'given the schedule "{wanted.text}" ({wanted.describe()})'
        deed.note("schedule", what, before=deed.row.schedule, after=wanted.text)


@dataclass(frozen=True, slots=True)
class _Deed:
    """What somebody does to a workflow, in one transaction; `row` is how it stood before."""

    connection: Connection
    row: Workflow
    clock: Clock
    operator: str
    is_running: bool

    def change(self, **columns: object) -> None:
        workflows.change(self.connection, self.row.name, **columns)

    def ask(self, request: str) -> None:
        """Ask the run that goes on, if any; what the scheduler was asked is asked no more."""
        self.change(request=request if self.is_running else "")

    def let_start(self) -> None:
        self.change(
            state=WorkflowState.STARTED.value,
            is_failed=False,
            errors=0,
            paused_at=None,
            notices=0,
        )
        # A pause or stop that its run has not obeyed yet is taken back.
        if self.row.request in (PAUSE, STOP):
            self.change(request="")

    def note(self, action: str, what: str, **details: object) -> None:
        at = self.clock.now()
        told = f"The workflow was {what} by {self.operator}."
        line = JournalLine(
            workflow=self.row.name,
            at=at,
            activity=OPERATOR,
            severity=Severity.INFO,
            text=told,
            details=details,
        )
        workflows.write_line(self.connection, line)
        told_of = details or {"state": self.row.state.slug, "is_failed": self.row.is_failed}
        entry = AuditEntry(at, "workflow", self.row.name, action, self.operator, told_of)
        audit.write(self.connection, entry)


@contextmanager
def _deed(database: Database, name: str, clock: Clock, operator: str) -> Iterator[_Deed]:
    with database.write() as connection:
        row = workflows.find(connection, name)
        is_running = bool(workflows.running(connection, name))
        yield _Deed(connection, row, clock, operator, is_running)


def _overview(connection: Connection, row: Workflow) -> Overview:
    latest: Sequence[Run] = workflows.runs(connection, row.name, limit=1)
    return Overview(row, latest[0] if latest else None)
