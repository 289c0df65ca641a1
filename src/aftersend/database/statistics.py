"""What consolidation keeps of the lake: replaced per delivery, never added to.

Source: architecture D8; spec §1.3 (indicators), §1.10 (statistics tables).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, case, delete, func, insert, or_, select

from aftersend.database.dialect import insert_or
from aftersend.database.schema import (
    delivery,
    delivery_indicator,
    delivery_log_stats,
    message,
    option,
    tracking_stats,
)
from aftersend.model.enumeration import DeliveryState, MessageStatus
from aftersend.model.ids import DeliveryId

__all__ = [
    "DELIVERIES_MAX",
    "NOTHING_CONSOLIDATED",
    "Sent",
    "Statistics",
    "consolidated_version",
    "outdated",
    "replace",
    "sent",
    "sent_deliveries",
    "set_consolidated_version",
]

NOTHING_CONSOLIDATED: Final = -1
"""What `consolidated_version` gives before the first consolidation; versions begin at 0."""

DELIVERIES_MAX: Final = 1000
"""How many deliveries `replace` takes at once."""

_VERSION: Final = "tracking.consolidated_version"
_SUCCESS: Final = (
    MessageStatus.SENT,
    MessageStatus.TAKEN_INTO_ACCOUNT,
    MessageStatus.RECEIVED_ON_MOBILE,
)
_BEING_SENT: Final = (
    DeliveryState.IN_PROGRESS,
    DeliveryState.RECOVERY_IN_PROGRESS,
    DeliveryState.PAUSE_IN_PROGRESS,
)
_NO_REACTIONS: Final = dict.fromkeys(
    ("recipient_open", "recipient_click", "person_click", "opt_out"), 0
)
_NO_INDICATORS: Final = {
    **_NO_REACTIONS,
    **dict.fromkeys(("total_recipient_open", "total_recipient_click", "mirror_page"), 0),
    **dict.fromkeys(("total_web_page", "transaction", "amount", "article"), 0),
}


Sent: TypeAlias = dict[tuple[int, str], tuple[int, int]]
"""Success and error by delivery and domain."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of some deliveries as the lake gives them; rows are by column name.

    Shape: `indicators` one row per delivery that has hits; `domains` one row per delivery and
        email domain that has hits; `buckets` one row per delivery, URL and start of a period, of
        periods that start at `buckets_since` or later (none: of all).
    """

    deliveries: Collection[DeliveryId]
    indicators: Sequence[Mapping[str, Any]]
    domains: Sequence[Mapping[str, Any]]
    buckets: Sequence[Mapping[str, Any]]
    sent: Sent
    buckets_since: datetime | None = None


def consolidated_version(connection: Connection, rules: str) -> int:
    """Tell up to which version of the lake everything is consolidated by these `rules`."""
    query = select(option.c.value).where(option.c.name == _VERSION)
    value = connection.execute(query).scalar_one_or_none() or ""
    version, _, known = value.partition(" ")
    return int(version) if known == rules else NOTHING_CONSOLIDATED


def set_consolidated_version(connection: Connection, version: int, rules: str) -> None:
    """Note that everything up to `version` of the lake is consolidated by these `rules`."""
    statement = insert_or(connection, option)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"value": statement.excluded.value}
        ),
        {"name": _VERSION, "value": f"{version} {rules}"},
    )


def outdated(connection: Connection) -> set[DeliveryId]:
    """List the deliveries whose messages may have changed since their figures were computed."""
    computed_at = delivery_indicator.c.computed_at
    query = (
        select(delivery.c.id)
        .outerjoin(delivery_indicator, delivery_indicator.c.delivery_id == delivery.c.id)
        .where(delivery.c.contact_at.is_not(None))
        .where(
            or_(
                computed_at.is_(None),
                delivery.c.state.in_(_BEING_SENT),
                delivery.c.modified_at >= computed_at,
                delivery.c.ended_at >= computed_at,
            )
        )
    )
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def sent_deliveries(connection: Connection) -> set[DeliveryId]:
    """List the deliveries that were ever sent."""
    query = select(delivery.c.id).where(delivery.c.contact_at.is_not(None))
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def sent(
    connection: Connection, deliveries: Collection[DeliveryId], *, recounted: Collection[DeliveryId]
) -> Sent:
    """Tell how many messages to recipients succeeded and failed.

    They are counted for the deliveries in `recounted`; for others it is what was counted before.
    """
    now = [number for number in deliveries if number in recounted]
    before = [number for number in deliveries if number not in recounted]
    return {**_counted_before(connection, before), **_counted_now(connection, now)}


def replace(
    connection: Connection, statistics: Statistics, *, lake_version: int, at: datetime
) -> None:
    """Put new figures of some deliveries in the place of the old ones."""
    ids = sorted(statistics.deliveries)
    assert len(ids) <= DELIVERIES_MAX, "who calls goes on in portions"
    common = {"lake_version": lake_version, "computed_at": at}
    known = {row["delivery_id"]: row for row in statistics.indicators}
    indicators = [
        {**_NO_INDICATORS, **known.get(number, {"delivery_id": number}), **common} for number in ids
    ]
    _put(connection, delivery_indicator, ids, indicators)
    _put(connection, delivery_log_stats, ids, _domain_rows(statistics.domains, statistics.sent))
    since = statistics.buckets_since
    later = (tracking_stats.c.start >= since,) if since is not None else ()
    _put(connection, tracking_stats, ids, statistics.buckets, *later)


def _put(
    connection: Connection,
    table: Table,
    deliveries: Sequence[DeliveryId],
    rows: Sequence[Mapping[str, Any]],
    *where: ColumnElement[bool],
) -> None:
    connection.execute(delete(table).where(table.c.delivery_id.in_(deliveries), *where))
    if rows:
        connection.execute(insert(table), list(rows))


def _counted_now(connection: Connection, deliveries: Sequence[DeliveryId]) -> Sent:
    query = (
        select(
            message.c.delivery_id,
            message.c.domain,
            func.sum(case((message.c.status.in_(_SUCCESS), 1), else_=0)),
            func.sum(case((message.c.status == MessageStatus.FAILED, 1), else_=0)),
        )
        .where(message.c.delivery_id.in_(deliveries), message.c.is_seed.is_(False))
        .group_by(message.c.delivery_id, message.c.domain)
    )
    return _sent(connection.execute(query).all())


def _counted_before(connection: Connection, deliveries: Sequence[DeliveryId]) -> Sent:
    table = delivery_log_stats.c
    query = select(table.delivery_id, table.domain, table.success, table.error)
    return _sent(connection.execute(query.where(table.delivery_id.in_(deliveries))).all())


def _sent(rows: Sequence[Any]) -> Sent:
    return {(number, domain): (success, error) for number, domain, success, error in rows}


def _domain_rows(reactions: Sequence[Mapping[str, Any]], sent: Sent) -> list[Mapping[str, Any]]:
    reacted = {(row["delivery_id"], row["domain"]): row for row in reactions}
    rows: list[Mapping[str, Any]] = []
    for key in sorted(sent.keys() | reacted.keys()):
        if not key[1] and key not in sent:
            continue  # visitors whom nobody knows have no email domain
        success, error = sent.get(key, (0, 0))
        here = reacted.get(key, {})
        row = {"delivery_id": key[0], "domain": key[1], "success": success, "error": error}
        rows.append({name: here.get(name, 0) for name in _NO_REACTIONS} | row)
    return rows
