"""Making deliveries and choosing how their links are tracked."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from aftersend.database import deliveries, seeds, urls
from aftersend.database.deliveries import NewDelivery
from aftersend.database.seeds import Seed
from aftersend.database.urls import TrackedUrl
from aftersend.delivery import address
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import refresh_urls
from aftersend.errors import InvalidContent, InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, RecipientId, UrlId

__all__ = ["EDITABLE", "Draft", "create", "list_urls", "set_url"]

CONTENT_LENGTH_MAX: Final = 5_000_000
LABEL_LENGTH_MAX: Final = 255
SUBJECT_LENGTH_MAX: Final = 2_000
CATEGORY_LENGTH_MAX: Final = 100
_SENDER_LENGTH_MAX: Final = 500

EDITABLE: Final = frozenset((DeliveryState.BEING_EDITED, DeliveryState.TARGET_READY))
"""The states in which a delivery may still be changed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a delivery is made of.

    `sender` is written ``Name <address>``; `recipient_ids` None means all recipients there are
    when the delivery is analysed.
    """

    label: str
    sender: str
    subject: str
    html: str | None = None
    text: str | None = None
    recipient_ids: Sequence[RecipientId] | None = None
    seeds: Sequence[Seed] = ()


def create(office: PostOffice, draft: Draft) -> DeliveryId:
    """Make a delivery and list the links of its content.

    A content that cannot be prepared is kept; the analysis says what is wrong with it.

    Raises:
        InvalidInput: the draft is incomplete; the sentence says what to change.
    """
    _check(draft)
    members = [replace(each, email=_seed_address(each.email)) for each in draft.seeds]
    if len({each.email for each in members}) < len(members):
        raise InvalidInput("A seed address is given twice.")
    new = NewDelivery(
        label=draft.label.strip(),
        sender=draft.sender.strip(),
        subject=draft.subject.strip(),
        html=draft.html,
        text=draft.text,
        is_target_all=draft.recipient_ids is None,
    )
    with office.database.write() as connection:
        delivery_id = deliveries.add(connection, new, at=office.clock.now())
        try:
            deliveries.add_targets(
                connection, delivery_id, dict.fromkeys(draft.recipient_ids or ())
            )
        except IntegrityError as error:
            raise InvalidInput("The target names a recipient who does not exist.") from error
        seeds.add(connection, delivery_id, members)
        with suppress(InvalidContent):
            refresh_urls(connection, office, deliveries.get(connection, delivery_id))
    return delivery_id


def list_urls(office: PostOffice, delivery_id: DeliveryId) -> list[TrackedUrl]:
    """List the links of a delivery, those of the HTML first.

    Raises:
        NotFound: there is no such delivery.
    """
    with office.database.read() as connection:
        deliveries.get(connection, delivery_id)
        return urls.of_delivery(connection, delivery_id)


def set_url(
    office: PostOffice,
    delivery_id: DeliveryId,
    url_id: UrlId,
    *,
    mode: TrackingMode | None = None,
    label: str | None = None,
    category: str | None = None,
) -> TrackedUrl:
    """Change how a link is tracked and what it is called; None leaves it as it is.

    A delivery that was analysed has to be analysed again.

    Raises:
        NotFound: there is no such delivery, or it has no such link.
        InvalidInput: the delivery is being sent or was, or a text is too long.
    """
    values: dict[str, Any] = {}
    if mode is not None:
        values["mode"] = mode
    if label is not None:
        values["label"] = _short("label", label, LABEL_LENGTH_MAX)
    if category is not None:
        values["category"] = _short("category", category, CATEGORY_LENGTH_MAX)
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        url = urls.get(connection, url_id)
        if url.delivery_id != delivery_id:
            raise NotFound(f"tracked URL of delivery {delivery_id}", url_id)
        if delivery.state not in EDITABLE:
            raise InvalidInput(
                f"Delivery {delivery_id} is {delivery.state.label.lower()}: its links are fixed."
            )
        if mode is not None:
            values["type"] = _type(url.type, mode)
        if values:
            urls.change(connection, url_id, **values)
            deliveries.change(
                connection,
                delivery_id,
                state=DeliveryState.BEING_EDITED,
                modified_at=office.clock.now(),
            )
        return urls.get(connection, url_id)


def _type(before: UrlType, mode: TrackingMode) -> UrlType:
    if mode is TrackingMode.OPT_OUT:
        return UrlType.OPT_OUT
    if mode is TrackingMode.MIRROR:
        return UrlType.MIRROR_PAGE
    return UrlType.EMAIL_CLICK if mode.is_tracked else before


def _check(draft: Draft) -> None:
    _short("label", draft.label, LABEL_LENGTH_MAX)
    if not draft.label.strip():
        raise InvalidInput("A delivery needs a label.")
    _short("sender", draft.sender, _SENDER_LENGTH_MAX)
    address.read_sender(draft.sender)
    _short("subject", draft.subject, SUBJECT_LENGTH_MAX)
    for part in (draft.html, draft.text):
        if part is not None and len(part) > CONTENT_LENGTH_MAX:
            raise InvalidInput(f"A part has more than {CONTENT_LENGTH_MAX:,} characters.")
    if not (draft.html or "").strip() and not (draft.text or "").strip():
        raise InvalidInput("The message is empty: give an HTML part, a text part or both.")
    if draft.recipient_ids is not None and not draft.recipient_ids:
        raise InvalidInput("There is nobody in the target.")


def _short(name: str, text: str, length_max: int) -> str:
    if len(text) > length_max:
        raise InvalidInput(f"The {name} has more than {length_max} characters.")
    if address.has_control_characters(text):
        raise InvalidInput(f"The {name} has line ends or control characters: leave them out.")
    return text.strip()


def _seed_address(text: str) -> str:
    try:
        kept = address.normalise(text)
    except InvalidInput as error:
        raise InvalidInput(f"The seed address {text!r} cannot be used: {error}.") from error
    if not address.is_sendable(kept):
        raise InvalidInput(f"The seed address {text!r} is not one that mail can be sent to.")
    return kept
