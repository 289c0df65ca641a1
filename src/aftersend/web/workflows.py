"""Technical workflows: how they stand, what they did, and starting one by hand."""

from contextlib import suppress
from typing import Any, Final

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from aftersend.database.operators import Operator
from aftersend.errors import Busy
from aftersend.model.enumeration import Severity
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page
from aftersend.workflow import supervision

__all__ = ["HANDLERS"]

_RUNS_SHOWN: Final = 20
_LINES_SHOWN: Final = 200
_SEVERITIES: Final = {"warning": Severity.WARNING, "error": Severity.ERROR}


@get("/workflows", sync_to_thread=True)
def show_workflows(request: Request[Any, Any, Any], services: Given[Services]) -> Template:
    """List the workflows."""
    return page(request, "workflows.html", rows=supervision.overviews(services.database))


@get("/workflows/{name:str}", sync_to_thread=True)
def show_workflow(
    request: Request[Any, Any, Any],
    services: Given[Services],
    runner: Given[Runner],
    name: FromPath[str],
    severity: FromQuery[str] = "",
) -> Template:
    """Show one workflow; while it runs, the page asks for itself again and again."""
    row = supervision.overview(services.database, name)
    chosen = _SEVERITIES.get(severity)
    return page(
        request,
        "workflow.html",
        row=row,
        is_running=row.is_running or runner.is_running(name),
        is_started_here=runner.is_running(name),
        problem=runner.problem(name),
        runs=supervision.runs(services.database, name, limit=_RUNS_SHOWN),
        journal=supervision.journal(services.database, name, severity=chosen, limit=_LINES_SHOWN),
        severity=severity if chosen else "",
    )


@post("/workflows/{name:str}/run", sync_to_thread=True)
def run_workflow(
    request: Request[Operator, Any, Any],
    services: Given[Services],
    runner: Given[Runner],
    name: FromPath[str],
) -> Redirect:
    """Execute a workflow now; its page shows how it goes.

    It is tried even where a run seems to go on: whoever began that one may be dead.
    """
    supervision.overview(services.database, name)
    # Pressed twice: the page shows the run that goes on.
    with suppress(Busy):
        runner.start(name, request.user.name)
    return _to(name)


@post("/workflows/{name:str}/pause", sync_to_thread=True)
def pause_workflow(services: Given[Services], name: FromPath[str]) -> Redirect:
    """Let a workflow start no more by itself."""
    supervision.pause(services.database, name, clock=services.clock)
    return _to(name)


@post("/workflows/{name:str}/resume", sync_to_thread=True)
def resume_workflow(services: Given[Services], name: FromPath[str]) -> Redirect:
    """Let a workflow start by itself again."""
    supervision.resume(services.database, name, clock=services.clock)
    return _to(name)


HANDLERS: Final = (show_workflows, show_workflow, run_workflow, pause_workflow, resume_workflow)


def _to(name: str) -> Redirect:
    # 303: the browser asks for the page with GET, so that a reload never starts a run.
    return Redirect(f"/workflows/{name}", status_code=303)
