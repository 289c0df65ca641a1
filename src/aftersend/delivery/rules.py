"""What a delivery may hold, and while it stands where it may be changed."""

from typing import Final

from sqlalchemy import Connection

from aftersend.content.detection import CATEGORY_LENGTH_MAX, LABEL_LENGTH_MAX
from aftersend.database import deliveries
from aftersend.database.deliveries import Delivery
from aftersend.delivery import address
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = [
    "CATEGORY_LENGTH_MAX",
    "EDITABLE",
    "LABEL_LENGTH_MAX",
    "check_content",
    "check_label",
    "check_sender",
    "check_subject",
    "editable",
    "must_be_there",
    "short",
]

CONTENT_LENGTH_MAX: Final = 5_000_000
_SUBJECT_LENGTH_MAX: Final = 2_000
_SENDER_LENGTH_MAX: Final = 500

EDITABLE: Final = frozenset((DeliveryState.BEING_EDITED, DeliveryState.TARGET_READY))
"""The states in which a delivery may still be changed."""


def editable(connection: Connection, delivery_id: DeliveryId, what: str) -> Delivery:
    """Give a delivery that nobody else changes before the transaction ends.

    Raises:
        NotFound: there is none with this id.
        InvalidInput: it is deleted, being sent, or was sent; `what` of it, like "its links are",
            stays fixed.
    """
    delivery = deliveries.get(connection, delivery_id, is_held=True)
    must_be_there(delivery)
    if delivery.state not in EDITABLE:
        raise InvalidInput(
            f"Delivery {delivery_id} is {delivery.state.label.lower()}: {what} fixed."
        )
    return delivery


def must_be_there(delivery: Delivery) -> None:
    """Do nothing for a delivery that nobody has deleted.

    Raises:
        InvalidInput: somebody has.
    """
    if delivery.deleted_at is not None:
        raise InvalidInput(
            f"Delivery {delivery.id} is deleted; aftersend delivery restore {delivery.id} brings it"
            " back."
        )


def check_label(label: str) -> str:
    """Give the label of a delivery as it is kept.

    Raises:
        InvalidInput: it cannot be one.
    """
    kept = short("label", label, LABEL_LENGTH_MAX)
    if not kept:
        raise InvalidInput("A delivery needs a label.")
    return kept


def check_sender(sender: str) -> str:
    """Give a sender as it is kept.

    Raises:
        InvalidInput: it cannot be one.
    """
    kept = short("sender", sender, _SENDER_LENGTH_MAX)
    address.read_sender(sender)
    return kept


def check_subject(subject: str) -> str:
    """Give a subject as it is kept; an empty one is for the analysis to tell.

    Raises:
        InvalidInput: it cannot be one.
    """
    return short("subject", subject, _SUBJECT_LENGTH_MAX)


def check_content(html: str | None, text: str | None) -> None:
    """Look whether a message has a content, and none that is too large.

    Raises:
        InvalidInput: it has none, or too much of it.
    """
    for part in (html, text):
        if part is not None and len(part) > CONTENT_LENGTH_MAX:
            raise InvalidInput(f"A part has more than {CONTENT_LENGTH_MAX:,} characters.")
    if not (html or "").strip() and not (text or "").strip():
        raise InvalidInput("The message is empty: give an HTML part, a text part or both.")


def short(name: str, text: str, length_max: int) -> str:
    """Give a text of one line without the spaces around it.

    Raises:
        InvalidInput: it is too long or has more than one line.
    """
    if len(text) > length_max:
        raise InvalidInput(f"The {name} has more than {length_max} characters.")
    if address.has_control_characters(text):
        raise InvalidInput(f"The {name} has line ends or control characters: leave them out.")
    return text.strip()
