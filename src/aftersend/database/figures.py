"""Reading what the figures of deliveries are made of.

Everything here was written down by sending and by consolidation; nothing reads a hit.
Source: spec §1.3, §1.10; architecture D8.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, union

from aftersend.database import enumerations, statistics
from aftersend.database.lookup import select_by_ids
from aftersend.database.outcomes import SUCCESS
from aftersend.database.schema import (
    delivery,
    delivery_indicator,
    delivery_log_stats,
    message,
    recipient,
    tracked_url,
)
from aftersend.errors import NotFound
from aftersend.model.enumeration import DeliveryKind, DeliveryState, FailureReason, MessageStatus
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, RecipientId, UrlId

__all__ = ["SUCCESS", "DeliveryFigures", "DomainFigures", "MessageRow", "UrlName", "by_domain"]
__all__ += ["contacted", "deliveries_of", "delivery_labels", "message_addresses"]
__all__ += ["message_count", "message_ids", "message_rows", "newest", "of_deliveries"]
__all__ += ["recipient_addresses", "url_ids", "url_names"]


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """One delivery and its counters; `reactions` by measure, empty before any consolidation.

    `pending` hits have come since and are not counted yet; none of them happened before
    `pending_from`.
    """

    id: DeliveryId
    internal_name: str
    label: str
    state: DeliveryState
    is_tracked: bool
    contact_at: datetime | None
    to_deliver: int
    text_count: int
    success: int
    error: int
    reactions: Mapping[str, float]
    computed_at: datetime | None
    pending: int = 0
    pending_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class DomainFigures:
    """What happened to the messages to the email domains of one name."""

    domain: str
    success: int = 0
    complaints: int = 0
    recipient_open: int = 0
    recipient_click: int = 0


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of the delivery log."""

    id: MessageId
    delivery_id: DeliveryId
    delivery: str
    recipient_id: RecipientId
    recipient: str
    status: MessageStatus
    reason: FailureReason
    at: datetime


@dataclass(frozen=True, slots=True)
class UrlName:
    """A tracked URL as people know it."""

    label: str
    source: str


def of_deliveries(
    connection: Connection, ids: Sequence[DeliveryId], *, reactions: Sequence[str]
) -> list[DeliveryFigures]:
    """Give the counters of some deliveries, in the order of their ids.

    `reactions` names columns of the delivery indicators.

    Raises:
        NotFound: one of them does not exist.
    """
    known = {row.id: row for row in _figures(connection, delivery.c.id.in_(ids), reactions)}
    for number in ids:
        if number not in known:
            raise NotFound("delivery", number)
    return [known[number] for number in sorted(known)]


def contacted(
    connection: Connection,
    *,
    since: datetime | None,
    until: datetime | None,
    reactions: Sequence[str],
) -> list[DeliveryFigures]:
    """Give the counters of the deliveries that were begun to be sent in a period, by id."""
    at = delivery.c.contact_at
    conditions: list[ColumnElement[bool]] = [at.is_not(None), delivery.c.deleted_at.is_(None)]
    if since is not None:
        conditions.append(at >= since)
    if until is not None:
        conditions.append(at < until)
    return _figures(connection, and_(*conditions), reactions)


def newest(
    connection: Connection, *, limit: int | None, offset: int, reactions: Sequence[str]
) -> list[DeliveryFigures]:
    """Give the counters of all deliveries, sent or not, the newest first; `limit` none: all.

    Deleted ones are left out, here and in `contacted`.
    """
    ids = select(delivery.c.id).where(delivery.c.deleted_at.is_(None))
    ids = ids.order_by(delivery.c.id.desc()).limit(limit).offset(offset)
    is_wanted = delivery.c.id.in_(ids)
    return _figures(connection, is_wanted, reactions)[::-1]


def by_domain(connection: Connection, ids: Collection[DeliveryId]) -> list[DomainFigures]:
    """Give the figures of some deliveries together, by name of the enumeration Domains.

    Messages are counted themselves for deliveries whose messages have changed since consolidation:
    so the domains always add up to the counter of the delivery.
    """
    changed = statistics.outdated(connection).intersection(ids)
    rows: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    stats = delivery_log_stats.c
    is_settled = stats.delivery_id.not_in(changed)
    kept = select(
        stats.domain,
        func.sum(case((is_settled, stats.success), else_=0)),
        func.sum(case((is_settled, stats.complaints), else_=0)),
        func.sum(stats.recipient_open),
        func.sum(stats.recipient_click),
    ).where(stats.delivery_id.in_(ids))
    for domain, *counts in connection.execute(kept.group_by(stats.domain)):
        rows[domain] = counts
    if changed:
        domains = enumerations.domains(connection)
        for column, condition in enumerate((_is_success(), _is_complaint())):
            query = _messages_by_domain(changed, condition)
            for domain, count in connection.execute(query):
                rows[domains.name_of(domain)][column] += count
    return [DomainFigures(domain, *figures) for domain, figures in sorted(rows.items())]


def deliveries_of(connection: Connection, recipient_id: RecipientId) -> list[DeliveryId]:
    """List the deliveries that have a message to a recipient, or may have web visits of one.

    A web tag may name a delivery that the recipient got no message of.
    """
    sent = select(message.c.delivery_id).where(message.c.recipient_id == recipient_id)
    visited = select(delivery_indicator.c.delivery_id).where(
        delivery_indicator.c.total_web_page > 0
    )
    visits = select(delivery.c.id).where(delivery.c.kind == DeliveryKind.WEB_VISITS)
    query = union(sent, visited, visits)
    return sorted(DeliveryId(number) for number in connection.execute(query).scalars())


