"""What one run has found out about messages and links, so that it asks for each of them once.

Most lines of a batch are of messages that batches before were of too. What was not found is asked
for again each time: it may have come meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute
from sqlalchemy import Connection

from aftersend.database.lookup import messages_by_id, urls_by_id
from aftersend.tracking.found import MESSAGE, URL

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["ROWS_MAX", "Remembered"]

ROWS_MAX: Final = 1_000_000
"""Beyond it only what the newest batch needs is kept: some tens of bytes a row."""


@dataclass(slots=True)
class Remembered:
    """Rows that the control plane gave; begin each run with a new one."""

    _messages: pa.Table = field(default_factory=MESSAGE.empty_table, init=False)
    _urls: pa.Table = field(default_factory=URL.empty_table, init=False)

    def messages(self, connection: Connection, ids: Any) -> pa.Table:
        """Give the message of each id, in their order; nulls where there is none.

        Shape: from a column of i64 to a table of `MESSAGE` as long.
        """
        self._messages, found = _lined_up(
            self._messages, ids, lambda missing: messages_by_id(connection, missing)
        )
        return found

    def urls(self, connection: Connection, ids: Any) -> pa.Table:
        """Give the link of each id, in their order; nulls where there is none.

        Shape: from a column of i64 to a table of `URL` as long.
        """
        self._urls, found = _lined_up(
            self._urls, ids, lambda missing: urls_by_id(connection, missing)
        )
        return found


def _lined_up(
    known: pa.Table, ids: Any, ask: Callable[[Sequence[int]], Sequence[Any]]
) -> tuple[pa.Table, pa.Table]:
    """Give all rows that are known now, and those of `ids`."""
    places = pc.index_in(ids, value_set=known["id"])
    if places.null_count:
        missing = ids.filter(pc.is_null(places)).unique()
        rows = ask(missing.to_pylist())
        if known.num_rows + len(rows) > ROWS_MAX:
            known = known.filter(pc.is_in(known["id"], value_set=ids.unique()))
        known = pa.concat_tables([known, _table(rows, known.schema)]).combine_chunks()
        places = pc.index_in(ids, value_set=known["id"])
    columns = [column.take(places) for column in known.itercolumns()]
    return known, pa.table(columns, schema=known.schema)


def _table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    columns: list[Any] = [
        pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)
    ]
    return pa.table(columns, schema=schema)
