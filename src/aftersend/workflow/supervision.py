"""Watching workflows, and stopping and resuming them.

Source: spec §5 (Actions), §9.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import RUNNING, JournalLine, Run, Workflow
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.platform.clock import Clock

__all__ = ["OPERATOR", "Overview", "journal", "overview", "overviews", "pause", "resume", "runs"]

OPERATOR: Final = "operator"
"""The activity that journal lines about what people did belong to."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A workflow and its last run; `is_running` while somebody runs it."""

    name: str
    label: str
    schedule: str
    state: WorkflowState
    is_failed: bool
    is_running: bool
    next_at: datetime | None
    last: Run | None

    @property
    def last_at(self) -> datetime | None:
        """Tell when it was last executed: when its last run began."""
        return self.last.started_at if self.last else None


def overview(database: Database, name: str) -> Overview:
    """Tell how a workflow stands.

    Raises:
        NotFound: there is none of this name.
    """
    with database.read() as connection:
        row = workflows.find(connection, name)
        return _overview(row, workflows.runs(connection, name, limit=1))


def overviews(database: Database) -> list[Overview]:
    """Tell how all workflows stand, by name."""
    with database.read() as connection:
        return [
            _overview(row, workflows.runs(connection, row.name, limit=1))
            for row in workflows.every(connection)
        ]


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


def pause(database: Database, name: str, *, clock: Clock) -> None:
    """Let a workflow start no more by itself; a run that has begun goes on to its end.

    Raises:
        NotFound: there is no such workflow.
    """
    with database.write() as connection:
        row = workflows.find(connection, name)
        if row.state is WorkflowState.PAUSED:
            return
        workflows.change_state(connection, name, WorkflowState.PAUSED, is_failed=row.is_failed)
        workflows.write_line(connection, _line(name, clock, "The workflow was paused."))


def resume(database: Database, name: str, *, clock: Clock) -> None:
    """Let a workflow start by itself again and forget that it failed.

    If its time has passed while it was paused, the scheduler runs it at once, and once.

    Raises:
        NotFound: there is no such workflow.
    """
    with database.write() as connection:
        row = workflows.find(connection, name)
        if row.state is WorkflowState.STARTED and not row.is_failed:
            return
        workflows.change_state(connection, name, WorkflowState.STARTED, is_failed=False)
        workflows.write_line(connection, _line(name, clock, "The workflow was resumed."))


def _overview(row: Workflow, latest: Sequence[Run]) -> Overview:
    last = latest[0] if latest else None
    return Overview(
        name=row.name,
        label=row.label,
        schedule=row.schedule,
        state=row.state,
        is_failed=row.is_failed,
        is_running=last is not None and last.state == RUNNING,
        next_at=row.next_at,
        last=last,
    )


def _line(name: str, clock: Clock, text: str) -> JournalLine:
    return JournalLine(
        workflow=name, at=clock.now(), activity=OPERATOR, severity=Severity.INFO, text=text
    )
