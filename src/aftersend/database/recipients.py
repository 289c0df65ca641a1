"""Recipients: who messages can be sent to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, or_, select, update

from aftersend.database.dialect import insert_or
from aftersend.database.schema import recipient
from aftersend.errors import NotFound
from aftersend.model.enumeration import EmailFormat
from aftersend.model.ids import RecipientId

__all__ = [
    "BATCH_ROWS_MAX",
    "Profile",
    "Recipient",
    "Upserted",
    "by_email",
    "by_id",
    "count",
    "ids_of",
    "page",
    "set_denylisted",
    "set_preferences",
    "upsert",
]

BATCH_ROWS_MAX: Final = 5_000
"""A statement takes at most 32,766 values in SQLite."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient (spec §1.4); `fields` are the columns of the sender's own."""

    id: RecipientId
    email: str
    domain: str
    first_name: str
    last_name: str
    format: EmailFormat
    is_denylisted: bool
    fields: Mapping[str, str]
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What an import says about one address; what it does not say stays as it is."""

    email: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Of first_name, last_name and format, those that the import has."""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upserted:
    """The ids in the order of the profiles, and how many of them are new."""

    ids: Sequence[RecipientId]
    inserted: int


def by_id(connection: Connection, recipient_id: RecipientId) -> Recipient:
    """Give one recipient.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(recipient).where(recipient.c.id == recipient_id)).one_or_none()
    if row is None:
        raise NotFound("recipient", recipient_id)
    return _recipient(row)


def by_email(connection: Connection, email: str) -> Recipient:
    """Give the recipient with an address, however it is capitalised.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(
        select(recipient).where(recipient.c.email == email.strip().lower())
    ).one_or_none()
    if row is None:
        raise NotFound("recipient", email)
    return _recipient(row)


def count(connection: Connection, *, search: str = "") -> int:
    """Count recipients; see `page` for `search`."""
    number: int = connection.execute(_searched(select(func.count()), search)).scalar_one()
    return number


def page(
    connection: Connection, *, search: str = "", offset: int = 0, limit: int = 50
) -> list[Recipient]:
    """List recipients by address; `search` is a part of an address or a name."""
    query = _searched(select(recipient), search).order_by(recipient.c.email)
    return [_recipient(row) for row in connection.execute(query.offset(offset).limit(limit))]


def ids_of(connection: Connection, emails: Sequence[str]) -> dict[str, RecipientId]:
    """Find the ids of addresses in lower case; unknown ones are left out."""
    found: dict[str, RecipientId] = {}
    for start in range(0, len(emails), BATCH_ROWS_MAX):
        query = select(recipient.c.email, recipient.c.id).where(
            recipient.c.email.in_(emails[start : start + BATCH_ROWS_MAX])
        )
        found.update({email: RecipientId(number) for email, number in connection.execute(query)})
    return found


def upsert(connection: Connection, profiles: Sequence[Profile], *, at: datetime) -> Upserted:
    """Add recipients and bring known ones up to date.

    Nobody who asked not to be contacted is contacted again because of an import.
    Limits: `BATCH_ROWS_MAX` profiles, each address once, in lower case.
    """
    assert len(profiles) <= BATCH_ROWS_MAX, "the caller makes batches"
    query = (
        select(recipient.c.id, recipient.c.email, recipient.c.fields)
        .where(recipient.c.email.in_([profile.email for profile in profiles]))
        .with_for_update()
    )
    known = {row.email: row for row in connection.execute(query)}
    new = [_new_row(profile, at) for profile in profiles if profile.email not in known]
    if new:
        statement = insert_or(connection, recipient).on_conflict_do_nothing()
        connection.execute(statement, new)
    changed = [profile for profile in profiles if profile.email in known]
    if changed:
        columns = changed[0].columns
        statement = (
            update(recipient)
            .where(recipient.c.id == bindparam("_id"))
            .values({name: bindparam(f"_{name}") for name in (*columns, "fields", "modified_at")})
        )
        connection.execute(statement, [_changes(known[p.email], p, at) for p in changed])
    ids = ids_of(connection, [profile.email for profile in profiles])
    return Upserted([ids[profile.email] for profile in profiles], len(new))


def set_denylisted(connection: Connection, recipient_id: RecipientId, *, at: datetime) -> bool:
    """Never contact a recipient again; tell whether that is news."""
    changed = connection.execute(
        update(recipient)
        .where(recipient.c.id == recipient_id, recipient.c.is_denylisted.is_(False))
        .values(is_denylisted=True, modified_at=at)
    )
    return changed.rowcount > 0


def set_preferences(
    connection: Connection,
    recipient_id: RecipientId,
    *,
    kind: EmailFormat,
    is_denylisted: bool,
    at: datetime,
) -> None:
    """Write down the format that a recipient chose, and whether he wants mail at all."""
    connection.execute(
        update(recipient)
        .where(recipient.c.id == recipient_id)
        .values(format=kind, is_denylisted=is_denylisted, modified_at=at)
    )


def _new_row(profile: Profile, at: datetime) -> dict[str, Any]:
    return {
        "email": profile.email,
        "domain": profile.email.rpartition("@")[2],
        "first_name": profile.columns.get("first_name", ""),
        "last_name": profile.columns.get("last_name", ""),
        "format": profile.columns.get("format", EmailFormat.UNDEFINED),
        "is_denylisted": False,
        "fields": dict(profile.fields),
        "created_at": at,
        "modified_at": at,
    }


def _changes(known: Any, profile: Profile, at: datetime) -> dict[str, Any]:
    changes = {f"_{name}": value for name, value in profile.columns.items()}
    return {
        **changes,
        "_id": known.id,
        "_fields": {**known.fields, **profile.fields},
        "_modified_at": at,
    }


def _searched(query: Select[Any], search: str) -> Select[Any]:
    if not search:
        return query.select_from(recipient)
    columns = (recipient.c.email, recipient.c.first_name, recipient.c.last_name)
    return query.select_from(recipient).where(
        or_(*(column.icontains(search, autoescape=True) for column in columns))
    )


def _recipient(row: Any) -> Recipient:
    return Recipient(
        id=RecipientId(row.id),
        email=row.email,
        domain=row.domain,
        first_name=row.first_name,
        last_name=row.last_name,
        format=EmailFormat(row.format),
        is_denylisted=row.is_denylisted,
        fields=row.fields,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )
