"""Technical workflows: how they stand, what they wrote, and telling them what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.params import FromPath, PathParameter, QueryParameter

from aftersend.api.backing import Backing, Given
from aftersend.api.failures import PROBLEMS
from aftersend.database.workflows import JournalLine, Run
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import Severity
from aftersend.workflow import supervision
from aftersend.workflow.supervision import Overview

__all__ = ["HANDLERS"]

Name = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_.-]{1,100}$", description="e.g. tracking")
]

_LINES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class RunDocument:
    """One execution: lines read = loaded + already + the sum of rejected.

    While it runs it has come to `activity`, where `done` of `total` is done; 0: nobody knows.
    `started_by` is empty for the schedule.
    """

    id: int
    state: str
    started_at: datetime
    ended_at: datetime | None
    read: int
    loaded: int
    already: int
    rejected: Mapping[str, int]
    deliveries: int
    seconds: float
    error: str
    activity: str
    done: int
    total: int
    is_simulated: bool
    started_by: str


@dataclass(frozen=True, slots=True)
class WorkflowDocument:
    """How a workflow stands; `last` is its latest execution."""

    name: str
    label: str
    state: str
    is_failed: bool
    is_running: bool
    schedule: str
    next_at: datetime | None
    last: RunDocument | None


@dataclass(frozen=True, slots=True)
class LineDocument:
    """One line of a journal."""

    at: datetime
    run: int
    activity: str
    severity: str
    text: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkflowList:
    """All workflows, by name."""

    workflows: list[WorkflowDocument]


@dataclass(frozen=True, slots=True)
class Journal:
    """Lines of a journal, newest first."""

    lines: list[LineDocument]


@get("/workflows", sync_to_thread=True, responses=PROBLEMS)
def list_workflows(backing: Given[Backing]) -> WorkflowList:
    """Tell how all workflows stand."""
    return WorkflowList([_document(row) for row in supervision.overviews(backing.database)])


@get("/workflows/{name:str}", sync_to_thread=True, responses=PROBLEMS)
def show_workflow(backing: Given[Backing], name: Name) -> WorkflowDocument:
    """Tell how a workflow stands."""
    return _document(supervision.overview(backing.database, name))


@get("/workflows/{name:str}/journal", sync_to_thread=True, responses=PROBLEMS)
def show_journal(
    backing: Given[Backing],
    name: Name,
    severity: Annotated[str, QueryParameter(description="the least that is shown")] = "info",
    limit: Annotated[int, QueryParameter(ge=1, le=_LINES_MAX)] = 100,
) -> Journal:
    """Give the latest lines of a workflow's journal, newest first."""
    wanted = next((one for one in Severity if one.slug == severity), None)
    if wanted is None:
        raise InvalidInput("severity: info, warning or error.")
    lines = supervision.journal(backing.database, name, severity=wanted, limit=limit)
    return Journal([_line(line) for line in lines])


@post(
    "/workflows/{name:str}/{action:str}",
    sync_to_thread=True,
    status_code=200,
    responses=PROBLEMS,
)
def act(
    request: Request[str, Any, Any], backing: Given[Backing], name: Name, action: FromPath[str]
) -> WorkflowDocument:
    """Start, pause, resume, stop, restart, run or wake a workflow; answers how it stands then.

    `run` and `restart` begin a run and do not wait for its end. `stop` asks a run that goes on to
    end at its next passing point.
    """
    supervision.overview(backing.database, name)
    if action == "run":
        backing.start_run(name, request.user)
    elif action in _ACTIONS:
        _ACTIONS[action](backing.database, name, operator=request.user, clock=backing.clock)
    else:
        raise NotFound("action", action)
    return _document(supervision.overview(backing.database, name))


HANDLERS: Final = (list_workflows, show_workflow, show_journal, act)
_ACTIONS: Final[Mapping[str, Any]] = {
    "start": supervision.start,
    "pause": supervision.pause,
    "resume": supervision.resume,
    "stop": supervision.stop,
    "restart": supervision.restart,
    "wakeup": supervision.wake,
}


def _document(row: Overview) -> WorkflowDocument:
    return WorkflowDocument(
        name=row.name,
        label=row.label,
        state=row.state.slug,
        is_failed=row.is_failed,
        is_running=row.is_running,
        schedule=row.schedule,
        next_at=row.next_at,
        last=_run(row.last) if row.last else None,
    )


def _run(run: Run) -> RunDocument:
    return RunDocument(
        id=run.id,
        state=run.state,
        started_at=run.started_at,
        ended_at=run.ended_at,
        read=run.counts.read,
        loaded=run.counts.loaded,
        already=run.counts.already,
        rejected=run.counts.rejected,
        deliveries=run.counts.deliveries,
        seconds=run.seconds,
        error=run.error,
        activity=run.activity,
        done=run.done,
        total=run.total,
        is_simulated=run.is_simulated,
        started_by=run.started_by,
    )


def _line(line: JournalLine) -> LineDocument:
    return LineDocument(
        at=line.at,
        run=line.run_id,
        activity=line.activity,
        severity=line.severity.slug,
        text=line.text,
        details=line.details,
    )
