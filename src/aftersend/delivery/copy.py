"""Copies of a delivery that try it out: proofs and tracking tests.

A copy has the content, the choices and the links of its original and goes to seed addresses alone,
so whatever happens to it is counted nowhere.

Source: spec §3.14, §6.5.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from aftersend.database import deliveries, messages, proofs, recipients, urls
from aftersend.database.deliveries import Delivery, NewDelivery
from aftersend.database.seeds import Seed
from aftersend.database.seeds import add as add_seeds
from aftersend.database.urls import NewUrl, TrackedUrl
from aftersend.delivery.office import PostOffice
from aftersend.delivery.press import StandIn
from aftersend.delivery.rules import EDITABLE, must_be_there
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import DeliveryKind, DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["copy_delivery", "discard_unsent", "stand_in"]

_PROPERTIES: Final = (
    "is_tracked",
    "is_open_tracked",
    "validity_s",
    "resources_s",
    "substitution_url",
    "pixel",
    "brand",
    "mirror_mode",
    "click_formula",
    "open_formula",
    "link_parameters",
)


def copy_delivery(
    connection: Connection,
    office: PostOffice,
    original: Delivery,
    *,
    kind: DeliveryKind,
    label: str,
    subject: str,
    seeds: Sequence[Seed],
) -> DeliveryId:
    """Make a delivery to `seeds` with the content, the properties and the links of another one.

    Raises:
        InvalidInput: the original is deleted, or is a copy itself.
    """
    _check(original)
    written = deliveries.texts(connection, original.id)
    new = NewDelivery(
        label=label,
        sender=original.sender,
        subject=subject,
        html=written.html,
        text=written.text,
        is_target_all=False,
        variables=written.variables,
        objects=written.objects,
    )
    copy_id = deliveries.add(connection, new, at=office.clock.now())
    properties = {name: getattr(original, name) for name in _PROPERTIES}
    deliveries.change(connection, copy_id, kind=kind, origin_id=original.id, **properties)
    urls.refresh(
        connection, copy_id, [_copied(url) for url in urls.of_delivery(connection, original.id)]
    )
    add_seeds(connection, copy_id, seeds)
    return copy_id


def discard_unsent(office: PostOffice, copy_id: DeliveryId) -> None:
    """Take a copy out that nobody got; one that was begun can be sent on like any delivery."""
    with office.database.write() as connection:
        copy = deliveries.get(connection, copy_id, is_held=True)
        if copy.state in EDITABLE:
            proofs.discard(connection, copy_id)


def stand_in(connection: Connection, delivery: Delivery) -> StandIn | None:
    """Give the recipient whose fields fill the gaps of seed addresses: the first one there is.

    A copy, which has none, takes that of its original, even before anybody has analysed that one.
    """
    owner = delivery if delivery.origin_id is None else _original(connection, delivery)
    found = messages.first_addressees(connection, owner.id, limit=1)
    if found:
        return StandIn(found[0].first_name, found[0].last_name, found[0].fields)
    if owner.id == delivery.id:
        return None
    batch = next(messages.candidates(connection, owner.id, is_target_all=owner.is_target_all), [])
    if not batch:
        return None
    person = recipients.by_id(connection, batch[0].id)
    return StandIn(person.first_name, person.last_name, person.fields)


def _original(connection: Connection, delivery: Delivery) -> Delivery:
    assert delivery.origin_id is not None, "it is a copy"
    return deliveries.get(connection, delivery.origin_id)


def _check(original: Delivery) -> None:
    must_be_there(original)
    if original.state is DeliveryState.DELETED:
        raise InvalidInput(f"Delivery {original.id} is deleted.")
    if original.kind is not DeliveryKind.MAIN:
        raise InvalidInput(
            f"Delivery {original.id} is a {original.kind.label.lower()} of delivery"
            f" {original.origin_id}: name that one."
        )


def _copied(url: TrackedUrl) -> NewUrl:
    return NewUrl(
        part=url.part,
        source=url.source,
        type=url.type,
        mode=url.mode,
        label=url.label,
        occurrences=url.occurrences,
        category=url.category,
        found_mode=url.found_mode,
        found_label=url.found_label,
        found_category=url.found_category,
    )
