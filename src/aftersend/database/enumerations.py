"""Open enumerations: lists of values that grow by use, and aliases that are gathered under them.

The built-in values and aliases are always there; the tables hold what an instance has besides. An
alias in the table takes the place of the built-in one, and may send it to Others.
Source: spec §1.7 (`urlCategory`), §1.11 (Enumeration), §7.0 (Domain grouping).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import enumeration_alias, enumeration_value
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.domain import DOMAINS, OTHERS, Domains
from aftersend.model.enumeration import URL_CATEGORIES

__all__ = ["DOMAIN", "ENUMERATIONS", "URL_CATEGORY", "Alias", "add", "aliases", "discard_alias"]
__all__ += ["check_value", "domains", "remove", "set_alias", "values"]

URL_CATEGORY: Final = "urlCategory"
DOMAIN: Final = "domain"

ENUMERATIONS: Final[Mapping[str, str]] = {DOMAIN: "Domains", URL_CATEGORY: "URL categories"}
"""The enumerations that there are, with what people call them."""

_BUILT_IN: Final[Mapping[str, Sequence[str]]] = {
    URL_CATEGORY: URL_CATEGORIES,
    DOMAIN: tuple(DOMAINS),
}
_BUILT_IN_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {DOMAIN: Domains().aliases}
_REST: Final[Mapping[str, str]] = {DOMAIN: OTHERS}
_ALIAS_MAX: Final = 255
_VALUE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Alias:
    """A text that is gathered under a value; built in where nobody has modified it."""

    alias: str
    value: str
    modified_at: datetime | None = None


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


def remove(connection: Connection, enumeration: str, value: str) -> None:
    """Take a value out, with the aliases that are gathered under it.

    Raises:
        InvalidInput: it is built in.
        NotFound: there is none.
    """
    if value in _BUILT_IN.get(enumeration, ()):
        raise InvalidInput(f"{value} is built in; it stays.")
    if value not in values(connection, enumeration):
        raise NotFound("value", value)
    for table in (enumeration_value, enumeration_alias):
        connection.execute(
            delete(table).where(table.c.enumeration == enumeration, table.c.value == value)
        )


def aliases(connection: Connection, enumeration: str) -> list[Alias]:
    """List the aliases of an enumeration as they count now, by text."""
    table = enumeration_alias.c
    found = {
        alias: Alias(alias, value)
        for alias, value in _BUILT_IN_ALIASES.get(enumeration, {}).items()
    }
    query = select(table.alias, table.value, table.modified_at)
    for row in connection.execute(query.where(table.enumeration == enumeration)):
        found[row.alias] = Alias(row.alias, row.value, row.modified_at)
    return sorted(found.values(), key=lambda one: one.alias)


def set_alias(
    connection: Connection, enumeration: str, alias: str, value: str, *, at: datetime
) -> None:
    """Gather a text under a value from now on, whatever its case.

    Raises:
        InvalidInput: the text is empty or too long, or the enumeration has no aliases.
        NotFound: there is no such value.
    """
    text = alias.strip().lower()
    if enumeration not in _BUILT_IN_ALIASES:
        raise InvalidInput(f"The enumeration {enumeration} has no aliases.")
    if not 0 < len(text) <= _ALIAS_MAX:
        raise InvalidInput(f"An alias has 1 to {_ALIAS_MAX} characters.")
    if value != _REST[enumeration] and value not in values(connection, enumeration):
        raise NotFound("value", value)
    statement = insert_or(connection, enumeration_alias)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["enumeration", "alias"],
            set_={
                "value": statement.excluded.value,
                "modified_at": statement.excluded.modified_at,
            },
        ),
        {"enumeration": enumeration, "alias": text, "value": value, "modified_at": at},
    )


def discard_alias(connection: Connection, enumeration: str, alias: str) -> None:
    """Forget an alias; one that is built in is again what it was.

    Raises:
        NotFound: nobody has set it.
    """
    table = enumeration_alias.c
    statement = delete(enumeration_alias).where(
        table.enumeration == enumeration, table.alias == alias.strip().lower()
    )
    if not connection.execute(statement).rowcount:
        raise NotFound("alias", alias)


def check_value(enumeration: str, value: str) -> str:
    """Give a new value without the blanks around it.

    Raises:
        InvalidInput: it is empty or too long, or it names the rest.
    """
    text = value.strip()
    if not 0 < len(text) <= _VALUE_MAX:
        raise InvalidInput(f"A value has 1 to {_VALUE_MAX} characters.")
    if text == _REST.get(enumeration):
        raise InvalidInput(f"{text} is what no alias names; it is there already.")
    return text


def domains(connection: Connection) -> Domains:
    """Give the names under which email domains are gathered."""
    known = {one.alias: one.value for one in aliases(connection, DOMAIN)}
    gathered = {alias: value for alias, value in known.items() if value != OTHERS}
    return Domains(tuple(values(connection, DOMAIN)), gathered)
