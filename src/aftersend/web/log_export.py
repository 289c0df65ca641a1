"""Tracking logs as CSV, a piece at a time: however long the list, memory stays the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from aftersend.reports.log_query import LogPage, LogQuery
from aftersend.reports.render import LOG_COLUMNS, row_document, rows_csv

__all__ = ["ROWS_A_PIECE", "csv_of"]

ROWS_A_PIECE: Final = 20_000


def csv_of(read: Callable[[LogQuery], LogPage], query: LogQuery) -> Iterator[str]:
    """Spell the whole list that `query` begins; `read` gives a page of it.

    Spreadsheets run no text of it as a formula.
    """
    yield rows_csv(LOG_COLUMNS, ())
    heading = len(rows_csv(LOG_COLUMNS, ()))
    offset = 0
    while rows := read(replace(query, offset=offset, limit=ROWS_A_PIECE)).rows:
        cells = [tuple(row_document(row).values()) for row in rows]
        yield rows_csv(LOG_COLUMNS, cells)[heading:]
        offset += len(rows)
