"""Rows of workflows, their runs and their journal.

Whether somebody may run a workflow is decided by one UPDATE, `take_lease`; what a holder changes
later, it changes only while the lease still bears its text.
Source: spec §5, §9.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from aftersend.database.schema import journal_line, workflow, workflow_run
from aftersend.errors import NotFound
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import Counts

__all__ = ["FAILED", "FINISHED", "RUNNING", "JournalLine", "LeaseRequest", "Run", "Workflow"]
__all__ += ["add", "change_state", "close_run", "every", "find", "interrupt_runs", "journal"]
__all__ += ["last_finished", "open_run", "renew_lease", "reschedule", "runs", "settle"]
__all__ += ["take_lease", "write_line"]

RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it stands; an empty `lease_owner` means that nobody runs it."""

    name: str
    label: str
    schedule: str
    state: WorkflowState
    is_failed: bool
    next_at: datetime | None
    lease_owner: str
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: `state` is running, finished or failed; `error` says why it failed."""

    id: int
    workflow: str
    started_at: datetime
    ended_at: datetime | None
    state: str
    counts: Counts
    seconds: float
    error: str


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

    With `is_scheduled` the workflow must be started and due, too.
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
    row = connection.execute(select(workflow).where(workflow.c.name == name)).one_or_none()
    if row is None:
        raise NotFound("workflow", name)
    return _workflow(row)


def every(connection: Connection) -> list[Workflow]:
    """Give all workflows by name."""
    return [_workflow(row) for row in connection.execute(select(workflow).order_by("name"))]


def add(connection: Connection, *, name: str, label: str, schedule: str, next_at: datetime) -> bool:
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


def reschedule(
    connection: Connection, *, name: str, label: str, schedule: str, next_at: datetime | None
) -> None:
    """Change how a workflow is called and when it runs."""
    connection.execute(
        update(workflow)
        .where(workflow.c.name == name)
        .values(label=label, schedule=schedule, next_at=next_at)
    )


def change_state(
    connection: Connection, name: str, state: WorkflowState, *, is_failed: bool
) -> None:
    """Change where a workflow stands, whoever runs it."""
    connection.execute(
        update(workflow)
        .where(workflow.c.name == name)
        .values(state=state.value, is_failed=is_failed)
    )


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
        statement = statement.where(
            workflow.c.state == WorkflowState.STARTED.value, workflow.c.next_at <= request.now
        )
    taken = connection.execute(
        statement.values(lease_owner=request.owner, lease_until=request.until)
    )
    return taken.rowcount == 1


def renew_lease(connection: Connection, name: str, owner: str, until: datetime) -> bool:
    """Keep a lease until later; tell whether it was still `owner`'s."""
    renewed = connection.execute(_held(name, owner).values(lease_until=until))
    return renewed.rowcount == 1


def settle(
    connection: Connection,
    name: str,
    owner: str,
    *,
    is_failed: bool,
    is_paused: bool,
    next_at: datetime | None,
) -> bool:
    """Give a lease back and say how the run went; tell whether it was still `owner`'s.

    Without `is_paused` the workflow's state stays as it is.
    """
    values: dict[str, Any] = {
        "lease_owner": "",
        "lease_until": None,
        "is_failed": is_failed,
        "next_at": next_at,
    }
    if is_paused:
        values["state"] = WorkflowState.PAUSED.value
    return connection.execute(_held(name, owner).values(values)).rowcount == 1


def open_run(connection: Connection, name: str, at: datetime, *, started_by: str = "") -> int:
    """Write down that a run begins, `started_by` somebody or the schedule; give its id."""
    row = {"workflow": name, "started_at": at, "state": RUNNING, "started_by": started_by}
    key = connection.execute(insert(workflow_run).values(row)).inserted_primary_key
    assert key is not None, "the database numbers the runs"
    return int(key[0])


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
    connection: Connection, name: str, *, at: datetime, but: int, error: str
) -> list[int]:
    """Close every run of a workflow that never ended, `but` one; give their ids."""
    is_left = and_(
        workflow_run.c.workflow == name,
        workflow_run.c.state == RUNNING,
        workflow_run.c.id != but,
    )
    left = list(connection.execute(select(workflow_run.c.id).where(is_left)).scalars())
    if left:
        connection.execute(
            update(workflow_run).where(is_left).values(state=FAILED, ended_at=at, error=error)
        )
    return left


def runs(connection: Connection, name: str, *, limit: int) -> list[Run]:
    """Give the latest runs of a workflow, newest first."""
    rows = connection.execute(
        select(workflow_run)
        .where(workflow_run.c.workflow == name)
        .order_by(workflow_run.c.id.desc())
        .limit(limit)
    )
    return [_run(row) for row in rows]


def last_finished(connection: Connection, name: str) -> datetime | None:
    """Tell when the last run that finished had begun: what was there by then, it has seen."""
    at: datetime | None = connection.execute(
        select(func.max(workflow_run.c.started_at)).where(
            workflow_run.c.workflow == name, workflow_run.c.state == FINISHED
        )
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


def _held(name: str, owner: str) -> Any:
    return update(workflow).where(workflow.c.name == name, workflow.c.lease_owner == owner)


def _workflow(row: Row[Any]) -> Workflow:
    return Workflow(
        name=row.name,
        label=row.label,
        schedule=row.schedule,
        state=WorkflowState(row.state),
        is_failed=row.is_failed,
        next_at=row.next_at,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
    )


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        workflow=row.workflow,
        started_at=row.started_at,
        ended_at=row.ended_at,
        state=row.state,
        counts=Counts(
            read=row.read,
            loaded=row.loaded,
            already=row.already,
            rejected=row.rejected,
            deliveries=row.deliveries,
        ),
        seconds=row.seconds,
        error=row.error,
    )
