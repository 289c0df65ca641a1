"""What consolidation keeps of the lake: replaced per delivery, never added to.

What is as it was is not written. Deliveries that are frozen are left alone whatever is asked.

Source: architecture D8; spec §1.3 (indicators), §1.10 (statistics tables), §2.4 (thresholds).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from aftersend.database.dialect import insert_or
from aftersend.database.outcomes import OUTCOMES, Outcomes
from aftersend.database.replacing import replace_rows
from aftersend.database.schema import (
    delivery,
    delivery_indicator,
    delivery_log_stats,
    delivery_rule_stats,
    option,
    tracking_stats,
)
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = [
    "DELIVERIES_MAX",
    "NOTHING_CONSOLIDATED",
    "Pending",
    "Standing",
    "Statistics",
    "consolidated_version",
    "frozen",
    "outdated",
    "overdue",
    "replace",
    "sent_deliveries",
    "set_consolidated_version",
    "standings",
    "wait",
]

NOTHING_CONSOLIDATED: Final = -1
"""What `consolidated_version` gives before the first consolidation; versions begin at 0."""

DELIVERIES_MAX: Final = 1000
"""How many deliveries `replace` takes at once."""

_VERSION: Final = "tracking.consolidated_version"
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
    **dict.fromkeys(("total_web_page", "transaction", "amount", "article", "hits"), 0),
}


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of some deliveries as the lake gives them; rows are by column name.

    Shape: `indicators` one row per delivery that has hits; `domains` one row per delivery and
        name of domain that has hits; `buckets` one row per delivery, URL and start of a period, of
        periods that start at `buckets_since` or later (none: of all); `rules` one row per
        delivery, rule and URL type with the `hits` that the rule took out.
    """

    deliveries: Collection[DeliveryId]
    indicators: Sequence[Mapping[str, Any]]
    domains: Sequence[Mapping[str, Any]]
    buckets: Sequence[Mapping[str, Any]]
    outcomes: Outcomes
    rules: Sequence[Mapping[str, Any]] = ()
    buckets_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Hits that no figure counts yet: how many, since when they wait, and the earliest.

    No hit of them happened before `pending_from`; none: nobody knows.
    """

    pending: int = 0
    pending_since: datetime | None = None
    pending_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the figures of a delivery stand: of which version of the lake, from how many hits.

    `valid_until` is when the delivery ends being valid; none: never.
    """

    lake_version: int
    hits: int
    pending: Pending
    valid_until: datetime | None


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
    """List the deliveries whose messages may have changed since their figures were computed.

    Frozen ones have not changed, whatever was purged of them; of purged messages nothing is counted
    again.
    """
    computed_at = delivery_indicator.c.computed_at
    has_all = and_(
        delivery_indicator.c.is_frozen.is_(False), delivery.c.messages_purged_at.is_(None)
    )
    query = (
        select(delivery.c.id)
        .outerjoin(delivery_indicator, delivery_indicator.c.delivery_id == delivery.c.id)
        .where(delivery.c.contact_at.is_not(None))
        # Once messages were removed, what was counted before is all there is.
        .where(delivery.c.messages_purged_at.is_(None))
        .where(
            or_(
                computed_at.is_(None),
                has_all & delivery.c.state.in_(_BEING_SENT),
                has_all & (delivery.c.modified_at >= computed_at),
                has_all & (delivery.c.ended_at >= computed_at),
            )
        )
    )
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def sent_deliveries(connection: Connection) -> set[DeliveryId]:
    """List the deliveries that were ever sent."""
    query = select(delivery.c.id).where(delivery.c.contact_at.is_not(None))
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def frozen(
    connection: Connection, deliveries: Collection[DeliveryId] | None = None
) -> set[DeliveryId]:
    """List the deliveries, of some or (none named) of all, whose figures stay for ever."""
    table = delivery_indicator.c
    query = select(table.delivery_id).where(table.is_frozen.is_(True))
    if deliveries is not None:
        query = query.where(table.delivery_id.in_(deliveries))
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def standings(
    connection: Connection, deliveries: Collection[DeliveryId]
) -> dict[DeliveryId, Standing]:
    """Tell how the figures of some deliveries stand; those without any are left out."""
    table = delivery_indicator.c
    query = select(delivery_indicator, delivery.c.contact_at, delivery.c.validity_s).outerjoin(
        delivery, delivery.c.id == table.delivery_id
    )
    found = {}
    for ids in _portions(deliveries):
        for row in connection.execute(query.where(table.delivery_id.in_(ids))):
            found[DeliveryId(row.delivery_id)] = Standing(
                lake_version=row.lake_version,
                hits=row.hits,
                pending=Pending(row.pending, row.pending_since, row.pending_from),
                valid_until=_valid_until(row.contact_at, row.validity_s),
            )
    return found


