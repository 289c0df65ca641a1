"""What every report gives: indicators by name, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from aftersend.reports.indicator import Figure

__all__ = ["Cell", "Report", "Table"]

Cell: TypeAlias = str | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by column name; `columns` gives each one's label, in order."""

    label: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a report.

    `as_of`: every hit up to this moment is in it; none when no hit was ever collected.
    `notes`: sentences that a reader must know, e.g. that tracking is off.
    """

    name: str
    label: str
    as_of: datetime | None
    indicators: Mapping[str, Figure]
    tables: Mapping[str, Table]
    notes: Sequence[str] = ()