def message_count(
    connection: Connection, ids: Collection[DeliveryId], statuses: Collection[MessageStatus] | None
) -> int:
    """Count the messages to recipients of some deliveries; without `statuses` all of them."""
    query = _messages(select(func.count()).select_from(message), ids, statuses)
    number: int = connection.execute(query).scalar_one()
    return number


def message_rows(
    connection: Connection,
    ids: Collection[DeliveryId],
    statuses: Collection[MessageStatus] | None,
    *,
    limit: int | None,
    offset: int,
) -> list[MessageRow]:
    """List the messages that `message_count` counts, in the order of sending."""
    columns = (message, delivery.c.label)
    joined = select(*columns).join(delivery, delivery.c.id == message.c.delivery_id)
    query = _messages(joined, ids, statuses).order_by(message.c.id).limit(limit).offset(offset)
    return [
        MessageRow(
            id=MessageId(row.id),
            delivery_id=DeliveryId(row.delivery_id),
            delivery=row.label,
            recipient_id=RecipientId(row.recipient_id),
            recipient=row.address,
            status=MessageStatus(row.status),
            reason=FailureReason(row.failure_reason),
            at=row.event_at,
        )
        for row in connection.execute(query)
    ]


def message_ids(
    connection: Connection, ids: Collection[DeliveryId], *, address: str
) -> list[MessageId]:
    """List the messages of some deliveries to addresses that hold a text, whatever its case."""
    query = select(message.c.id).where(
        message.c.delivery_id.in_(ids), message.c.address.icontains(address, autoescape=True)
    )
    return list(connection.execute(query).scalars())


def message_addresses(
    connection: Connection, ids: Collection[MessageId]
) -> Mapping[MessageId, str]:
    """Give the addresses that messages went to."""
    columns = (message.c.id, message.c.address)
    return dict(select_by_ids(connection, columns, message.c.id, ids))


def recipient_addresses(
    connection: Connection, ids: Collection[RecipientId]
) -> Mapping[RecipientId, str]:
    """Give the addresses of recipients."""
    columns = (recipient.c.id, recipient.c.email)
    return dict(select_by_ids(connection, columns, recipient.c.id, ids))


def delivery_labels(
    connection: Connection, ids: Collection[DeliveryId]
) -> Mapping[DeliveryId, str]:
    """Give the labels of deliveries."""
    columns = (delivery.c.id, delivery.c.label)
    return dict(select_by_ids(connection, columns, delivery.c.id, ids))


def url_names(connection: Connection, ids: Collection[UrlId]) -> Mapping[UrlId, UrlName]:
    """Give the labels and sources of tracked URLs; a web tag without a label has its tag id."""
    table = tracked_url.c
    columns = (table.id, table.label, table.source, table.tag_id)
    rows = select_by_ids(connection, columns, table.id, ids)
    return {number: UrlName(label or tag or "", source) for number, label, source, tag in rows}


def url_ids(
    connection: Connection, deliveries: Collection[DeliveryId], *, text: str = ""
) -> list[UrlId]:
    """List the tracked URLs of some deliveries, the Open URL and the web tags that hold a text.

    `text` is looked for in labels, sources and names of tags, whatever its case.
    """
    table = tracked_url.c
    is_shared = (table.id == OPEN_URL_ID) | table.tag_id.is_not(None)
    query = select(table.id).where(table.delivery_id.in_(deliveries) | is_shared)
    if text:
        columns = (table.label, table.source, table.tag_id)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    return list(connection.execute(query).scalars())


def _figures(
    connection: Connection, condition: ColumnElement[bool], reactions: Sequence[str]
) -> list[DeliveryFigures]:
    indicators = delivery_indicator.c
    rows = connection.execute(
        select(
            delivery,
            indicators.computed_at,
            indicators.pending,
            indicators.pending_from,
            *(indicators[name] for name in reactions),
        )
        .outerjoin(delivery_indicator, indicators.delivery_id == delivery.c.id)
        .where(condition)
        .order_by(delivery.c.id)
    )
    return [
        DeliveryFigures(
            id=DeliveryId(row.id),
            internal_name=row.internal_name,
            label=row.label,
            state=DeliveryState(row.state),
            is_tracked=row.is_tracked,
            contact_at=row.contact_at,
            to_deliver=row.to_deliver,
            text_count=row.text_count,
            success=row.success,
            error=row.error,
            reactions=_reactions(row, reactions),
            computed_at=row.computed_at,
            pending=row.pending or 0,
            pending_from=row.pending_from,
        )
        for row in rows
    ]


def _reactions(row: Any, names: Sequence[str]) -> Mapping[str, float]:
    if row.computed_at is None:
        return {}
    return {name: getattr(row, name) for name in names}


def _messages(
    query: Select[Any], ids: Collection[DeliveryId], statuses: Collection[MessageStatus] | None
) -> Select[Any]:
    query = query.where(message.c.delivery_id.in_(ids), message.c.is_seed.is_(False))
    return query if statuses is None else query.where(message.c.status.in_(statuses))


def _messages_by_domain(ids: Collection[DeliveryId], condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(message.c.domain, func.count())
        .where(message.c.delivery_id.in_(ids), message.c.is_seed.is_(False), condition)
        .group_by(message.c.domain)
    )


def _is_success() -> ColumnElement[bool]:
    return message.c.status.in_(SUCCESS)


def _is_complaint() -> ColumnElement[bool]:
    is_failed = message.c.status == MessageStatus.FAILED
    return is_failed & (message.c.failure_reason == FailureReason.DENYLISTED)
