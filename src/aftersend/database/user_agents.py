"""User agents: each text once; hits carry only its number.

The number is the first 8 bytes of BLAKE2b over the UTF-8 text, signed and big-endian: the same on
every machine and for ever, because lakes hold it. 0 stands for no user agent at all.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b

from sqlalchemy import Connection

from aftersend.database.dialect import insert_or
from aftersend.database.lookup import select_by_ids
from aftersend.database.schema import user_agent

__all__ = ["agent_id", "keep", "unknown"]


def agent_id(text: str) -> int:
    """Number a user agent, in 64 bits with sign.

    >>> agent_id("Mozilla/5.0"), agent_id("")
    (1318407374697511714, 0)
    """
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


def unknown(connection: Connection, ids: Collection[int]) -> set[int]:
    """Tell which of some numbers have no text yet."""
    wanted = set(ids) - {0}
    known = select_by_ids(connection, (user_agent.c.id,), user_agent.c.id, wanted)
    return wanted - {number for (number,) in known}


def keep(connection: Connection, agents: Mapping[int, str]) -> None:
    """Keep texts by their numbers; those that are known stay as they are."""
    rows = [{"id": number, "text": text} for number, text in agents.items() if number]
    if rows:
        statement = insert_or(connection, user_agent).on_conflict_do_nothing()
        connection.execute(statement, rows)
