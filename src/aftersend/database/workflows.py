"""Rows of workflows, their runs and their journal.

Whether somebody may run a workflow is decided by one UPDATE, `take_lease`; what a holder changes
later, it changes only while the lease still bears its text.
Source: spec §5, §9.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from aftersend.database.schema import journal_line, workflow, workflow_run
from aftersend.errors import NotFound
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import Counts

__all__ = ["AGAIN", "FAILED", "FINISHED", "PAUSE", "RESTART", "RUNNING", "STOP", "STOPPED", "WAKE"]
__all__ += ["JournalLine", "LeaseRequest", "Run", "Workflow"]
__all__ += ["add", "change", "close_run", "due", "every", "find", "interrupt_runs", "journal"]
__all__ += ["last_finished", "open_run", "purge_history", "renew_lease", "run_state", "running"]
__all__ += ["runs", "settle", "take_lease", "tell", "write_line"]

RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"
STOPPED: Final = "stopped"

PAUSE: Final = "pause"
STOP: Final = "stop"
RESTART: Final = "restart"
"""What the run that goes on is asked: to end before its next activity; to end as soon as it can;
the same, and the workflow is run once more."""

WAKE: Final = "wake"
AGAIN: Final = "again"
"""What the scheduler is asked: to run it once, whether it is paused or not; as soon as it is
started."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it stands; an empty `lease_owner` means that nobody runs it.

    `request` is one of the five above or empty, `resume_at` the activity that the next run begins
    with. `errors` counts lasting failures in a row, `notices` what the supervisors were told of it
    while it is paused, `scheduled_runs` runs of this schedule.
    """

    name: str
    label: str
    schedule: str
    is_schedule_own: bool
    scheduled_runs: int
    state: WorkflowState
    is_failed: bool
    next_at: datetime | None
    lease_owner: str
    lease_until: datetime | None
    request: str
    resume_at: str
    error_policy: str
    errors: int
    errors_max: int
    history_days: int
    paused_at: datetime | None
    notices: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: `state` is running, finished, failed or stopped; `error` says why it failed.

    It has come to `activity`, where `done` of `total` is done; `begun_with` is the activity that it
    began with, if not the first. `started_by` is empty for the schedule.
    """

    id: int
    workflow: str
    started_at: datetime
    ended_at: datetime | None
    state: str
    counts: Counts
    seconds: float
    error: str
    activity: str = ""
    done: int = 0
    total: int = 0
    is_simulated: bool = False
    started_by: str = ""
    begun_with: str = ""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """What happened, for people; `activity` is the name of a step, `run_id` 0 for no run."""

    workflow: str
    at: datetime
    activity: str
    severity: Severity
    text: str
    run_id: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """Who wants a workflow, from `now` to `until`; `gone` is a holder known to have died.

    With `is_scheduled` the workflow must be due, too.
    """

    name: str
    owner: str
    now: datetime
    until: datetime
    gone: str
    is_scheduled: bool


def find(connection: Connection, name: str) -> Workflow:
    """Give a workflow.

    Raises:
        NotFound: there is none of this name.
    """
    found = connection.execute(select(workflow).where(workflow.c.name == name))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound("workflow", name)
    return _workflow(row)


def every(connection: Connection) -> list[Workflow]:
    """Give all workflows by name."""
    rows = connection.execute(select(workflow).order_by("name")).mappings()
    return [_workflow(row) for row in rows]


def due(connection: Connection, now: datetime) -> list[str]:
    """Name the workflows whose time has come, or that somebody wants to be run."""
    rows = connection.execute(select(workflow.c.name).where(_is_due(now)).order_by(workflow.c.name))
    return list(rows.scalars())


def add(
    connection: Connection, *, name: str, label: str, schedule: str, next_at: datetime | None
) -> bool:
    """Add a started workflow; tell whether it was not there before."""
    row = {
        "name": name,
        "label": label,
        "schedule": schedule,
        "state": WorkflowState.STARTED.value,
        "next_at": next_at,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(workflow).values(row))
    except IntegrityError:
        return False
    return True


