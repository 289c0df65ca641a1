"""Deliveries: what is sent, to whom, and how far it is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from aftersend.database.schema import analysis_check, content, delivery, delivery_target, exclusion
from aftersend.errors import NotFound
from aftersend.model.enumeration import (
    DeliveryKind,
    DeliveryState,
    FailureReason,
    MirrorMode,
    PixelPlace,
    Severity,
)
from aftersend.model.ids import DeliveryId, RecipientId

__all__ = [
    "Check",
    "Delivery",
    "Exclusion",
    "Expanded",
    "NewDelivery",
    "Texts",
    "add",
    "add_checks",
    "add_exclusions",
    "add_targets",
    "change",
    "change_content",
    "checks",
    "count",
    "exclusions",
    "expanded",
    "forget_analysis",
    "get",
    "listing",
    "move",
    "rejected",
    "store_expanded",
    "texts",
]

_ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending action (spec §1.3).

    `to_deliver` counts messages to recipients, `text_count` those of them in text alone, `success`
    and `error` how they ended; seed addresses are counted nowhere. `validity_s` and `resources_s`
    count from the contact date, 0 is for ever; `untracked_reason` says why the analysis had to
    leave it without tracking. A proof or tracking test was made from the delivery `origin_id`.
    """

    id: DeliveryId
    internal_name: str
    label: str
    state: DeliveryState
    sender: str
    subject: str
    is_tracked: bool
    is_open_tracked: bool
    is_target_all: bool
    to_deliver: int
    text_count: int
    rejected: int
    success: int
    error: int
    created_at: datetime
    modified_at: datetime
    analysed_at: datetime | None
    contact_at: datetime | None
    ended_at: datetime | None
    kind: DeliveryKind = DeliveryKind.MAIN
    origin_id: DeliveryId | None = None
    proof_number: int = 0
    validity_s: int = 0
    resources_s: int = 0
    substitution_url: str = ""
    pixel: PixelPlace = PixelPlace.BOTTOM
    brand: str = ""
    mirror_mode: MirrorMode = MirrorMode.IF_LINKED
    click_formula: str = ""
    open_formula: str = ""
    link_parameters: str = ""
    untracked_reason: str = ""
    deleted_at: datetime | None = None
    messages_purged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What a delivery begins with."""

    label: str
    sender: str
    subject: str
    html: str | None
    text: str | None
    is_target_all: bool
    variables: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Texts:
    """The content of a delivery as its author wrote it.

    Instructions in it may name the `variables` and the loaded `objects`, both by name.
    """

    html: str | None
    text: str | None
    variables: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expanded:
    """The content of a delivery after its instructions were carried out."""

    subject: str
    html: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """What the analysis found: a `rule` by name and a sentence."""

    level: Severity
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Somebody who was taken out of the target."""

    recipient_id: RecipientId
    address: str
    reason: FailureReason


def add(connection: Connection, new: NewDelivery, *, at: datetime) -> DeliveryId:
    """Add a delivery that is being edited."""
    values = {
        # The real name needs the id. Two transactions never see each other's empty one.
        "internal_name": "",
        "label": new.label,
        "state": DeliveryState.BEING_EDITED,
        "sender": new.sender,
        "subject": new.subject,
        "is_target_all": new.is_target_all,
        "created_at": at,
        "modified_at": at,
    }
    key = connection.execute(insert(delivery).values(values)).inserted_primary_key
    assert key is not None, "the column counts up"
    delivery_id = DeliveryId(key[0])
    change(connection, delivery_id, internal_name=f"DM{delivery_id}")
    connection.execute(
        insert(content).values(
            delivery_id=delivery_id,
            html=new.html,
            text=new.text,
            variables=dict(new.variables),
            objects=dict(new.objects),
        )
    )
    return delivery_id


def get(connection: Connection, delivery_id: DeliveryId, *, is_held: bool = False) -> Delivery:
    """Give one delivery; when `is_held`, nobody else changes it before the transaction ends.

    Raises:
        NotFound: there is none with this id.
    """
    query = select(delivery).where(delivery.c.id == delivery_id)
    if is_held:
        query = query.with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("delivery", delivery_id)
    return _delivery(row)


