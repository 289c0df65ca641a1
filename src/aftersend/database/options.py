"""Options: named texts of the instance, such as the formulas of links (spec §2.3)."""

import re
from typing import Final

from sqlalchemy import Connection, delete, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import option
from aftersend.errors import InvalidInput, NotFound

__all__ = ["FORMULAS", "VALUE_LENGTH_MAX", "discard", "every", "get", "put"]

VALUE_LENGTH_MAX: Final = 1_000_000
FORMULAS: Final = {
    "click_formula": "NmsTracking_ClickFormula",
    "open_formula": "NmsTracking_OpenFormula",
    "link_parameters": "NmsTracking_LinkParameters",
}
"""The options that are formulas of the instance, by the name of a delivery's own."""
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


def every(connection: Connection) -> dict[str, str]:
    """Give the value of every option by its name, in the order of the names."""
    rows = connection.execute(select(option).order_by(option.c.name))
    return {row.name: row.value for row in rows}


def get(connection: Connection, name: str) -> str:
    """Give the value of an option.

    Raises:
        NotFound: it was never set.
    """
    value = connection.execute(select(option.c.value).where(option.c.name == name)).scalar()
    if value is None:
        raise NotFound("option", name)
    return str(value)


def put(connection: Connection, name: str, value: str) -> None:
    """Set an option, whether it was set before or not.

    Raises:
        InvalidInput: the name or the value is one that no option can have.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:120]!r} cannot name an option: take up to 100 letters, digits and _."
        )
    if len(value) > VALUE_LENGTH_MAX:
        raise InvalidInput(f"The value has more than {VALUE_LENGTH_MAX:,} characters.")
    insert = insert_or(connection, option).values(name=name, value=value)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def discard(connection: Connection, name: str) -> None:
    """Take an option away.

    Raises:
        NotFound: it was never set.
    """
    if not connection.execute(delete(option).where(option.c.name == name)).rowcount:
        raise NotFound("option", name)
