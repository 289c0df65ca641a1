"""Mirror pages: the web copy of a message, drawn when somebody asks for it.

Nothing is stored for them: a page is the content as it was prepared for sending, with the
recipient's values of today. Scripts take the moment of sending for now, so that they show what was
sent. Which messages have a page:

==============  ==========================================  =====================
mode            the address in the message                  the delivery log
==============  ==========================================  =====================
``if-linked``   when the content has a mirror link          the same
``force``       yes                                         yes
``by-message``  no                                          yes
``none``        no                                          no
==============  ==========================================  =====================

Messages without HTML have none. The address in a message works as soon as the delivery is being
sent, and never in a proof. Every page ends with the validity of the delivery's resources.

Operators look at a page without being the recipient: its links are not tracked, and those that
would act for the recipient belong to nobody.

Source: spec §3.11, §3.14.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from aftersend.database import deliveries, messages, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Message
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import make_press, source_of, template_of
from aftersend.errors import Gone, NotFound
from aftersend.model.enumeration import DeliveryKind, MessageStatus, MirrorMode, Part, UrlType
from aftersend.model.ids import NO_URL_ID, DeliveryId, MessageId
from aftersend.model.token import KeyRing, Token, encode

__all__ = ["check_public", "has_mirror_page", "mirror_page", "nobodys_token"]

_LINK: Final = re.compile(
    r"<%@\s*include\s+view\s*=\s*(['\"])MirrorPage(?:Url)?\1\s*%>|/m/<%=\s*message\.token\s*%>"
)
_NEVER_SENT: Final = frozenset(
    (
        MessageStatus.NOT_APPLICABLE,
        MessageStatus.IGNORED,
        MessageStatus.CANCELED,
        MessageStatus.PREPARED,
    )
)


def mirror_page(office: PostOffice, message_id: MessageId, *, is_operator: bool = False) -> str:
    """Write the web copy of a message: its HTML without the pixel, so that viewing is no open.

    Raises:
        NotFound: there is no such message, it has no mirror page, or its recipient is gone.
        Gone: its time is over.
        InvalidContent: the content cannot be prepared any more.
    """
    with office.database.read() as connection:
        message = messages.by_id(connection, message_id)
        delivery = deliveries.get(connection, message.delivery_id)
        if not has_mirror_page(connection, delivery):
            raise NotFound("mirror page of message", message_id)
        _check_time(office, delivery)
        if not is_operator:
            check_public(office, delivery)
            _check_sent(message)
        (addressee,) = messages.addressees(connection, [message_id])
        template = template_of(
            connection,
            office,
            delivery,
            is_tracked=False if is_operator else None,
            is_open_tracked=False,
            has_honeypot=False,
        )
        press = make_press(connection, office, delivery, template)
    if not template.has_html or not (addressee.is_known or addressee.is_seed):
        raise NotFound("mirror page of message", message_id)
    _, values = press.person(addressee)
    at = _sent_at(message, delivery) or office.clock.now()
    html = template.render(values, message_id=message_id, keys=office.keys, at=at).html
    assert html is not None, "it has HTML"
    if not is_operator:
        return html
    token = Token(Part.HTML, delivery.id, message_id, NO_URL_ID)
    return html.replace(encode(token, keys=office.keys), nobodys_token(delivery.id, office.keys))


def has_mirror_page(connection: Connection, delivery: Delivery) -> bool:
    """Tell whether HTML messages of a delivery have a mirror page, by its mode and its content."""
    if delivery.mirror_mode is not MirrorMode.IF_LINKED:
        return delivery.mirror_mode is not MirrorMode.NONE
    source = source_of(connection, delivery)
    return any(_LINK.search(text) for text in (source.html, source.text) if text) or any(
        url.type is UrlType.MIRROR_PAGE for url in urls.of_delivery(connection, delivery.id)
    )


def check_public(office: PostOffice, delivery: Delivery) -> None:
    """Look whether anybody but operators may see pages of a delivery.

    Raises:
        NotFound: nobody may: it is a proof, it was not sent, or its pages are for operators alone.
        Gone: their time is over.
    """
    if (
        delivery.kind is DeliveryKind.PROOF
        or delivery.contact_at is None
        or delivery.mirror_mode in (MirrorMode.NONE, MirrorMode.BY_MESSAGE)
    ):
        raise NotFound("public page of delivery", delivery.id)
    _check_time(office, delivery)


def nobodys_token(delivery_id: DeliveryId, keys: KeyRing) -> str:
    """Spell the token that stands for no message of a delivery: no page of a recipient opens."""
    return encode(Token(Part.HTML, delivery_id, MessageId(0), NO_URL_ID), keys=keys)


def _check_time(office: PostOffice, delivery: Delivery) -> None:
    if delivery.contact_at is None or not delivery.resources_s:
        return
    if office.clock.now() >= delivery.contact_at + timedelta(seconds=delivery.resources_s):
        raise Gone("mirror page of delivery", delivery.id)


def _check_sent(message: Message) -> None:
    # While a delivery is being sent, a message may be read before we write down that it was sent.
    if message.status in _NEVER_SENT:
        raise NotFound("mirror page of message", message.id)


def _sent_at(message: Message, delivery: Delivery) -> datetime | None:
    return message.event_at if message.status is MessageStatus.SENT else delivery.contact_at
