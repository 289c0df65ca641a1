"""Messages: the delivery log, one row a message to one address (spec §1.5).

Whole deliveries are read and written in batches of columns; nothing here asks once a recipient.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from aftersend.database.schema import delivery_target, message, recipient
from aftersend.errors import NotFound
from aftersend.model.enumeration import EmailFormat, FailureReason, FailureType, MessageStatus
from aftersend.model.ids import DeliveryId, MessageId, RecipientId

__all__ = [
    "Addressee",
    "Candidate",
    "Counts",
    "Message",
    "NewMessage",
    "Outcome",
    "add",
    "addressees",
    "by_id",
    "candidates",
    "counts",
    "first_addressees",
    "forget",
    "of_address",
    "page",
    "store_outcomes",
    "waiting",
]

_ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message (spec §1.5); `recipient_id` 0 for a seed address."""

    id: MessageId
    delivery_id: DeliveryId
    recipient_id: RecipientId
    address: str
    domain: str
    is_seed: bool
    is_text: bool
    status: MessageStatus
    failure_type: FailureType
    failure_reason: FailureReason
    failure_text: str
    event_at: datetime


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent."""

    recipient_id: RecipientId
    address: str
    domain: str
    is_text: bool
    is_seed: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the analysis must know of a recipient."""

    id: RecipientId
    email: str
    domain: str
    format: EmailFormat
    is_denylisted: bool


@dataclass(frozen=True, slots=True)
class Addressee:
    """What rendering must know of a message; `is_known` is false once the recipient is gone."""

    id: MessageId
    recipient_id: RecipientId
    address: str
    is_text: bool
    is_seed: bool
    is_known: bool
    is_denylisted: bool
    first_name: str
    last_name: str
    format: EmailFormat
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How sending a message ended."""

    id: MessageId
    status: MessageStatus
    at: datetime
    type: FailureType = FailureType.NOT_DEFINED
    reason: FailureReason = FailureReason.NOT_DEFINED
    text: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages to recipients stand where; seed addresses are left out."""

    sent: int
    failed: int
    waiting: int


