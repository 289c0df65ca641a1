"""Making deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import IntegrityError

from aftersend.database import deliveries, seeds
from aftersend.database.deliveries import NewDelivery
from aftersend.database.seeds import Seed
from aftersend.delivery import address, rules
from aftersend.delivery.links import look_for_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, apply, check
from aftersend.delivery.rules import EDITABLE
from aftersend.errors import InvalidInput
from aftersend.model.ids import DeliveryId, RecipientId

__all__ = ["EDITABLE", "Draft", "create", "seed_address"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a delivery is made of.

    `sender` is written ``Name <address>``; `recipient_ids` None means all recipients there are
    when the delivery is analysed. `properties` are all that may be chosen later, too.
    """

    label: str
    sender: str
    subject: str
    html: str | None = None
    text: str | None = None
    recipient_ids: Sequence[RecipientId] | None = None
    seeds: Sequence[Seed] = ()
    properties: Properties = field(default_factory=Properties)


def create(office: PostOffice, draft: Draft) -> DeliveryId:
    """Make a delivery and list the links of its content.

    A content that cannot be prepared is kept; the analysis says what is wrong with it.

    Raises:
        InvalidInput: the draft is incomplete; the sentence says what to change.
    """
    new = _checked(draft)
    members = [replace(each, email=seed_address(each.email)) for each in draft.seeds]
    if len({each.email for each in members}) < len(members):
        raise InvalidInput("A seed address is given twice.")
    with office.database.write() as connection:
        delivery_id = deliveries.add(connection, new, at=office.clock.now())
        try:
            deliveries.add_targets(
                connection, delivery_id, dict.fromkeys(draft.recipient_ids or ())
            )
        except IntegrityError as error:
            raise InvalidInput("The target names a recipient who does not exist.") from error
        seeds.add(connection, delivery_id, members)
        apply(connection, office, delivery_id, draft.properties)
    look_for_urls(office, delivery_id)
    return delivery_id


def _checked(draft: Draft) -> NewDelivery:
    label, sender = rules.check_label(draft.label), rules.check_sender(draft.sender)
    subject = rules.check_subject(draft.subject)
    rules.check_content(draft.html, draft.text)
    if draft.recipient_ids is not None and not draft.recipient_ids:
        raise InvalidInput("There is nobody in the target.")
    check(draft.properties)
    return NewDelivery(
        label=label,
        sender=sender,
        subject=subject,
        html=draft.html,
        text=draft.text,
        is_target_all=draft.recipient_ids is None,
    )


def seed_address(text: str) -> str:
    """Give a seed address as it is kept.

    Raises:
        InvalidInput: no mail can be sent there; the sentence names it.
    """
    try:
        kept = address.normalise(text)
    except InvalidInput as error:
        raise InvalidInput(f"The seed address {text!r} cannot be used: {error}.") from error
    if not address.is_sendable(kept):
        raise InvalidInput(f"The seed address {text!r} is not one that mail can be sent to.")
    return kept
