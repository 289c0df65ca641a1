"""The audit trail: who changed what, when and how (spec §1.11, §9.4).

An entry is written in the transaction of what it tells of: neither is ever there without the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, true

from aftersend.database.schema import audit_entry

__all__ = ["OPERATOR_LENGTH_MAX", "AuditEntry", "count", "entries", "known"]
__all__ += ["write"]

OPERATOR_LENGTH_MAX: Final = 100
_NAME_LENGTH_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed: `operator` did `action` to the `entity` called `name`.

    `details` is what changed, as JSON knows it. At the command line the operator is ``cli:NAME``.
    """

    at: datetime
    entity: str
    name: str
    action: str
    operator: str
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


def write(connection: Connection, entry: AuditEntry) -> None:
    """Add an entry; names that are too long for their columns are cut."""
    row = {
        "at": entry.at,
        "entity": entry.entity,
        "name": entry.name[:_NAME_LENGTH_MAX],
        "action": entry.action,
        "operator": entry.operator[:OPERATOR_LENGTH_MAX],
        "details": dict(entry.details),
    }
    connection.execute(insert(audit_entry).values(row))


def entries(
    connection: Connection,
    *,
    entity: str | None = None,
    name: str | None = None,
    action: str | None = None,
    operator: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[AuditEntry]:
    """Give entries, newest first: all that fit what is given, from `since` to before `until`."""
    wanted = _wanted(
        entity=entity, name=name, action=action, operator=operator, since=since, until=until
    )
    rows = connection.execute(
        select(audit_entry)
        .where(wanted)
        .order_by(audit_entry.c.at.desc(), audit_entry.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [
        AuditEntry(
            at=row.at,
            entity=row.entity,
            name=row.name,
            action=row.action,
            operator=row.operator,
            details=row.details,
            id=row.id,
        )
        for row in rows
    ]


def count(
    connection: Connection,
    *,
    entity: str | None = None,
    name: str | None = None,
    action: str | None = None,
    operator: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Tell how many entries `entries` would give without a limit."""
    wanted = _wanted(
        entity=entity, name=name, action=action, operator=operator, since=since, until=until
    )
    found: int = connection.execute(
        select(func.count()).select_from(audit_entry).where(wanted)
    ).scalar_one()
    return found


def known(connection: Connection) -> dict[str, list[str]]:
    """Tell which entities, actions and operators there are entries of, for filters."""
    columns = (audit_entry.c.entity, audit_entry.c.action, audit_entry.c.operator)
    return {
        column.name: list(connection.execute(select(column).distinct().order_by(column)).scalars())
        for column in columns
    }


def _wanted(
    *, since: datetime | None, until: datetime | None, **equal: str | None
) -> ColumnElement[bool]:
    told = [audit_entry.c[column] == value for column, value in equal.items() if value is not None]
    if since is not None:
        told.append(audit_entry.c.at >= since)
    if until is not None:
        told.append(audit_entry.c.at < until)
    return and_(true(), *told)
