"""The hits of the lake as an Ibis table: where every expression begins.

Shape: one row a hit, as `COLUMNS` says; `at` is UTC.

A hit is filtered here only by what all hits of its message share. A window of time is set after
`counted_log` has classified, because what came before decides what a hit is.

Source: architecture "Data plane", D5, D7.
"""

from collections.abc import Collection
from typing import Final

import ibis

from aftersend.lake import duckdb
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, RecipientId

__all__ = ["COLUMNS", "hits"]

COLUMNS: Final = duckdb.HIT_COLUMNS


def hits(
    connection: duckdb.Connection,
    lake: Lake,
    *,
    deliveries: Collection[DeliveryId] | None = None,
    recipient: RecipientId | None = None,
) -> ibis.Table:
    """Give the hits of some `deliveries` (none named: all) and of one `recipient` (likewise).

    Only files that may hold a named delivery are opened: name the deliveries of a recipient too,
    where they are known. The table shows the lake as it is now, whatever is appended later.

    Shape: one row per hit; columns `COLUMNS`. An empty lake gives no rows.
    """
    table = duckdb.scan(connection, lake.files(deliveries))
    if deliveries is not None:
        table = table.filter(table.delivery_id.isin(sorted(deliveries)))
    if recipient is not None:
        table = table.filter(table.recipient_id == recipient)
    return table
