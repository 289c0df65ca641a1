"""What the instance remembers of URLs: those that are always tracked, and those that never are.

The key is the text of the URL, the scope the whole instance. Source: spec §3.5.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import url_memory
from aftersend.database.urls import source_hash
from aftersend.model.enumeration import TrackingMode

__all__ = ["Remembered", "forget", "of_sources", "remember"]

_KEYS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What later messages with a URL begin with."""

    source: str
    mode: TrackingMode
    label: str
    category: str


def remember(connection: Connection, new: Remembered, *, at: datetime) -> None:
    """Remember a URL, in place of what was known of it."""
    statement = insert_or(connection, url_memory).values(
        source_hash=source_hash(new.source),
        source=new.source,
        mode=new.mode,
        label=new.label,
        category=new.category,
        modified_at=at,
    )
    names = ("mode", "label", "category", "modified_at")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source_hash"],
            set_={name: statement.excluded[name] for name in names},
        )
    )


def forget(connection: Connection, source: str) -> None:
    """Remember nothing of a URL."""
    connection.execute(delete(url_memory).where(url_memory.c.source_hash == source_hash(source)))


def of_sources(connection: Connection, sources: Iterable[str]) -> dict[str, Remembered]:
    """Give what is remembered of some URLs, by URL."""
    keys = list({source_hash(source) for source in sources})
    found: dict[str, Remembered] = {}
    for start in range(0, len(keys), _KEYS_MAX):
        some = keys[start : start + _KEYS_MAX]
        for row in connection.execute(select(url_memory).where(url_memory.c.source_hash.in_(some))):
            found[row.source] = Remembered(
                row.source, TrackingMode(row.mode), row.label, row.category
            )
    return found