def overdue(connection: Connection, before: datetime) -> set[DeliveryId]:
    """List the deliveries whose hits wait since `before`, or longer."""
    table = delivery_indicator.c
    query = select(table.delivery_id).where(table.pending > 0, table.pending_since <= before)
    return {DeliveryId(number) for number in connection.execute(query).scalars()}


def wait(connection: Connection, waiting: Mapping[DeliveryId, Pending]) -> None:
    """Note what is not counted yet."""
    rows = [{"number": number, **asdict(pending)} for number, pending in waiting.items()]
    if rows:
        statement = update(delivery_indicator)
        statement = statement.where(delivery_indicator.c.delivery_id == bindparam("number"))
        connection.execute(statement, rows)


def replace(
    connection: Connection, statistics: Statistics, *, lake_version: int, at: datetime
) -> None:
    """Put new figures of some deliveries in the place of the old ones; nothing waits then."""
    assert len(statistics.deliveries) <= DELIVERIES_MAX, "who calls goes on in portions"
    # Looked at here, because a purge may have begun since the hits were counted.
    ids = sorted(set(statistics.deliveries) - frozen(connection, statistics.deliveries))
    common = {"lake_version": lake_version, "computed_at": at, "is_frozen": False}
    known = {row["delivery_id"]: row for row in statistics.indicators}
    indicators = [
        {**_NO_INDICATORS, "delivery_id": number, **known.get(number, {})}
        | asdict(Pending())
        | common
        for number in ids
    ]
    for table, rows in (
        (delivery_indicator, indicators),
        (delivery_log_stats, _domain_rows(statistics)),
        (delivery_rule_stats, statistics.rules),
        (tracking_stats, statistics.buckets),
    ):
        where: ColumnElement[bool] = table.c.delivery_id.in_(ids)
        if table is tracking_stats and statistics.buckets_since is not None:
            where &= tracking_stats.c.start >= statistics.buckets_since
        mine = [row for row in rows if row["delivery_id"] in set(ids)]
        replace_rows(connection, table, mine, where=where)


def _domain_rows(statistics: Statistics) -> list[Mapping[str, Any]]:
    reacted = {(row["delivery_id"], row["domain"]): row for row in statistics.domains}
    rows: list[Mapping[str, Any]] = []
    for key in sorted(statistics.outcomes.keys() | reacted.keys()):
        if not key[1] and key not in statistics.outcomes:
            continue  # visitors whom nobody knows have no email domain
        sent = statistics.outcomes.get(key, {})
        here = reacted.get(key, {})
        row = {"delivery_id": key[0], "domain": key[1]}
        row |= {name: sent.get(name, 0) for name in OUTCOMES}
        rows.append(row | {name: here.get(name, 0) for name in _NO_REACTIONS})
    return rows


def _valid_until(contact_at: datetime | None, validity_s: int | None) -> datetime | None:
    if contact_at is None or not validity_s:
        return None
    return contact_at + timedelta(seconds=validity_s)


def _portions(deliveries: Collection[DeliveryId]) -> Iterable[Sequence[DeliveryId]]:
    ids = sorted(deliveries)
    return (ids[at : at + DELIVERIES_MAX] for at in range(0, len(ids), DELIVERIES_MAX))
