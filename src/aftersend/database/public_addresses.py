"""Public addresses of tracking servers: when they were looked at, and where they led."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import public_address
from aftersend.model.ids import ServerId

__all__ = ["PublicAddress", "every", "note"]


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """One public address as it was found at `checked_at`; nothing more is known than then.

    `verified_at` is when it last led to tracking servers of ours, `servers` who answered the last
    time, `problem` a sentence about what was wrong.
    """

    url: str
    checked_at: datetime
    verified_at: datetime | None
    servers: tuple[ServerId, ...] = ()
    problem: str = ""

    @property
    def is_verified(self) -> bool:
        """Tell whether it led to our servers when it was looked at the last time."""
        return self.verified_at == self.checked_at


def every(connection: Connection) -> dict[str, PublicAddress]:
    """Give what is known of each address that was ever looked at, by address."""
    rows = connection.execute(select(public_address).order_by(public_address.c.url))
    return {row.url: _address(row) for row in rows}


def note(connection: Connection, found: PublicAddress) -> None:
    """Keep what an address was found to be; a failure leaves when it was last verified."""
    values = {
        "checked_at": found.checked_at,
        "servers": "".join(found.servers),
        "problem": found.problem,
    }
    if found.verified_at is not None:
        values["verified_at"] = found.verified_at
    new = insert_or(connection, public_address).values(url=found.url, **values)
    connection.execute(new.on_conflict_do_update(index_elements=["url"], set_=values))


def _address(row: Any) -> PublicAddress:
    return PublicAddress(
        url=row.url,
        checked_at=row.checked_at,
        verified_at=row.verified_at,
        servers=tuple(ServerId(one) for one in row.servers),
        problem=row.problem,
    )
