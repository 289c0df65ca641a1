"""Looking up many rows by their ids at once: hundreds of thousands in one statement."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    any_,
    bindparam,
    cast,
    func,
    select,
)

from aftersend.database.schema import message, tracked_url

__all__ = ["messages_by_id", "select_by_ids", "urls_by_id"]


def messages_by_id(
    connection: Connection, ids: Collection[int]
) -> Sequence[tuple[int, int, int, str, int]]:
    """Give what a hit must know of its message.

    Shape: one row per message there is: id, delivery id, recipient id, domain, 1 for a seed.
    """
    table = message.c
    is_seed = cast(table.is_seed, Integer)
    columns = (table.id, table.delivery_id, table.recipient_id, table.domain, is_seed)
    return select_by_ids(connection, columns, table.id, ids)


def urls_by_id(
    connection: Connection, ids: Collection[int]
) -> Sequence[tuple[int, int | None, int]]:
    """Give what a hit must know of its link.

    Shape: one row per link there is: id, delivery id (none: shared by all), type.
    """
    table = tracked_url.c
    return select_by_ids(connection, (table.id, table.delivery_id, table.type), table.id, ids)


def select_by_ids(
    connection: Connection,
    columns: Sequence[ColumnElement[Any]],
    key: ColumnElement[int],
    ids: Collection[int],
) -> Sequence[Any]:
    """Give some columns of the rows whose `key` is among `ids`, as the driver gives them.

    The ids travel as one value, so their count has no limit, and rows stay bare tuples: with half
    a million of them that is half of the time.
    """
    listed: Any
    if connection.dialect.name == "postgresql":
        listed = list(ids)
        is_wanted = key == any_(bindparam("ids", type_=ARRAY(BigInteger)))
    else:
        listed = json.dumps(list(ids))
        each = func.json_each(bindparam("ids")).table_valued("value")
        is_wanted = key.in_(select(each.c.value))
    result = connection.execute(select(*columns).where(is_wanted), {"ids": listed})
    assert result.cursor is not None, "a SELECT gives rows"
    rows: Sequence[Any] = result.cursor.fetchall()
    return rows
