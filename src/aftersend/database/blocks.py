"""Custom blocks: pieces of content that messages share, by name (spec §3.2)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import block
from aftersend.errors import InvalidInput, NotFound

__all__ = ["CONTENT_LENGTH_MAX", "Block", "discard", "every", "get", "put"]

CONTENT_LENGTH_MAX: Final = 1_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


@dataclass(frozen=True, slots=True)
class Block:
    """One custom block; a part that is empty is one the block is not made for."""

    name: str
    html: str
    text: str
    modified_at: datetime


def every(connection: Connection) -> list[Block]:
    """List the custom blocks by name."""
    return [_block(row) for row in connection.execute(select(block).order_by(block.c.name))]


def get(connection: Connection, name: str) -> Block:
    """Give one custom block.

    Raises:
        NotFound: there is none of this name.
    """
    row = connection.execute(select(block).where(block.c.name == name)).one_or_none()
    if row is None:
        raise NotFound("block", name)
    return _block(row)


def put(connection: Connection, name: str, *, html: str, text: str, at: datetime) -> None:
    """Keep a custom block, whether there was one of this name or not.

    Raises:
        InvalidInput: the name or the content is one that no block can have.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:120]!r} cannot name a block: take up to 100 letters, digits and _."
        )
    if len(html) > CONTENT_LENGTH_MAX or len(text) > CONTENT_LENGTH_MAX:
        raise InvalidInput(f"A block has at most {CONTENT_LENGTH_MAX:,} characters a part.")
    if not html.strip() and not text.strip():
        raise InvalidInput("The block is empty: give it HTML, text or both.")
    values = {"html": html, "text": text, "modified_at": at}
    insert = insert_or(connection, block).values(name=name, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))


def discard(connection: Connection, name: str) -> None:
    """Take a custom block away; messages analysed before keep what they have of it.

    Raises:
        NotFound: there is none of this name.
    """
    if not connection.execute(delete(block).where(block.c.name == name)).rowcount:
        raise NotFound("block", name)


def _block(row: Any) -> Block:
    return Block(row.name, row.html, row.text, row.modified_at)