def change(connection: Connection, name: str, **columns: Any) -> None:
    """Change some columns of a workflow, whoever runs it."""
    connection.execute(update(workflow).where(workflow.c.name == name).values(columns))


def take_lease(connection: Connection, request: LeaseRequest) -> bool:
    """Take the lease of a workflow if it is free, has run out, or belongs to the dead."""
    is_free = or_(
        workflow.c.lease_owner == "",
        workflow.c.lease_until.is_(None),
        workflow.c.lease_until <= request.now,
        and_(workflow.c.lease_owner == request.gone, workflow.c.lease_owner != ""),
    )
    statement = update(workflow).where(workflow.c.name == request.name, is_free)
    if request.is_scheduled:
        statement = statement.where(_is_due(request.now))
    taken = connection.execute(
        statement.values(lease_owner=request.owner, lease_until=request.until)
    )
    return taken.rowcount == 1


def renew_lease(connection: Connection, name: str, owner: str, until: datetime) -> str | None:
    """Keep a lease until later; give what its run is asked; None: it is another's."""
    renewed = connection.execute(
        _held(name, owner).values(lease_until=until).returning(workflow.c.request)
    )
    request: str | None = renewed.scalar_one_or_none()
    return request


def settle(connection: Connection, name: str, owner: str, **columns: Any) -> bool:
    """Give a lease back and change some columns; tell whether it was still `owner`'s."""
    values = {"lease_owner": "", "lease_until": None, **columns}
    return connection.execute(_held(name, owner).values(values)).rowcount == 1


def open_run(connection: Connection, name: str, at: datetime, **columns: Any) -> int:
    """Write down that a run begins, with more columns than its time; give its id."""
    row = {"workflow": name, "started_at": at, "state": RUNNING, **columns}
    key = connection.execute(insert(workflow_run).values(row)).inserted_primary_key
    assert key is not None, "the database numbers the runs"
    return int(key[0])


def tell(connection: Connection, run_id: int, *, activity: str, done: int, total: int) -> None:
    """Write down how far a run has come."""
    connection.execute(
        update(workflow_run)
        .where(workflow_run.c.id == run_id)
        .values(activity=activity, done=done, total=total)
    )


def run_state(connection: Connection, run_id: int) -> str:
    """Tell how a run stands; empty for none."""
    found = connection.execute(select(workflow_run.c.state).where(workflow_run.c.id == run_id))
    return str(found.scalar_one_or_none() or "")


def close_run(connection: Connection, run: Run) -> bool:
    """Write down how a run ended; tell whether nobody else had closed it."""
    closed = connection.execute(
        update(workflow_run)
        .where(workflow_run.c.id == run.id, workflow_run.c.state == RUNNING)
        .values(
            ended_at=run.ended_at,
            state=run.state,
            read=run.counts.read,
            loaded=run.counts.loaded,
            already=run.counts.already,
            rejected=dict(run.counts.rejected),
            deliveries=run.counts.deliveries,
            seconds=run.seconds,
            error=run.error,
        )
    )
    return closed.rowcount == 1


def interrupt_runs(
    connection: Connection,
    name: str,
    *,
    at: datetime,
    error: str,
    but: int = 0,
    state: str = FAILED,
) -> list[int]:
    """Close every run of a workflow that never ended, `but` one; give their ids, newest first."""
    is_left = and_(
        workflow_run.c.workflow == name,
        workflow_run.c.state == RUNNING,
        workflow_run.c.id != but,
    )
    query = select(workflow_run.c.id).where(is_left).order_by(workflow_run.c.id.desc())
    left = list(connection.execute(query).scalars())
    if left:
        connection.execute(
            update(workflow_run).where(is_left).values(state=state, ended_at=at, error=error)
        )
    return left


