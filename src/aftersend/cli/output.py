"""What all commands share: finding the instance, printing for people or as JSON."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from aftersend.app import Instance
    from aftersend.reports.indicator import Figure

__all__ = [
    "INSTANCE_VARIABLE",
    "InstanceOption",
    "JsonOption",
    "Progress",
    "figure_row",
    "instance_directory",
    "open_from",
    "print_json",
    "print_table",
    "progress",
    "say",
    "time_text",
]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Hears what is counted, how many are done, and of how many."""

INSTANCE_VARIABLE: Final = "AFTERSEND_INSTANCE"

InstanceOption = Annotated[
    Path | None,
    typer.Option(
        "--instance",
        metavar="DIR",
        help="Folder of the instance; else $AFTERSEND_INSTANCE, else ./instance.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output.")
]


def instance_directory(option: Path | None) -> Path:
    """Decide which instance is meant: the option, else the environment, else the default."""
    return Path(option or os.environ.get(INSTANCE_VARIABLE) or "instance")


def open_from(option: Path | None) -> "Instance":
    """Open the instance that is meant.

    Raises:
        InvalidSettings: there is none there, or it cannot be used.
    """
    from aftersend.app import open_instance

    return open_instance(instance_directory(option))


def print_json(document: object) -> None:
    """Print one JSON document on standard output, and nothing else there."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n")


def say(text: str) -> None:
    """Tell a person something on standard error, so that standard output stays clean."""
    sys.stderr.write(f"{text}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under headings for a person; wide values wrap."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name, is_number in zip(columns, _numeric(columns, rows), strict=True):
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    # What is not read on a screen is not cut to its width.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show bars on standard error while a block runs, one for each thing that is counted."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    if not sys.stderr.isatty():
        yield lambda _what, _done, _of: None
        return
    tasks: dict[str, TaskID] = {}
    with Bars(console=Console(stderr=True), transient=True) as bars:

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield on_progress


def figure_row(figure: "Figure") -> tuple[object, ...]:
    """Give label, value and rate of a figure for a table; money and averages have two decimals."""
    value: object = figure.value
    if isinstance(value, float) and figure.unit != "ratio":
        value = Decimal(f"{value:.2f}")
    return figure.label, value, None if figure.rate is None else f"{figure.rate:.2%}"


def time_text(at: datetime | None) -> str | None:
    """Spell a moment as RFC 3339 in UTC."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[bool]:
    return [
        bool(told := [row[index] for row in rows if row[index] is not None])
        and all(isinstance(value, int | float | Decimal) for value in told)
        for index in range(len(columns))
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON spelling")
