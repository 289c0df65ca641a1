"""Open enumerations: lists of values that grow by use.

The built-in values are always there and come first; the table holds the others.
Source: spec §1.7 (`urlCategory`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import enumeration_value
from aftersend.model.enumeration import URL_CATEGORIES

__all__ = ["URL_CATEGORY", "add", "values"]

URL_CATEGORY: Final = "urlCategory"

_BUILT_IN: Final[Mapping[str, Sequence[str]]] = {URL_CATEGORY: URL_CATEGORIES}


def values(connection: Connection, enumeration: str) -> list[str]:
    """List the values of an enumeration: the built-in ones, then the others by name."""
    table = enumeration_value.c
    query = select(table.value).where(table.enumeration == enumeration).order_by(table.value)
    built_in = _BUILT_IN.get(enumeration, ())
    added = connection.execute(query).scalars()
    return [*built_in, *(value for value in added if value not in built_in)]


def add(connection: Connection, enumeration: str, new: Iterable[str]) -> None:
    """Add values that are not blank; those that are there already stay."""
    rows = [
        {"enumeration": enumeration, "value": value, "label": value}
        for value in dict.fromkeys(new)
        if value.strip() and value not in _BUILT_IN.get(enumeration, ())
    ]
    if rows:
        connection.execute(insert_or(connection, enumeration_value).on_conflict_do_nothing(), rows)
