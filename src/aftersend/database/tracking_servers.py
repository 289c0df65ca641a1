"""Tracking servers that run elsewhere: who they are and where we reach them (spec §2.2)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from aftersend.database.schema import tracking_server
from aftersend.errors import InvalidInput
from aftersend.model.ids import ServerId

__all__ = ["TrackingServer", "every", "put"]

_ID: Final = re.compile(r"[0-9A-Za-z]")
_URL: Final = re.compile(r"https?://[^\s/?#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """A registered tracking server; `internal_url` has no slash at its end."""

    id: ServerId
    internal_url: str


def every(connection: Connection) -> list[TrackingServer]:
    """Give all registered tracking servers, by id."""
    rows = connection.execute(select(tracking_server).order_by(tracking_server.c.id))
    return [TrackingServer(ServerId(row.id), row.internal_url) for row in rows]


def put(connection: Connection, *, server_id: str, internal_url: str, at: datetime) -> None:
    """Register a tracking server, or give a known one another address.

    Raises:
        InvalidInput: the id is not one letter or digit, or the address is no web address.
    """
    if not _ID.fullmatch(server_id):
        raise InvalidInput(f"The id {server_id!r} is not one letter or digit.")
    url = internal_url.rstrip("/")
    if not _URL.fullmatch(url):
        raise InvalidInput(f"{internal_url!r} is no address such as https://track.internal:8081.")
    connection.execute(delete(tracking_server).where(tracking_server.c.id == server_id))
    connection.execute(
        insert(tracking_server).values(id=server_id, internal_url=url, created_at=at)
    )
