"""Putting rows in the place of others, and writing only what differs.

Figures are computed anew as a whole, though most of them are as they were: what is not written
costs no log, no index and no copy elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

__all__ = ["replace_rows"]


def replace_rows(
    connection: Connection,
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    where: ColumnElement[bool],
) -> None:
    """Let `rows` be the rows of a table of which `where` is true.

    Shape: each row has all columns of the table, and `where` is true of it.
    """
    keys, names = [each.name for each in table.primary_key], [each.name for each in table.columns]
    places = [names.index(name) for name in keys]
    found = connection.execute(select(table).where(where))
    old = {tuple(row[at] for at in places): tuple(row) for row in found}
    new = {tuple(row[name] for name in keys): tuple(row[name] for name in names) for row in rows}
    is_it = and_(*(table.c[name] == bindparam(f"old_{name}") for name in keys))
    gone = [_old_key(keys, key) for key in old.keys() - new.keys()]
    if gone:
        connection.execute(delete(table).where(is_it), gone)
    changed = [
        dict(zip(names, row, strict=True)) | _old_key(keys, key)
        for key, row in new.items()
        if key in old and old[key] != row
    ]
    if changed:
        values: dict[str, Any] = {name: bindparam(name) for name in names if name not in keys}
        connection.execute(update(table).where(is_it).values(values), changed)
    added = [dict(zip(names, row, strict=True)) for key, row in new.items() if key not in old]
    if added:
        connection.execute(insert(table), added)


def _old_key(names: Sequence[str], key: Sequence[Any]) -> dict[str, Any]:
    return {f"old_{name}": value for name, value in zip(names, key, strict=True)}