def by_id(connection: Connection, message_id: MessageId) -> Message:
    """Give one message.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(message).where(message.c.id == message_id)).one_or_none()
    if row is None:
        raise NotFound("message", message_id)
    return _message(row)


def of_address(connection: Connection, delivery_id: DeliveryId, address: str) -> Message:
    """Give the message of a delivery to an address.

    Raises:
        NotFound: this delivery has no message to it.
    """
    row = connection.execute(
        select(message).where(
            message.c.delivery_id == delivery_id, message.c.address == address.strip().lower()
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"message of delivery {delivery_id} to", address)
    return _message(row)


def page(
    connection: Connection,
    delivery_id: DeliveryId,
    *,
    statuses: Collection[MessageStatus] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[Message]:
    """List the messages of a delivery in the order of sending."""
    query = select(message).where(message.c.delivery_id == delivery_id)
    if statuses is not None:
        query = query.where(message.c.status.in_(statuses))
    query = query.order_by(message.c.id).offset(offset).limit(limit)
    return [_message(row) for row in connection.execute(query)]


def counts(connection: Connection, delivery_id: DeliveryId) -> Counts:
    """Count the messages of a delivery by where they stand."""
    query = (
        select(message.c.status, func.count())
        .where(message.c.delivery_id == delivery_id, message.c.is_seed.is_(False))
        .group_by(message.c.status)
    )
    numbers = {MessageStatus(status): number for status, number in connection.execute(query)}
    return Counts(
        sent=numbers.get(MessageStatus.SENT, 0),
        failed=numbers.get(MessageStatus.FAILED, 0),
        waiting=numbers.get(MessageStatus.PENDING, 0),
    )


def candidates(
    connection: Connection, delivery_id: DeliveryId, *, is_target_all: bool
) -> Iterator[list[Candidate]]:
    """Read the target of a delivery in batches, by id."""
    columns = (
        recipient.c.id,
        recipient.c.email,
        recipient.c.domain,
        recipient.c.format,
        recipient.c.is_denylisted,
    )
    query = select(*columns).order_by(recipient.c.id).limit(_ROWS_MAX)
    if not is_target_all:
        query = query.join(delivery_target, delivery_target.c.recipient_id == recipient.c.id).where(
            delivery_target.c.delivery_id == delivery_id
        )
    last = 0
    while rows := connection.execute(query.where(recipient.c.id > last)).all():
        yield [
            Candidate(RecipientId(number), email, domain, EmailFormat(kind), is_denylisted)
            for number, email, domain, kind, is_denylisted in rows
        ]
        last = rows[-1].id


def forget(connection: Connection, delivery_id: DeliveryId) -> None:
    """Take out the messages of a delivery that was not sent; their ids are never used again."""
    connection.execute(delete(message).where(message.c.delivery_id == delivery_id))


def add(
    connection: Connection, delivery_id: DeliveryId, new: Sequence[NewMessage], *, at: datetime
) -> None:
    """Add messages that wait to be sent."""
    rows = [
        {
            "delivery_id": delivery_id,
            "recipient_id": each.recipient_id,
            "address": each.address,
            "domain": each.domain,
            "is_seed": each.is_seed,
            "is_text": each.is_text,
            "status": MessageStatus.PENDING,
            "event_at": at,
        }
        for each in new
    ]
    if rows:
        connection.execute(insert(message), rows)


def waiting(connection: Connection, delivery_id: DeliveryId) -> list[MessageId]:
    """List the messages of a delivery that wait to be sent, by id."""
    query = (
        select(message.c.id)
        .where(message.c.delivery_id == delivery_id, message.c.status == MessageStatus.PENDING)
        .order_by(message.c.id)
    )
    return [MessageId(number) for number in connection.execute(query).scalars()]


def addressees(connection: Connection, ids: Sequence[MessageId]) -> list[Addressee]:
    """Give what rendering needs of some messages, in the order of `ids`."""
    query = (
        select(
            message.c.id,
            message.c.recipient_id,
            message.c.address,
            message.c.is_text,
            message.c.is_seed,
            recipient.c.id.label("known_id"),
            recipient.c.is_denylisted,
            recipient.c.first_name,
            recipient.c.last_name,
            recipient.c.format,
            recipient.c.fields,
        )
        .outerjoin(recipient, recipient.c.id == message.c.recipient_id)
        .where(message.c.id.in_(ids))
    )
    found = {row.id: _addressee(row) for row in connection.execute(query)}
    return [found[number] for number in ids]


def first_addressees(
    connection: Connection, delivery_id: DeliveryId, *, limit: int
) -> list[Addressee]:
    """Give the first recipients of a delivery, seed addresses left out."""
    query = (
        select(message.c.id)
        .where(message.c.delivery_id == delivery_id, message.c.is_seed.is_(False))
        .order_by(message.c.id)
        .limit(limit)
    )
    ids = [MessageId(number) for number in connection.execute(query).scalars()]
    return addressees(connection, ids)


def store_outcomes(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down how sending some messages ended.

    Doing it twice is doing it once: what has come of a message since then stays.
    """
    if not outcomes:
        return
    statement = (
        update(message)
        .where(message.c.id == bindparam("_id"), message.c.status == MessageStatus.PENDING)
        .values(
            status=bindparam("_status"),
            event_at=bindparam("_at"),
            failure_type=bindparam("_type"),
            failure_reason=bindparam("_reason"),
            failure_text=bindparam("_text"),
        )
    )
    rows = [
        {
            "_id": each.id,
            "_status": each.status,
            "_at": each.at,
            "_type": each.type,
            "_reason": each.reason,
            "_text": each.text,
        }
        for each in outcomes
    ]
    connection.execute(statement, rows)


def _message(row: Any) -> Message:
    return Message(
        id=MessageId(row.id),
        delivery_id=DeliveryId(row.delivery_id),
        recipient_id=RecipientId(row.recipient_id),
        address=row.address,
        domain=row.domain,
        is_seed=row.is_seed,
        is_text=row.is_text,
        status=MessageStatus(row.status),
        failure_type=FailureType(row.failure_type),
        failure_reason=FailureReason(row.failure_reason),
        failure_text=row.failure_text,
        event_at=row.event_at,
    )


def _addressee(row: Any) -> Addressee:
    is_known = row.known_id is not None
    return Addressee(
        id=MessageId(row.id),
        recipient_id=RecipientId(row.recipient_id),
        address=row.address,
        is_text=row.is_text,
        is_seed=row.is_seed,
        is_known=is_known,
        is_denylisted=is_known and row.is_denylisted,
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        format=EmailFormat(row.format or 0),
        fields=row.fields or {},
    )
