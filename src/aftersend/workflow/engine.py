"""Running a workflow once: take the lease, do the steps, check the equation, write it all down.

How a run ends, and what that does to the workflow:

==================  ============  ==================  ==============================================
the run             its state     the workflow        who has to act
==================  ============  ==================  ==============================================
does all steps      finished      not failed          nobody
`Transient` error   failed        failed, started     nobody: the next run tries again
any other error     failed        failed, **paused**  a person: see the journal, then resume
is killed           failed (*)    as it was           nobody: the next run takes over at once
loses its lease     failed (*)    as it was           nobody: another run goes on
==================  ============  ==================  ==============================================

(*) written by the run that takes over. A world that is wrong for now mends itself, so pausing for
it would only delay data; everything else would fail again the same way, or do harm.

Missed hours are made up for once: a run moves the next time to the first one after its own
beginning. A run that was killed is tried again as soon as the scheduler looks; if that is killed
too, the schedule decides.

Source: spec §5 (Errors, Journal), §9.1; architecture, "Every run ends in an equation".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import FAILED, FINISHED, JournalLine, LeaseRequest, Run
from aftersend.errors import AftersendError, Corruption, Transient
from aftersend.model.enumeration import Severity
from aftersend.model.run import Counts, StepReport
from aftersend.platform.clock import Clock
from aftersend.platform.release import build
from aftersend.workflow import schedule
from aftersend.workflow.definition import Definition, Occasion, Step
from aftersend.workflow.lease import Lease, holder, take
from aftersend.workflow.owner import Owner

__all__ = ["RUN", "RunResult", "run"]

RUN: Final = "run"
"""The activity that journal lines about the whole run belong to."""

ContextT = TypeVar("ContextT")


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run: `state` is ``finished``, or ``failed`` because of `failure`."""

    workflow: str
    run_id: int
    state: str
    counts: Counts
    seconds: float
    failure: AftersendError | None = None

    def check(self) -> None:
        """Do nothing for a run that finished.

        Raises:
            AftersendError: why the run failed.
        """
        if self.failure is not None:
            raise self.failure


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run that has its lease and its row."""

    definition: Definition[Any]
    lease: Lease
    run_id: int
    at: datetime
    monotonic: float
    is_scheduled: bool

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def clock(self) -> Clock:
        return self.lease.clock

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
    definition: Definition[ContextT],
    *,
    clock: Clock,
    owner: Owner,
    is_forced: bool = False,
    operator: str = "",
) -> RunResult:
    """Run a registered workflow once; `is_forced` runs it though it is paused or not due.

    `operator` is who asked for it.

    Raises:
        Busy: it is being run, or not due; nothing was done.
        InvalidInput: it is paused and the run is not forced; nothing was done.
        NotFound: it is not registered; nothing was done.
        Exception: a fault of ours; the run is closed as failed and the workflow paused first.
    """
    begun = _begin(
        database, definition, clock=clock, owner=owner, is_forced=is_forced, operator=operator
    )
    counts, activity = Counts(), RUN
    try:
        with begun.lease.kept(), definition.context() as given:
            guard = definition.guard
            context = given if guard is None else guard(given, _occasion(begun))
            for step in definition.steps:
                activity = step.name
                report = _do(begun, step, context)
                counts += report.counts
                report.check()
        activity = RUN
        _check(begun, counts)
    except AftersendError as error:
        return _end(begun, counts, activity=activity, failure=error)
    except (OperationalError, InterfaceError) as error:
        away = Transient(f"The database does not answer: {error.orig}.")
        return _end(begun, counts, activity=activity, failure=away)
    except Exception as error:
        fault = AftersendError(f"A fault in Aftersend: {type(error).__name__}: {error}")
        _end(begun, counts, activity=activity, failure=fault)
        raise
    except BaseException:
        stopped = Transient("The run was stopped from outside.")
        _end(begun, counts, activity=activity, failure=stopped)
        raise
    return _end(begun, counts, activity=RUN, failure=None)


def _occasion(begun: _Begun) -> Occasion:
    return Occasion(
        is_scheduled=begun.is_scheduled,
        is_simulated=False,
        check=begun.lease.renew,
        telling=lambda _done, _total: None,
    )


def _begin(
    database: Database,
    definition: Definition[Any],
    *,
    clock: Clock,
    owner: Owner,
    is_forced: bool,
    operator: str,
) -> _Begun:
    now = clock.now()
    with database.write() as connection:
        row = workflows.find(connection, definition.name)
        run_id = workflows.open_run(connection, definition.name, now, started_by=operator)
        before = holder(row)
        is_gone = before is not None and owner.knows_dead(before)
        request = LeaseRequest(
            name=definition.name,
            owner=f"{owner}/{run_id}",
            now=now,
            until=now + timedelta(seconds=definition.declaration.lease_s),
            gone=row.lease_owner if is_gone else "",
            is_scheduled=not is_forced,
        )
        take(connection, request)
        lease_s = definition.declaration.lease_s
        lease = Lease(database, definition.name, request.owner, lease_s, clock)
        begun = _Begun(definition, lease, run_id, now, clock.monotonic(), not is_forced)
        _take_over(connection, begun)
        release = build()
        text = f"The workflow is being run, by version {release}."
        details = {"version": release, "owner": str(owner), "is_forced": is_forced}
        workflows.write_line(connection, begun.line(RUN, Severity.INFO, text, **details))
    return begun


def _take_over(connection: Connection, begun: _Begun) -> None:
    error = "The run broke off: its process ended or fell silent."
    left = workflows.interrupt_runs(
        connection, begun.name, at=begun.at, but=begun.run_id, error=error
    )
    for run_id in left:
        text = f"Run {run_id} broke off; this run does what it left undone."
        workflows.write_line(connection, begun.line(RUN, Severity.WARNING, text))
    if left:
        row = workflows.find(connection, begun.name)
        next_at = _next_at(begun, row.next_at)
        workflows.reschedule(
            connection, name=row.name, label=row.label, schedule=row.schedule, next_at=next_at
        )


def _do(begun: _Begun, step: Step[ContextT], context: ContextT) -> StepReport:
    begun.lease.renew()
    started = begun.clock.monotonic()
    report = step.do(context)
    seconds = round(begun.clock.monotonic() - started, 3)
    severity = Severity.WARNING if report.is_warning else Severity.INFO
    if report.failure is not None:
        severity = Severity.ERROR
    details = {**report.details, **_figures(report.counts), "seconds": seconds}
    line = begun.line(step.name, severity, report.text, **details)
    with begun.lease.database.write() as connection:
        workflows.write_line(connection, line)
    return report


def _check(begun: _Begun, counts: Counts) -> None:
    if counts.is_balanced:
        return
    rejected = sum(counts.rejected.values())
    raise Corruption(
        f"run {begun.run_id} of the workflow {begun.name}",
        f"{counts.read} lines were read, but {counts.loaded} loaded, {counts.already} loaded"
        f" before and {rejected} rejected make {counts.loaded + counts.already + rejected}",
    )


def _end(
    begun: _Begun, counts: Counts, *, activity: str, failure: AftersendError | None
) -> RunResult:
    now = begun.clock.now()
    seconds = begun.clock.monotonic() - begun.monotonic
    is_paused = failure is not None and not isinstance(failure, Transient)
    with begun.lease.database.write() as connection:
        row = workflows.find(connection, begun.name)
        is_ours = workflows.settle(
            connection,
            begun.name,
            begun.lease.text,
            is_failed=failure is not None,
            is_paused=is_paused,
            next_at=_next_at(begun, row.next_at),
        )
        if not is_ours and failure is None:
            failure = begun.lease.loss()
        ended = Run(
            id=begun.run_id,
            workflow=begun.name,
            started_at=begun.at,
            ended_at=now,
            state=FINISHED if failure is None else FAILED,
            counts=counts,
            seconds=seconds,
            error="" if failure is None else str(failure),
        )
        workflows.close_run(connection, ended)
        for line in _last_lines(begun, ended, activity, is_paused=is_paused and is_ours):
            workflows.write_line(connection, line)
    return RunResult(begun.name, begun.run_id, ended.state, counts, seconds, failure)


def _last_lines(
    begun: _Begun, ended: Run, activity: str, *, is_paused: bool
) -> Iterator[JournalLine]:
    details = {**_figures(ended.counts), "seconds": round(ended.seconds, 3)}
    if not ended.error:
        counts = ended.counts
        text = (
            f"The workflow is finished: {counts.read} lines read, {counts.loaded} loaded,"
            f" {counts.already} loaded before, {sum(counts.rejected.values())} rejected."
        )
        yield begun.line(RUN, Severity.INFO, text, **details)
        return
    yield begun.line(activity, Severity.ERROR, ended.error, **details)
    if is_paused:
        text = "The workflow is paused: put right what the error names, then resume it."
        yield begun.line(RUN, Severity.WARNING, text)


def _next_at(begun: _Begun, known: datetime | None) -> datetime:
    if known is not None and known > begun.clock.now():
        return known
    return schedule.next_after(begun.definition.declaration.schedule, begun.at)


def _figures(counts: Counts) -> dict[str, object]:
    return {
        "read": counts.read,
        "loaded": counts.loaded,
        "already": counts.already,
        "rejected": dict(counts.rejected),
        "deliveries": counts.deliveries,
    }
