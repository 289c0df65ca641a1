"""Finding runs that nobody works on any more.

A run is alive while its workflow's lease is its own, has not run out, and its process is not known
to be dead. Every other open run is closed, and its workflow is run again at once if it is started,
whoever began the run: once, so that what kills every run is not tried all day.
"""

from typing import Final

from sqlalchemy import Connection

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import AGAIN, RESTART, JournalLine, Workflow
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.platform.clock import Clock
from aftersend.workflow.engine import BROKEN_OFF
from aftersend.workflow.lease import holder
from aftersend.workflow.owner import Owner

__all__ = ["WATCHDOG", "look"]

WATCHDOG: Final = "watchdog"
"""The activity that journal lines about runs that broke off belong to."""

_RUNS_LOOKED_AT: Final = 20


def look(database: Database, *, clock: Clock, owner: Owner) -> list[int]:
    """Close the runs that broke off, and give their ids; `owner` is who looks."""
    with database.read() as connection:
        rows = workflows.every(connection)
        suspects = [row.name for row in rows if _has_left(connection, row, clock, owner)]
    closed: list[int] = []
    for name in suspects:
        # What was seen without a lock may have changed: it is asked again with it.
        with database.write() as connection:
            row = workflows.find(connection, name)
            if _has_left(connection, row, clock, owner):
                closed += _close(connection, row, clock, owner)
    return closed


def _has_left(connection: Connection, row: Workflow, clock: Clock, owner: Owner) -> bool:
    """Tell whether a run of a workflow is open that is not alive."""
    is_alive = _is_alive(row, clock, owner)
    if row.lease_owner and not is_alive:
        return True
    alive = row.lease_owner.rpartition("/")[2]
    return any(str(run_id) != alive for run_id in workflows.running(connection, row.name))


def _is_alive(row: Workflow, clock: Clock, owner: Owner) -> bool:
    if not row.lease_owner or row.lease_until is None or row.lease_until <= clock.now():
        return False
    process = holder(row)
    return process is None or not owner.knows_dead(process)


def _close(connection: Connection, row: Workflow, clock: Clock, owner: Owner) -> list[int]:
    now = clock.now()
    alive = row.lease_owner.rpartition("/")[2] if _is_alive(row, clock, owner) else ""
    left = workflows.interrupt_runs(
        connection,
        row.name,
        at=now,
        error=BROKEN_OFF,
        but=int(alive) if alive.isdecimal() else 0,
    )
    if alive:
        text = "another one goes on"
    else:
        request = _next_request(connection, row, left)
        workflows.settle(connection, row.name, row.lease_owner, request=request)
        text = _TEXTS[request] if row.state is WorkflowState.STARTED else "nothing is run again"
    for run_id in left:
        line = JournalLine(
            workflow=row.name,
            at=now,
            activity=WATCHDOG,
            severity=Severity.WARNING,
            text=f"Run {run_id} broke off, because its process ended or fell silent: {text}.",
            run_id=run_id,
        )
        workflows.write_line(connection, line)
    return left


_TEXTS: Final = {
    AGAIN: "the workflow is run again at once",
    "": "the schedule decides when it is run again, because the run before broke off, too",
}


def _next_request(connection: Connection, row: Workflow, left: list[int]) -> str:
    if row.request == RESTART:
        return AGAIN
    is_started = row.state is WorkflowState.STARTED
    latest = workflows.runs(connection, row.name, limit=_RUNS_LOOKED_AT)
    before = next((run for run in latest if run.id not in left and not run.is_simulated), None)
    has_broken = [run for run in latest if run.id in left and not run.is_simulated]
    if not (is_started and has_broken):
        return ""
    return "" if before is not None and before.error == BROKEN_OFF else AGAIN
