"""The files of a state of a table as maintenance looks at them: how old, how big, which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from aftersend.lake.schema import DAY

__all__ = ["FilePart", "file_parts"]


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file that a state names; `day` none: its table is not parted by day.

    `lowest` and `highest` are the range of its deliveries, 0 where none is kept.
    """

    path: str
    size: int
    rows: int
    day: date | None
    lowest: int
    highest: int

    @property
    def partition(self) -> str | None:
        """Spell its partition as `Store` takes it."""
        return None if self.day is None else self.day.isoformat()


def file_parts(table: DeltaTable) -> Sequence[FilePart]:
    """List the files of a state, by day and path."""
    rows: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    parts = [
        FilePart(
            path=str(row["path"]),
            size=int(row["size_bytes"]),
            rows=int(row["num_records"]),
            day=row.get(f"partition.{DAY}"),
            lowest=int(row.get("min.delivery_id") or 0),
            highest=int(row.get("max.delivery_id") or 0),
        )
        for row in rows
    ]
    return sorted(parts, key=lambda part: (part.day or date.min, part.path))
