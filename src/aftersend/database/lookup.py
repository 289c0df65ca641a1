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
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
)

from aftersend.database.schema import delivery, message, recipient, tracked_url

__all__ = [
    "deliveries_by_id",
    "messages_by_id",
    "messages_of",
    "recipients_by_field",
    "select_by_ids",
    "urls_by_id",
]


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


def deliveries_by_id(connection: Connection, ids: Collection[int]) -> set[int]:
    """Tell which of these deliveries there are."""
    rows = select_by_ids(connection, (delivery.c.id,), delivery.c.id, ids)
    return {number for (number,) in rows}


def messages_of(
    connection: Connection, recipients: Collection[int], deliveries: Collection[int]
) -> Sequence[tuple[int, int, int, str]]:
    """Give the messages of some deliveries to some recipients, the lowest ids first.

    Shape: one row per message: recipient id, delivery id, id, domain.
    """
    table = message.c
    columns = (table.recipient_id, table.delivery_id, table.id, table.domain)
    rows = select_by_ids(connection, columns, table.recipient_id, recipients)
    wanted = set(deliveries)
    return sorted((tuple(row) for row in rows if row[1] in wanted), key=lambda row: row[2])


def recipients_by_field(
    connection: Connection, field: str, texts: Collection[str]
) -> Sequence[tuple[str, int, str]]:
    """Give the recipients with one of these values in a field; addresses in lower case.

    Shape: one row per recipient: the value, id, domain.
    """
    table = recipient.c
    key = table.email if field == "email" else table.fields[field].as_string()
    return _select_by_keys(connection, (key, table.id, table.domain), key, texts, Text)


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
    return _select_by_keys(connection, columns, key, ids, BigInteger)


def _select_by_keys(
    connection: Connection,
    columns: Sequence[ColumnElement[Any]],
    key: ColumnElement[Any],
    keys: Collection[Any],
    kind: type[BigInteger | Text],
) -> Sequence[Any]:
    listed: Any
    if connection.dialect.name == "postgresql":
        listed = list(keys)
        is_wanted = key == any_(bindparam("keys", type_=ARRAY(kind)))
    else:
        listed = json.dumps(list(keys))
        each = func.json_each(bindparam("keys")).table_valued("value")
        is_wanted = key.in_(select(each.c.value))
    result = connection.execute(select(*columns).where(is_wanted), {"keys": listed})
    assert result.cursor is not None, "a SELECT gives rows"
    rows: Sequence[Any] = result.cursor.fetchall()
    return rows
