"""Technical workflows: how they stand, what they did, and what people do with them (spec §9.1)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from aftersend.database.operators import Operator
from aftersend.database.workflows import JournalLine
from aftersend.errors import Busy, InvalidInput, NotFound
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.web import workflow_settings
from aftersend.web.login import Form
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page
from aftersend.workflow import supervision
from aftersend.workflow.supervision import Overview

__all__ = ["HANDLERS", "make_runner"]

_RUNS_SHOWN: Final = 20
_LINES_SHOWN: Final = 200
_LINES_LOOKED_AT: Final = 5000
_SEVERITIES: Final = {"warning": Severity.WARNING, "error": Severity.ERROR}
_SIMULATION: Final = "simulation of "


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a workflow stands in the predefined views of the list."""

    slug: str
    label: str
    has: Callable[[Overview], bool]


_VIEWS: Final = (
    _Standing("", "All", lambda _row: True),
    _Standing("running", "Running", lambda row: row.is_running),
    _Standing("paused", "Paused", lambda row: row.state is WorkflowState.PAUSED),
    _Standing("failed", "Failed", lambda row: row.is_failed),
    _Standing("stopped", "Stopped", lambda row: row.state is WorkflowState.FINISHED),
)


@get("/workflows", sync_to_thread=True)
def show_workflows(
    request: Request[Any, Any, Any], services: Given[Services], view: FromQuery[str] = ""
) -> Template:
    """List the workflows, or those of one predefined view."""
    rows = supervision.overviews(services.database)
    chosen = next((one for one in _VIEWS if one.slug == view), _VIEWS[0])
    return page(
        request,
        "workflows.html",
        rows=[row for row in rows if chosen.has(row)],
        view=chosen,
        views=[(one.slug, one.label, sum(map(one.has, rows))) for one in _VIEWS],
        waiting={row.name: _waits_for_long(services, row) for row in rows},
    )


@get("/workflows/{name:str}", sync_to_thread=True)
def show_workflow(
    request: Request[Any, Any, Any],
    services: Given[Services],
    runner: Given[Runner],
    name: FromPath[str],
) -> Template:
    """Show one workflow; while it runs, the page asks for itself again and again."""
    return _draw(request, services, runner, name)


@post("/workflows/{name:str}/settings", sync_to_thread=True)
def change_settings(
    request: Request[Operator, Any, Any],
    data: Form,
    services: Given[Services],
    runner: Given[Runner],
    name: FromPath[str],
) -> Response[Any]:
    """Change when a workflow runs, what an error does, and how long its history is kept."""
    row = supervision.overview(services.database, name)
    try:
        workflow_settings.change(services, row, data, operator=request.user.name)
    except InvalidInput as error:
        return _draw(request, services, runner, name, typed=data, refused=str(error), status=400)
    return _to(name)


@post("/workflows/{name:str}/{action:str}", sync_to_thread=True)
def act(
    request: Request[Operator, Any, Any],
    services: Given[Services],
    runner: Given[Runner],
    name: FromPath[str],
    action: FromPath[str],
) -> Response[Any]:
    """Do something with a workflow; its page shows what came of it.

    A run is tried even where one seems to go on: whoever began that one may be dead.
    """
    supervision.overview(services.database, name)
    if action not in (*_STARTS, *_ACTIONS):
        raise NotFound("action", action)
    try:
        if action in _STARTS:
            # Pressed twice: the page shows the run that goes on.
            with suppress(Busy):
                runner.start(_STARTS[action] + name, request.user.name)
        else:
            does = _ACTIONS[action]
            does(services.database, name, clock=services.clock, operator=request.user.name)
    except (InvalidInput, Busy) as error:
        return _draw(request, services, runner, name, problem=str(error), status=409)
    return _to(name)


HANDLERS: Final = (show_workflows, show_workflow, change_settings, act)

_STARTS: Final = {"run": "", "simulate": _SIMULATION}
_ACTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "start": supervision.start,
    "pause": supervision.pause,
    "resume": supervision.resume,
    "stop": supervision.stop,
    "stop-unconditionally": partial(supervision.stop, is_unconditional=True),
    "restart": supervision.restart,
    "wakeup": supervision.wake,
    "purge-history": supervision.purge_history,
}


def make_runner(services: Services) -> Runner:
    """Make what runs and simulates workflows when somebody asks for it."""

    def run(name: str, operator: str) -> Any:
        if name.startswith(_SIMULATION):
            return services.simulate_workflow(name.removeprefix(_SIMULATION), operator)
        return services.run_workflow(name, operator)

    return Runner(run)


def _draw(
    request: Request[Any, Any, Any],
    services: Services,
    runner: Runner,
    name: str,
    *,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
    refused: str = "",
    status: int = 200,
) -> Template:
    row = supervision.overview(services.database, name)
    keys = (name, _SIMULATION + name)
    problems = (runner.problem(key) for key in keys)
    given = {
        key: request.query_params.get(key, "").strip() for key in ("severity", "activity", "q")
    }
    severity = _SEVERITIES.get(given["severity"])
    lines = supervision.journal(services.database, name, severity=severity, limit=_LINES_LOOKED_AT)
    shown = [line for line in lines if _fits(line, given)]
    answer = page(
        request,
        "workflow.html",
        row=row,
        here=f"/workflows/{name}",
        is_running=row.is_running or any(map(runner.is_running, keys)),
        problem=problem or next((each for each in problems if each), ""),
        is_waiting=_waits_for_long(services, row),
        runs=supervision.runs(services.database, name, limit=_RUNS_SHOWN),
        journal=shown[:_LINES_SHOWN],
        is_cut=len(shown) > _LINES_SHOWN,
        activities=_activities(lines, given["activity"]),
        given=given | {"severity": given["severity"] if severity else ""},
        severities=(("warning", "Warnings and errors"), ("error", "Errors")),
        form=workflow_settings.form(row, typed),
        kinds=workflow_settings.KINDS,
        policies=workflow_settings.POLICIES,
        refused=refused,
    )
    answer.status_code = status
    return answer


def _fits(line: JournalLine, given: Mapping[str, str]) -> bool:
    is_activity = given["activity"] in ("", line.activity)
    return is_activity and given["q"].casefold() in line.text.casefold()


def _activities(lines: Sequence[JournalLine], chosen: str) -> list[tuple[str, str]]:
    names = {line.activity for line in lines} | ({chosen} if chosen else set())
    return [(name, name.replace("_", " ").capitalize()) for name in sorted(names)]


def _waits_for_long(services: Services, row: Overview) -> bool:
    days = services.settings.supervision.paused_days
    since = row.row.paused_at
    is_paused = row.state is WorkflowState.PAUSED and since is not None
    return is_paused and since is not None and since + timedelta(days=days) <= services.clock.now()


def _to(name: str) -> Redirect:
    # 303: the browser asks for the page with GET, so that a reload never does it again.
    return Redirect(f"/workflows/{name}", status_code=303)