def purge_history(
    connection: Connection, name: str, before: datetime, *, limit: int | None = None
) -> int:
    """Delete runs and journal lines older than `before`; tell how many rows.

    The last run that saw everything stays: it says up to when data are there. So do runs that go
    on. `limit` is of each of the two, oldest first.
    """
    kept = select(func.max(workflow_run.c.id)).where(_saw_everything(name)).scalar_subquery()
    old_runs = select(workflow_run.c.id).where(
        workflow_run.c.workflow == name,
        workflow_run.c.ended_at < before,
        workflow_run.c.id != func.coalesce(kept, 0),
    )
    old_lines = select(journal_line.c.id).where(
        journal_line.c.workflow == name, journal_line.c.at < before
    )
    count = 0
    for table, old in ((workflow_run, old_runs), (journal_line, old_lines)):
        chosen = old.order_by(table.c.id).limit(limit)
        count += connection.execute(delete(table).where(table.c.id.in_(chosen))).rowcount
    return count


def runs(connection: Connection, name: str, *, limit: int) -> list[Run]:
    """Give the latest runs of a workflow, newest first."""
    rows = connection.execute(
        select(workflow_run)
        .where(workflow_run.c.workflow == name)
        .order_by(workflow_run.c.id.desc())
        .limit(limit)
    )
    return [_run(row) for row in rows.mappings()]


def running(connection: Connection, name: str) -> list[int]:
    """Give the ids of the runs of a workflow that have not ended."""
    is_open = and_(workflow_run.c.workflow == name, workflow_run.c.state == RUNNING)
    return list(connection.execute(select(workflow_run.c.id).where(is_open)).scalars())


def last_finished(connection: Connection, name: str) -> datetime | None:
    """Tell when the last run that finished had begun: what was there by then, it has seen.

    A run that only did the rest of another one did not look for what is new; a simulated one
    changed nothing.
    """
    at: datetime | None = connection.execute(
        select(func.max(workflow_run.c.started_at)).where(_saw_everything(name))
    ).scalar_one()
    return at


def write_line(connection: Connection, line: JournalLine) -> None:
    """Add a line to the journal."""
    row = {
        "workflow": line.workflow,
        "run_id": line.run_id or None,
        "at": line.at,
        "activity": line.activity,
        "severity": line.severity.value,
        "text": line.text,
        "details": dict(line.details),
    }
    connection.execute(insert(journal_line).values(row))


def journal(
    connection: Connection,
    name: str,
    *,
    severity: Severity | None,
    run_id: int | None,
    limit: int,
) -> list[JournalLine]:
    """Give the latest lines, newest first; `severity` is the least one that is shown."""
    query = select(journal_line).where(journal_line.c.workflow == name)
    if severity is not None:
        query = query.where(journal_line.c.severity >= severity.value)
    if run_id is not None:
        query = query.where(journal_line.c.run_id == run_id)
    rows = connection.execute(query.order_by(journal_line.c.id.desc()).limit(limit))
    return [
        JournalLine(
            workflow=row.workflow,
            at=row.at,
            activity=row.activity,
            severity=Severity(row.severity),
            text=row.text,
            run_id=row.run_id or 0,
            details=row.details,
            id=row.id,
        )
        for row in rows
    ]


def _is_due(now: datetime) -> ColumnElement[bool]:
    is_wanted = or_(
        workflow.c.next_at <= now, workflow.c.resume_at != "", workflow.c.request == AGAIN
    )
    is_started = workflow.c.state == WorkflowState.STARTED.value
    return or_(workflow.c.request == WAKE, and_(is_started, is_wanted))


def _saw_everything(name: str) -> ColumnElement[bool]:
    return and_(
        workflow_run.c.workflow == name,
        workflow_run.c.state == FINISHED,
        workflow_run.c.is_simulated.is_(False),
        workflow_run.c.begun_with == "",
    )


def _held(name: str, owner: str) -> Any:
    return update(workflow).where(workflow.c.name == name, workflow.c.lease_owner == owner)


def _workflow(row: RowMapping) -> Workflow:
    return Workflow(**{**row, "state": WorkflowState(row["state"])})


def _run(row: RowMapping) -> Run:
    columns: dict[str, Any] = {**row}
    names = ("read", "loaded", "already", "rejected", "deliveries")
    return Run(counts=Counts(**{name: columns.pop(name) for name in names}), **columns)
