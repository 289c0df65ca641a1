"""What becomes of a workflow after a run; the table stands in `engine`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aftersend.database.workflows import (
    AGAIN,
    FAILED,
    FINISHED,
    PAUSE,
    RESTART,
    STOPPED,
    Workflow,
)
from aftersend.errors import AftersendError, Transient
from aftersend.model.enumeration import WorkflowState
from aftersend.model.run import Counts
from aftersend.workflow.lease import Stopped

__all__ = ["IGNORE", "POLICIES", "RUN", "Work", "after"]

RUN: Final = "run"
"""The activity that journal lines about the whole run belong to."""
IGNORE: Final = "ignore"
POLICIES: Final = ("stop", IGNORE)
"""Whether a lasting error pauses a workflow, or only so many in a row."""


@dataclass(slots=True)
class Work:
    """How far a run has come; `failure` and `stopped` say why it did not finish."""

    counts: Counts = field(default_factory=Counts)
    activity: str = RUN
    failure: AftersendError | None = None
    stopped: Stopped | None = None

    @property
    def state(self) -> str:
        """Give the state of the run."""
        if self.stopped is not None:
            return STOPPED
        return FINISHED if self.failure is None else FAILED

    @property
    def is_lasting(self) -> bool:
        """Tell whether it failed, and would fail again."""
        return self.failure is not None and not isinstance(self.failure, Transient)


def after(row: Workflow, work: Work, now: datetime) -> dict[str, object]:
    """Say what becomes of a workflow after a run; see the table above."""
    columns: dict[str, object] = {"request": AGAIN if row.request == RESTART else ""}
    if work.stopped is not None:
        columns["resume_at"] = work.activity if work.stopped.request == PAUSE else ""
        return columns
    if work.failure is None:
        return columns | {"is_failed": False, "errors": 0, "resume_at": ""}
    columns["is_failed"] = True
    if not work.is_lasting:
        return columns
    columns["errors"] = errors = row.errors + 1
    is_ignored = row.error_policy == IGNORE and (not row.errors_max or errors < row.errors_max)
    if row.state is WorkflowState.STARTED and not is_ignored:
        columns |= {"state": WorkflowState.PAUSED.value, "paused_at": now, "notices": 0}
    if "state" in columns or row.state is WorkflowState.PAUSED:
        columns["resume_at"] = "" if work.activity == RUN else work.activity
    return columns
