"""The workflow that tells of workflows that stay paused, and in the end stops them.

A workflow that is paused longer than `supervision.paused_days` is told of each week, four times.
Then it is stopped unconditionally: nobody waits for it.

Source: spec §9.1.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from aftersend.database import workflows
from aftersend.database.workflows import JournalLine, Workflow
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import StepReport
from aftersend.workflow import supervision
from aftersend.workflow.definition import Declaration, Definition, Occasion
from aftersend.workflow.notice import SUPERVISORS, Notice, send
from aftersend.workflow.surroundings import Surroundings

__all__ = ["NOTICES_MAX", "cleanup_paused"]

NOTICES_MAX: Final = 4
_BETWEEN: Final = timedelta(days=7)
_OPERATOR: Final = "aftersend"
_NAME: Final = "notify"


@dataclass(frozen=True, slots=True)
class _Step:
    """The one activity."""

    name: str
    label: str
    do: Callable[[Surroundings], StepReport]
    simulate: Callable[[Surroundings], StepReport] | None


def cleanup_paused(declaration: Declaration, given: Surroundings) -> Definition[Surroundings]:
    """Define the workflow, ready to run."""
    step = _Step(_NAME, "Tell of paused workflows", _notify, _simulate)
    return Definition(declaration, [step], partial(_context, given), _guarded)


@contextmanager
def _context(given: Surroundings) -> Iterator[Surroundings]:
    yield given


def _guarded(given: Surroundings, _occasion: Occasion) -> Surroundings:
    return given


def _notify(given: Surroundings) -> StepReport:
    told, stopped, unheard = [], [], []
    now = given.clock.now()
    for row in _paused_long(given, now):
        if row.notices >= NOTICES_MAX:
            supervision.stop(
                given.database,
                row.name,
                operator=_OPERATOR,
                clock=given.clock,
                is_unconditional=True,
            )
            stopped.append(row.name)
        elif _tell(given, row, now):
            told.append(row.name)
        else:
            unheard.append(row.name)
    return StepReport(_text(told, stopped, unheard), is_warning=bool(told or stopped or unheard))


def _simulate(given: Surroundings) -> StepReport:
    rows = _paused_long(given, given.clock.now())
    stopped = [row.name for row in rows if row.notices >= NOTICES_MAX]
    told = [row.name for row in rows if row.notices < NOTICES_MAX]
    return StepReport(f"This would be done. {_text(told, stopped, [])}")


def _paused_long(given: Surroundings, now: datetime) -> list[Workflow]:
    """Give the workflows that it is time to tell of, again or for the first time.

    The time of a notice is counted from the pause, so that running this daily tells nobody daily.
    """
    days = timedelta(days=given.settings.supervision.paused_days)
    with given.database.read() as connection:
        return [
            row
            for row in workflows.every(connection)
            if row.state is WorkflowState.PAUSED
            and row.paused_at is not None
            and now >= row.paused_at + days + row.notices * _BETWEEN
        ]


def _tell(given: Surroundings, row: Workflow, now: datetime) -> bool:
    """Tell the supervisors; a notice that nobody could get does not count."""
    assert row.paused_at is not None, "only paused workflows are told of"
    days = (now - row.paused_at).days
    number = row.notices + 1
    sentence = f"The workflow {row.label} has been paused for {days} days."
    what_next = "Resume it, or stop it."
    if number == NOTICES_MAX:
        what_next += " This is the last notice: it is stopped in a week."
    facts = (
        ("Workflow", f"{row.label} ({row.name})"),
        ("Paused since", f"{row.paused_at:%Y-%m-%d %H:%M} UTC"),
        ("Failed", "yes" if row.is_failed else "no"),
        ("Activity", row.resume_at or "none"),
        ("Error", _last_error(given, row.name) or "none"),
        ("Notice", f"{number} of {NOTICES_MAX}"),
        ("What to do", what_next),
    )
    subject = f"{row.label} has been paused for {days} days"
    if not send(given, Notice(row.name, subject, sentence, facts)):
        return False
    line = JournalLine(
        workflow=row.name,
        at=now,
        activity=SUPERVISORS,
        severity=Severity.WARNING,
        text=f"{sentence} Notice {number} of {NOTICES_MAX}; then it is stopped.",
    )
    with given.database.write() as connection:
        workflows.change(connection, row.name, notices=number)
        workflows.write_line(connection, line)
    return True


def _last_error(given: Surroundings, name: str) -> str:
    with given.database.read() as connection:
        found = workflows.runs(connection, name, limit=1)
    return found[0].error if found else ""


def _text(told: list[str], stopped: list[str], unheard: list[str]) -> str:
    parts = [
        f"Told of as paused for long: {', '.join(told)}." if told else "",
        f"Stopped after {NOTICES_MAX} notices: {', '.join(stopped)}." if stopped else "",
        f"Nobody could be told of: {', '.join(unheard)}." if unheard else "",
    ]
    return " ".join(part for part in parts if part) or "No workflow has been paused for long."
