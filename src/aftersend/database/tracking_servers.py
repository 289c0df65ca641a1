"""Tracking servers that run elsewhere: who they are and how they stand (spec §2.2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from aftersend.database.schema import tracking_server
from aftersend.errors import InvalidInput
from aftersend.model.ids import ServerId

__all__ = [
    "TrackingServer",
    "check",
    "enrol",
    "every",
    "forget",
    "note_problem",
    "put",
]

_ID: Final = re.compile(r"[0-9A-Za-z]")
_URL: Final = re.compile(r"https?://[^\s/?#@]+", re.IGNORECASE)
_BUILD_LENGTH_MAX: Final = 50
_HOST_LENGTH_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """A tracking server; `internal_url` has no slash at its end.

    `registered_at`, `build` and `host` are of the last registration, None and empty before the
    first. `problem` says why it could not be registered or reached the last time.
    """

    id: ServerId
    internal_url: str
    registered_at: datetime | None = None
    build: str = ""
    host: str = ""
    problem: str = ""

    @property
    def is_registered(self) -> bool:
        """Tell whether it works for us, as far as we know."""
        return self.registered_at is not None


def check(server_id: str, internal_url: str) -> tuple[ServerId, str]:
    """Give id and address as they are kept.

    Raises:
        InvalidInput: the id is not one letter or digit, or the address is no web address.
    """
    if not _ID.fullmatch(server_id):
        raise InvalidInput(f"The id {server_id!r} is not one letter or digit.")
    url = internal_url.rstrip("/")
    if not _URL.fullmatch(url):
        raise InvalidInput(f"{internal_url!r} is no address such as https://track.internal:8081.")
    return ServerId(server_id), url


def every(connection: Connection) -> list[TrackingServer]:
    """Give all tracking servers that are kept, by id."""
    rows = connection.execute(select(tracking_server).order_by(tracking_server.c.id))
    return [_server(row) for row in rows]


def put(connection: Connection, *, server_id: str, internal_url: str, at: datetime) -> None:
    """Keep the address of a tracking server that is not registered yet, or give it another one.

    Raises:
        InvalidInput: the id is not one letter or digit, or the address is no web address.
    """
    known, url = check(server_id, internal_url)
    forget(connection, [known])
    row = {"id": known, "internal_url": url, "created_at": at}
    connection.execute(insert(tracking_server).values(row))


def enrol(
    connection: Connection,
    server_ids: Iterable[ServerId],
    *,
    internal_url: str,
    build: str,
    host: str,
    at: datetime,
) -> None:
    """Note that the servers behind one address were registered."""
    for server_id in server_ids:
        put(connection, server_id=server_id, internal_url=internal_url, at=at)
        values = {"build": build[:_BUILD_LENGTH_MAX], "host": host[:_HOST_LENGTH_MAX]}
        connection.execute(_one(server_id).values(registered_at=at, **values))


def note_problem(
    connection: Connection, server_id: ServerId, problem: str, *, is_registered: bool = True
) -> None:
    """Say what is wrong with a server, and whether it counts as registered all the same."""
    values: dict[str, Any] = {"problem": problem}
    if not is_registered:
        values["registered_at"] = None
    connection.execute(_one(server_id).values(values))


def forget(connection: Connection, server_ids: Iterable[ServerId]) -> None:
    """Keep some servers no more."""
    connection.execute(delete(tracking_server).where(tracking_server.c.id.in_(list(server_ids))))


def _one(server_id: ServerId) -> Any:
    return update(tracking_server).where(tracking_server.c.id == server_id)


def _server(row: Any) -> TrackingServer:
    return TrackingServer(
        id=ServerId(row.id),
        internal_url=row.internal_url,
        registered_at=row.registered_at,
        build=row.build,
        host=row.host,
        problem=row.problem,
    )
