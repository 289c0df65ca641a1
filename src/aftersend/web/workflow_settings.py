"""What is set for a workflow: when it runs, what an error does, how long its history is kept."""

from collections.abc import Mapping
from typing import Final

from aftersend.errors import InvalidInput
from aftersend.web.services import Services
from aftersend.workflow import supervision
from aftersend.workflow.supervision import Overview

__all__ = ["KINDS", "POLICIES", "change", "form"]

_CRON: Final = "cron"

KINDS: Final = (
    ("several", "Several times a day", "08:00,12:00 on mon-fri, or every 30m 08:00-18:00"),
    ("daily", "Daily", "04:00"),
    ("weekly", "Weekly", "mon,thu 05:00"),
    ("monthly", "Monthly", "25 02:00, or last 02:00"),
    ("once", "Once", "2026-12-01T10:00"),
    (_CRON, "Cron text", "0 * * * *"),
)
"""The kinds of schedule: the word that begins the text, its name, an example."""

POLICIES: Final = (("stop", "Pause the workflow"), ("ignore", "Go on with the next execution"))
"""What a lasting error does."""

_NUMBERS: Final = {"errors_max": "Errors in a row", "history_days": "Days of history"}


def form(row: Overview, typed: Mapping[str, str] | None) -> dict[str, str]:
    """Give what stands in the fields: what was typed and refused, else what is set."""
    kind, text = _parts(row.schedule)
    known = {
        "kind": kind,
        "schedule": text,
        "error_policy": row.row.error_policy,
        "errors_max": str(row.row.errors_max),
        "history_days": str(row.row.history_days),
    }
    return known | {name: typed[name] for name in known if typed and name in typed}


def change(services: Services, row: Overview, data: Mapping[str, str], *, operator: str) -> None:
    """Change what differs from what is set.

    Raises:
        InvalidInput: a value cannot be used; those before it in the form are changed already.
    """
    numbers = {name: _number(data, name) for name in _NUMBERS}
    kind, text = data.get("kind", _CRON), " ".join(data.get("schedule", "").split())
    schedule = text if kind == _CRON else f"{kind} {text}"
    database, clock = services.database, services.clock
    if schedule != row.schedule:
        supervision.set_schedule(database, row.name, schedule, operator=operator, clock=clock)
    policy = data.get("error_policy", row.row.error_policy)
    if (policy, numbers["errors_max"]) != (row.row.error_policy, row.row.errors_max):
        supervision.set_error_policy(
            database,
            row.name,
            policy,
            errors_max=numbers["errors_max"],
            operator=operator,
            clock=clock,
        )
    if numbers["history_days"] != row.row.history_days:
        supervision.set_history_days(
            database, row.name, numbers["history_days"], operator=operator, clock=clock
        )


def _parts(schedule: str) -> tuple[str, str]:
    first, _, rest = schedule.partition(" ")
    is_kind = first != _CRON and any(first == kind for kind, _, _ in KINDS)
    return (first, rest) if is_kind else (_CRON, schedule)


def _number(data: Mapping[str, str], name: str) -> int:
    text = data.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InvalidInput(f"{_NUMBERS[name]}: a whole number, 0 or more.")
    return int(text)
