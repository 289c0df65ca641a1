"""Messages to recipients counted by how they ended, under the names of their email domains.

Source: spec §1.6, §1.10 (deliveryLogStats).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, case, func, select, true

from aftersend.database.schema import delivery, delivery_log_stats, message
from aftersend.model.domain import Domains
from aftersend.model.enumeration import FailureReason, MessageStatus
from aftersend.model.ids import DeliveryId

__all__ = ["OUTCOMES", "SUCCESS", "Outcomes", "outcomes"]

SUCCESS: Final = (
    MessageStatus.SENT,
    MessageStatus.TAKEN_INTO_ACCOUNT,
    MessageStatus.RECEIVED_ON_MOBILE,
)
"""The statuses that the figure Success counts (spec §7.2)."""

Outcomes: TypeAlias = dict[tuple[int, str], Mapping[str, int]]
"""Counts by delivery and name of domain: one number for each of `OUTCOMES`."""

_REASONS: Final = {
    "user_unknown": FailureReason.USER_UNKNOWN,
    "invalid_domain": FailureReason.INVALID_DOMAIN,
    "unreachable": FailureReason.UNREACHABLE,
    "account_disabled": FailureReason.ACCOUNT_DISABLED,
    "mailbox_full": FailureReason.MAILBOX_FULL,
    "not_connected": FailureReason.NOT_CONNECTED,
    "refused": FailureReason.REFUSED,
    "complaints": FailureReason.DENYLISTED,
}
_FAILED: Final = message.c.status == MessageStatus.FAILED
_CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "prepared": true(),
    "success": message.c.status.in_(SUCCESS),
    "error": _FAILED,
    **{name: _FAILED & (message.c.failure_reason == reason) for name, reason in _REASONS.items()},
}

OUTCOMES: Final = tuple(_CONDITIONS)
"""The columns of `delivery_log_stats` that count messages."""


def outcomes(
    connection: Connection,
    deliveries: Collection[DeliveryId],
    *,
    recounted: Collection[DeliveryId],
    domains: Domains,
) -> Outcomes:
    """Count the messages to recipients of some deliveries.

    They are counted for the deliveries in `recounted`, unless messages of them were purged; for
    others it is what was counted before.
    """
    purged = _purged(connection, deliveries)
    now = {number for number in deliveries if number in recounted} - purged
    before = [number for number in deliveries if number not in now]
    return {
        **_counted_before(connection, before),
        **_counted_now(connection, sorted(now), domains),
    }


def _purged(connection: Connection, deliveries: Collection[DeliveryId]) -> set[DeliveryId]:
    query = select(delivery.c.id).where(
        delivery.c.id.in_(deliveries), delivery.c.messages_purged_at.is_not(None)
    )
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def _counted_now(
    connection: Connection, deliveries: Sequence[DeliveryId], domains: Domains
) -> Outcomes:
    counts = (func.sum(case((condition, 1), else_=0)) for condition in _CONDITIONS.values())
    query = (
        select(message.c.delivery_id, message.c.domain, *counts)
        .where(message.c.delivery_id.in_(deliveries), message.c.is_seed.is_(False))
        .group_by(message.c.delivery_id, message.c.domain)
    )
    sums: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(OUTCOMES))
    for number, domain, *found in connection.execute(query):
        key = (number, domains.name_of(domain))
        sums[key] = [a + b for a, b in zip(sums[key], found, strict=True)]
    return _named((*key, *found) for key, found in sums.items())


def _counted_before(connection: Connection, deliveries: Sequence[DeliveryId]) -> Outcomes:
    table = delivery_log_stats.c
    columns = (table[name] for name in OUTCOMES)
    query = select(table.delivery_id, table.domain, *columns)
    found = _named(connection.execute(query.where(table.delivery_id.in_(deliveries))))
    # A row may stand there for its reactions alone.
    return {key: counts for key, counts in found.items() if any(counts.values())}


def _named(rows: Iterable[Any]) -> Outcomes:
    return {
        (number, name): dict(zip(OUTCOMES, counts, strict=True)) for number, name, *counts in rows
    }
