"""Unsubscribing: whoever got a message and does not want another one."""

from aftersend.database import messages, recipients
from aftersend.database.engine import Database
from aftersend.delivery.preferences import find_subscriber
from aftersend.model.ids import MessageId
from aftersend.platform.clock import Clock

__all__ = ["unsubscribe"]


def unsubscribe(database: Database, message_id: MessageId, *, clock: Clock) -> bool:
    """Never contact the recipient of a message again; tell whether that is news.

    Nobody is behind a test address or a proof, and what somebody did who is gone already stays.

    Raises:
        NotFound: there is no such message.
    """
    with database.write() as connection:
        if find_subscriber(connection, message_id).is_test:
            return False
        message = messages.by_id(connection, message_id)
        return recipients.set_denylisted(connection, message.recipient_id, at=clock.now())