def listing(
    connection: Connection,
    *,
    states: Collection[DeliveryState] | None = None,
    offset: int = 0,
    limit: int = 1000,
) -> list[Delivery]:
    """List deliveries, the newest first; all `states` unless some are named; no deleted ones."""
    query = select(delivery).order_by(delivery.c.id.desc()).offset(offset).limit(limit)
    query = query.where(delivery.c.deleted_at.is_(None))
    if states is not None:
        query = query.where(delivery.c.state.in_(states))
    return [_delivery(row) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """Count deliveries, but for deleted ones."""
    query = select(func.count()).select_from(delivery).where(delivery.c.deleted_at.is_(None))
    return connection.execute(query).scalar_one()


def texts(connection: Connection, delivery_id: DeliveryId) -> Texts:
    """Give the content of a delivery as it was written."""
    row = connection.execute(select(content).where(content.c.delivery_id == delivery_id)).one()
    return Texts(row.html, row.text, row.variables, row.objects)


def change_content(connection: Connection, delivery_id: DeliveryId, **values: Any) -> None:
    """Set columns of a content; what its instructions gave before is forgotten."""
    forgotten = dict.fromkeys(("expanded_subject", "expanded_html", "expanded_text"))
    connection.execute(
        update(content).where(content.c.delivery_id == delivery_id).values({**forgotten, **values})
    )


def expanded(connection: Connection, delivery_id: DeliveryId) -> Expanded:
    """Give the content of a delivery as the last analysis made it; else as it was written."""
    query = (
        select(
            func.coalesce(content.c.expanded_subject, delivery.c.subject).label("subject"),
            func.coalesce(content.c.expanded_html, content.c.html).label("html"),
            func.coalesce(content.c.expanded_text, content.c.text).label("text"),
        )
        .join_from(content, delivery)
        .where(content.c.delivery_id == delivery_id)
    )
    row = connection.execute(query).one()
    return Expanded(row.subject, row.html, row.text)


def store_expanded(connection: Connection, delivery_id: DeliveryId, new: Expanded) -> None:
    """Keep what the instructions of a content gave."""
    subject = get(connection, delivery_id).subject
    written = texts(connection, delivery_id)
    change_content(
        connection,
        delivery_id,
        expanded_subject=None if new.subject == subject else new.subject,
        expanded_html=None if new.html == written.html else new.html,
        expanded_text=None if new.text == written.text else new.text,
    )


def change(connection: Connection, delivery_id: DeliveryId, **values: Any) -> None:
    """Set columns of a delivery."""
    connection.execute(update(delivery).where(delivery.c.id == delivery_id).values(values))


def move(
    connection: Connection,
    delivery_id: DeliveryId,
    *,
    before: Collection[DeliveryState],
    after: DeliveryState,
    **values: Any,
) -> bool:
    """Bring a delivery from one of the states `before` to `after`; tell whether it was in one."""
    changed = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.state.in_(before))
        .values(state=after, **values)
    )
    return changed.rowcount == 1


def add_targets(
    connection: Connection, delivery_id: DeliveryId, recipient_ids: Iterable[RecipientId]
) -> None:
    """Name the recipients of a delivery that is not for all."""
    rows = [{"delivery_id": delivery_id, "recipient_id": each} for each in recipient_ids]
    for start in range(0, len(rows), _ROWS_MAX):
        connection.execute(insert(delivery_target), rows[start : start + _ROWS_MAX])


def add_exclusions(
    connection: Connection,
    delivery_id: DeliveryId,
    excluded: Sequence[Exclusion],
    *,
    at: datetime,
) -> None:
    """Write down who was taken out of the target, and why."""
    rows = [
        {
            "delivery_id": delivery_id,
            "recipient_id": each.recipient_id,
            "address": each.address,
            "reason": each.reason,
            "created_at": at,
        }
        for each in excluded
    ]
    if rows:
        connection.execute(insert(exclusion), rows)


def exclusions(
    connection: Connection, delivery_id: DeliveryId, *, offset: int = 0, limit: int = 1000
) -> list[Exclusion]:
    """List who was taken out of the target, in the order of the analysis."""
    query = (
        select(exclusion)
        .where(exclusion.c.delivery_id == delivery_id)
        .order_by(exclusion.c.id)
        .offset(offset)
        .limit(limit)
    )
    return [
        Exclusion(RecipientId(row.recipient_id), row.address, FailureReason(row.reason))
        for row in connection.execute(query)
    ]


def rejected(connection: Connection, delivery_id: DeliveryId) -> Mapping[FailureReason, int]:
    """Count who was taken out of the target by reason."""
    query = (
        select(exclusion.c.reason, func.count())
        .where(exclusion.c.delivery_id == delivery_id)
        .group_by(exclusion.c.reason)
        .order_by(exclusion.c.reason)
    )
    return {FailureReason(reason): number for reason, number in connection.execute(query)}


def add_checks(connection: Connection, delivery_id: DeliveryId, found: Sequence[Check]) -> None:
    """Write down what an analysis found."""
    rows = [
        {"delivery_id": delivery_id, "level": each.level, "rule": each.rule, "text": each.text}
        for each in found
    ]
    if rows:
        connection.execute(insert(analysis_check), rows)


def checks(connection: Connection, delivery_id: DeliveryId) -> list[Check]:
    """List what the last analysis found, the worst first."""
    query = (
        select(analysis_check)
        .where(analysis_check.c.delivery_id == delivery_id)
        .order_by(analysis_check.c.level.desc(), analysis_check.c.id)
    )
    return [Check(Severity(row.level), row.rule, row.text) for row in connection.execute(query)]


def forget_analysis(connection: Connection, delivery_id: DeliveryId) -> None:
    """Take out the exclusions and checks of the last analysis."""
    for table in (exclusion, analysis_check):
        connection.execute(delete(table).where(table.c.delivery_id == delivery_id))


def _delivery(row: Any) -> Delivery:
    values = dict(row._mapping)  # noqa: SLF001 - a public name in spite of its underscore
    values["state"] = DeliveryState(row.state)
    values["kind"] = DeliveryKind(row.kind)
    values["pixel"] = PixelPlace(row.pixel)
    values["mirror_mode"] = MirrorMode(row.mirror_mode)
    return Delivery(**values)
