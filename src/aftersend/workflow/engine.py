"""Running a workflow once: take the lease, do the steps, check the equation, write it all down.

How a run ends, and what that does to the workflow:

======================  ============  ========================  ====================================
the run                 its state     the workflow              who has to act
======================  ============  ========================  ====================================
does all steps          finished      not failed                nobody
`Transient` error       failed        failed, started           nobody: the next run tries again
any other error         failed        failed, **paused** (1)    a person: see the journal, resume
is asked to pause       stopped       paused (2)                a person: resume
is asked to stop        stopped       finished                  a person: start
is asked to restart     stopped       started, due at once      nobody
is stopped without      stopped (3)   finished                  a person: start
asking
is killed               failed (4)    due at once (5)           nobody
loses its lease         failed (4)    as it was                 nobody: another run goes on
is simulated            any of these  as it was                 nobody
======================  ============  ========================  ====================================

(1) With the error policy *ignore* it stays started, until `errors_max` runs in a row failed so.
(2) It ends before its next activity; asked to stop or restart, between two lasting effects.
(3) Written by who stops it. (4) Written by the watchdog, or the run that takes over. (5) Once: if
the run before broke off, too, the schedule decides. A world that is wrong for now mends itself, so
pausing for it would only delay data; everything else would fail again the same way, or do harm.

Resumed or started, a workflow that failed or was paused begins with the activity where it was left;
what the schedule wants runs behind that, from the first. In every other case a run begins with the
first activity: doing a step again does no harm.

Missed hours are made up for once: a run moves the next time to the first one after its own
beginning.

Source: spec §5 (Errors, Journal, Actions), §9.1; architecture, "Every run ends in an equation".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from aftersend.database import audit, workflows
from aftersend.database.audit import AuditEntry
from aftersend.database.engine import Database
from aftersend.database.workflows import (
    PAUSE,
    RESTART,
    STOP,
    STOPPED,
    WAKE,
    JournalLine,
    LeaseRequest,
    Run,
    Workflow,
)
from aftersend.errors import AftersendError, Corruption, Transient
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import Counts, StepReport
from aftersend.platform.clock import Clock
from aftersend.platform.release import build
from aftersend.workflow import schedule
from aftersend.workflow.definition import Definition, Occasion, Step
from aftersend.workflow.lease import Lease, Stopped, holder, take
from aftersend.workflow.outcome import RUN, Work, after
from aftersend.workflow.owner import Owner
from aftersend.workflow.progress import Progress

__all__ = ["BROKEN_OFF", "RUN", "Alarm", "RunResult", "run"]

BROKEN_OFF: Final = "The run broke off: its process ended or fell silent."
"""The error of runs that nobody was left to close."""

_WAYS: Final = {
    PAUSE: "as somebody asked, before its next activity",
    STOP: "as somebody asked",
    RESTART: "as somebody asked, to begin again",
}

ContextT = TypeVar("ContextT")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A workflow that has become failed: its run failed in `activity` because of `error`."""

    workflow: str
    label: str
    activity: str
    error: str
    run_id: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run: `state` is finished, stopped, or failed because of `failure`."""

    workflow: str
    run_id: int
    state: str
    counts: Counts
    seconds: float
    failure: AftersendError | None = None

    def check(self) -> None:
        """Do nothing for a run that finished or was stopped.

        Raises:
            AftersendError: why the run failed.
        """
        if self.failure is not None:
            raise self.failure


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who wants a run, and how."""

    owner: Owner
    is_forced: bool
    is_simulated: bool
    operator: str


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run that has its lease and its row."""

    definition: Definition[Any]
    lease: Lease
    run_id: int
    at: datetime
    monotonic: float
    is_scheduled: bool
    is_simulated: bool
    begun_with: str
    progress: Progress

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def clock(self) -> Clock:
        return self.lease.clock

    def steps(self) -> Sequence[Step[Any]]:
        names = [step.name for step in self.definition.steps]
        return self.definition.steps[names.index(self.begun_with) if self.begun_with else 0 :]

    def line(self, activity: str, severity: Severity, text: str, **details: object) -> JournalLine:
        return JournalLine(
            workflow=self.name,
            at=self.clock.now(),
            activity=activity,
            severity=severity,
            text=text,
            run_id=self.run_id,
            details=details,
        )


def run(
    database: Database,
    definition: Definition[Any],
    *,
    clock: Clock,
    owner: Owner,
    is_forced: bool = False,
    is_simulated: bool = False,
    operator: str = "",
    alarm: Callable[[Alarm], None] | None = None,
) -> RunResult:
    """Run a registered workflow once; `is_forced` runs it though it is paused or not due.

    `operator` is who asked for it. A simulated run tells what it would do, and changes nothing.
    `alarm` is called when the workflow becomes failed, after all is written down.

    Raises:
        Busy: it is being run, or not due; nothing was done.
        InvalidInput: it is paused and the run is not forced; nothing was done.
        NotFound: it is not registered; nothing was done.
        Exception: a fault of ours; the run is closed as failed and the workflow paused first.
    """
    wish = _Wish(owner, is_forced or is_simulated, is_simulated, operator)
    begun = _begin(database, definition, clock, wish)
    work = Work()
    try:
        _do_all(begun, work)
    except Stopped as stopped:
        work.stopped = stopped
    except AftersendError as error:
        work.failure = error
    except (OperationalError, InterfaceError) as error:
        work.failure = Transient(f"The database does not answer: {error.orig}.")
    except Exception as error:
        work.failure = AftersendError(f"A fault in Aftersend: {type(error).__name__}: {error}")
        _close(begun, work, alarm)
        raise
    except BaseException:
        work.failure = Transient("The run was stopped from outside.")
        _close(begun, work, alarm)
        raise
    return _close(begun, work, alarm)


def _begin(database: Database, definition: Definition[Any], clock: Clock, wish: _Wish) -> _Begun:
    now = clock.now()
    name, lease_s = definition.name, definition.declaration.lease_s
    with database.write() as connection:
        row = workflows.find(connection, name)
        names = [step.name for step in definition.steps]
        # To begin with the first activity is no rest of a run; nor with one that an update removed.
        is_rest = not wish.is_forced and row.resume_at in names[1:]
        begun_with = row.resume_at if is_rest else ""
        is_scheduled = not (wish.is_forced or row.resume_at or row.request)
        by = wish.operator or (_asked_by(connection, name) if row.request == WAKE else "")
        run_id = workflows.open_run(
            connection,
            name,
            now,
            started_by=by[: audit.OPERATOR_LENGTH_MAX],
            is_simulated=wish.is_simulated,
            begun_with=begun_with,
        )
        before = holder(row)
        is_gone = before is not None and wish.owner.knows_dead(before)
        request = LeaseRequest(
            name=name,
            owner=f"{wish.owner}/{run_id}",
            now=now,
            until=now + timedelta(seconds=lease_s),
            gone=row.lease_owner if is_gone else "",
            is_scheduled=not wish.is_forced,
        )
        take(connection, request)
        begun = _Begun(
            definition=definition,
            lease=Lease(database, name, request.owner, lease_s, clock),
            run_id=run_id,
            at=now,
            monotonic=clock.monotonic(),
            is_scheduled=is_scheduled,
            is_simulated=wish.is_simulated,
            begun_with=begun_with,
            progress=Progress(database, clock, run_id),
        )
        _note_beginning(connection, begun, row, wish)
    return begun


def _note_beginning(connection: Connection, begun: _Begun, row: Workflow, wish: _Wish) -> None:
    for left in workflows.interrupt_runs(
        connection, begun.name, at=begun.at, but=begun.run_id, error=BROKEN_OFF
    ):
        text = f"Run {left} broke off; this run does what it left undone."
        workflows.write_line(connection, begun.line(RUN, Severity.WARNING, text))
    if not begun.is_simulated:
        workflows.change(connection, begun.name, **_moved_on(begun, row, wish))
    if wish.operator:
        action = "simulate" if wish.is_simulated else "run"
        entry = AuditEntry(
            begun.at, "workflow", begun.name, action, wish.operator, {"run": begun.run_id}
        )
        audit.write(connection, entry)
    release = build()
    way = "simulated" if begun.is_simulated else "being run"
    first = f", from the activity {begun.begun_with} on" if begun.begun_with else ""
    by = f" for {wish.operator}" if wish.operator else ""
    text = f"The workflow is {way}{by}{first}, by version {release}."
    details = {"version": release, "owner": str(wish.owner), "is_forced": wish.is_forced}
    workflows.write_line(connection, begun.line(RUN, Severity.INFO, text, **details))


def _moved_on(begun: _Begun, row: Workflow, wish: _Wish) -> dict[str, object]:
    """Say what is different once a run has begun; only those of all steps are what was due."""
    runs = row.scheduled_runs + begun.is_scheduled
    columns: dict[str, object] = {"request": "", "scheduled_runs": runs}
    if not wish.is_forced:
        columns["resume_at"] = ""
    is_due = row.next_at is not None and row.next_at <= begun.at
    if is_due and not begun.begun_with:
        plan = schedule.parse(row.schedule, setting=begun.name)
        columns["next_at"] = plan.next_after(begun.at, runs=runs)
    return columns


def _asked_by(connection: Connection, name: str) -> str:
    found = audit.entries(connection, entity="workflow", name=name, action="wakeup", limit=1)
    return found[0].operator if found else ""


def _do_all(begun: _Begun, work: Work) -> None:
    definition = begun.definition
    with begun.lease.kept(), definition.context() as given:
        occasion = Occasion(
            is_scheduled=begun.is_scheduled,
            is_simulated=begun.is_simulated,
            check=begun.lease.check,
            telling=begun.progress.tell,
        )
        context = given if definition.guard is None else definition.guard(given, occasion)
        for step in begun.steps():
            work.activity = step.name
            report = _do(begun, step, context)
            work.counts += report.counts
            report.check()
    work.activity = RUN
    _check(begun, work.counts)


def _do(begun: _Begun, step: Step[ContextT], context: ContextT) -> StepReport:
    request = begun.lease.renew()
    if request:
        # A pause waits for the end of an activity, so that the next run has a place to begin.
        raise Stopped(request)
    begun.progress.enter(step.name)
    started = begun.clock.monotonic()
    report = _simulated(step, context) if begun.is_simulated else step.do(context)
    seconds = round(begun.clock.monotonic() - started, 3)
    severity = Severity.WARNING if report.is_warning else Severity.INFO
    if report.failure is not None:
        severity = Severity.ERROR
    details = {**report.details, **_figures(report.counts), "seconds": seconds}
    line = begun.line(step.name, severity, report.text, **details)
    with begun.lease.database.write() as connection:
        workflows.write_line(connection, line)
    return report


def _simulated(step: Step[ContextT], context: ContextT) -> StepReport:
    if step.simulate is None:
        return StepReport("Left out: this activity cannot be simulated.")
    return step.simulate(context)


def _check(begun: _Begun, counts: Counts) -> None:
    if counts.is_balanced:
        return
    rejected = sum(counts.rejected.values())
    raise Corruption(
        f"run {begun.run_id} of the workflow {begun.name}",
        f"{counts.read} lines were read, but {counts.loaded} loaded, {counts.already} loaded"
        f" before and {rejected} rejected make {counts.loaded + counts.already + rejected}",
    )


def _close(begun: _Begun, work: Work, alarm: Callable[[Alarm], None] | None) -> RunResult:
    now = begun.clock.now()
    seconds = begun.clock.monotonic() - begun.monotonic
    with begun.lease.database.write() as connection:
        row = workflows.find(connection, begun.name)
        columns = {} if begun.is_simulated else after(row, work, now)
        is_ours = workflows.settle(connection, begun.name, begun.lease.text, **columns)
        if not is_ours and workflows.run_state(connection, begun.run_id) == STOPPED:
            work.stopped = work.stopped or Stopped("")
        elif not is_ours and work.failure is None:
            work.failure = begun.lease.loss()
        is_paused = is_ours and columns.get("state") == WorkflowState.PAUSED.value
        ended = Run(
            id=begun.run_id,
            workflow=begun.name,
            started_at=begun.at,
            ended_at=now,
            state=work.state,
            counts=work.counts,
            seconds=seconds,
            error="" if work.failure is None else str(work.failure),
        )
        workflows.close_run(connection, ended)
        for line in _last_lines(begun, work, ended, is_paused=is_paused):
            workflows.write_line(connection, line)
    is_new = is_ours and not row.is_failed and bool(columns.get("is_failed"))
    if alarm is not None and is_new:
        label = begun.definition.declaration.label
        alarm(Alarm(begun.name, label, work.activity, ended.error, begun.run_id, is_paused))
    return RunResult(begun.name, begun.run_id, ended.state, work.counts, seconds, work.failure)


def _last_lines(begun: _Begun, work: Work, ended: Run, *, is_paused: bool) -> Iterator[JournalLine]:
    details = {**_figures(ended.counts), "seconds": round(ended.seconds, 3)}
    if work.stopped is not None:
        how = _WAYS.get(work.stopped.request, "without asking it")
        yield begun.line(RUN, Severity.WARNING, f"The run was ended {how}.", **details)
    elif not ended.error:
        counts = ended.counts
        what = "simulation" if begun.is_simulated else "workflow"
        text = (
            f"The {what} is finished: {counts.read:,} lines read, {counts.loaded:,} loaded,"
            f" {counts.already:,} loaded before, {sum(counts.rejected.values()):,} rejected."
        )
        yield begun.line(RUN, Severity.INFO, text, **details)
    else:
        yield begun.line(work.activity, Severity.ERROR, ended.error, **details)
    if is_paused:
        text = "The workflow is paused: put right what the error names, then resume it."
        yield begun.line(RUN, Severity.WARNING, text)


def _figures(counts: Counts) -> dict[str, object]:
    return {
        "read": counts.read,
        "loaded": counts.loaded,
        "already": counts.already,
        "rejected": dict(counts.rejected),
        "deliveries": counts.deliveries,
    }
