"""Preferences: what recipients may choose themselves, whoever wrote to them.

A recipient chooses whether he gets mail at all, and in which format. Somebody who unsubscribed and
comes back is written to again: this is the only way back, an import is none.

Messages to test addresses and proofs show the same page, and keep nothing.

Source: spec §1.4 (emailFormat, blackList), §3.12, §3.13.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from aftersend.database import deliveries, messages, recipients
from aftersend.database.engine import Database
from aftersend.database.recipients import Recipient
from aftersend.errors import Gone, NotFound
from aftersend.model.enumeration import DeliveryKind, EmailFormat
from aftersend.model.ids import MessageId
from aftersend.platform.clock import Clock

__all__ = ["Preferences", "Subscriber", "change_preferences", "find_subscriber"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a recipient wants; `is_text` is text alone, else he gets HTML and text."""

    is_wanted: bool = True
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whoever got a message, by its `address`, and from whom: `sender`.

    `is_test` when there is no recipient behind it, and nothing is kept. `preferences` is None when
    the recipient was deleted.
    """

    address: str
    sender: str
    is_test: bool
    preferences: Preferences | None


def find_subscriber(connection: Connection, message_id: MessageId) -> Subscriber:
    """Tell who got a message and what he wants.

    Raises:
        NotFound: there is no such message.
    """
    message = messages.by_id(connection, message_id)
    delivery = deliveries.get(connection, message.delivery_id)
    is_test = message.is_seed or delivery.kind is DeliveryKind.PROOF
    preferences: Preferences | None = Preferences(is_text=message.is_text)
    if not is_test:
        try:
            preferences = _preferences(recipients.by_id(connection, message.recipient_id))
        except NotFound:
            preferences = None
    return Subscriber(message.address, delivery.sender, is_test, preferences)


def change_preferences(
    database: Database, message_id: MessageId, chosen: Preferences, *, clock: Clock
) -> Subscriber:
    """Keep what the recipient of a message chose; choosing it again changes nothing.

    Raises:
        NotFound: there is no such message.
        Gone: its recipient was deleted.
    """
    with database.write() as connection:
        found = find_subscriber(connection, message_id)
        if found.preferences is None:
            raise Gone("recipient of message", message_id)
        if not found.is_test and chosen != found.preferences:
            message = messages.by_id(connection, message_id)
            recipient = recipients.by_id(connection, message.recipient_id)
            recipients.set_preferences(
                connection,
                recipient.id,
                kind=_format(recipient.format, is_text=chosen.is_text),
                is_denylisted=not chosen.is_wanted,
                at=clock.now(),
            )
    return Subscriber(found.address, found.sender, found.is_test, chosen)


def _preferences(recipient: Recipient) -> Preferences:
    return Preferences(
        is_wanted=not recipient.is_denylisted, is_text=recipient.format is EmailFormat.TEXT
    )


def _format(before: EmailFormat, *, is_text: bool) -> EmailFormat:
    """Leave it open where it was left open, if he gets the same."""
    if is_text:
        return EmailFormat.TEXT
    return EmailFormat.HTML if before is EmailFormat.TEXT else before
