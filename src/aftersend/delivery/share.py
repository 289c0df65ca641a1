"""Shared pages: what recipients show to others, with nothing of the recipient in it.

Whoever shares a message hands out an address. It must not be his own: with it others could read
his message, change his preferences and unsubscribe him. So the address that is shared holds the
token of nobody. The links of a message lead to our own page with the recipient's token, and only
from there, with the other one, to a network.

The page is the message to somebody of whom nothing is known: all fields are empty, conditions see
an empty recipient. Its links are not tracked, because a stranger's click is not the recipient's;
links that act for the recipient lead to the page itself.

It is there under the same conditions as the mirror page of the delivery; a share link counts as a
mirror link does.

Source: spec §3.15, §7.14. Forms to refer friends are not made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from aftersend.content import Rendered
from aftersend.database import deliveries, urls
from aftersend.database.deliveries import Delivery
from aftersend.delivery.mirror import check_public, has_mirror_page, nobodys_token
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import source_of, template_of
from aftersend.delivery.press import FIELDS
from aftersend.errors import NotFound
from aftersend.model.enumeration import MirrorMode
from aftersend.model.ids import NO_URL_ID, DeliveryId, MessageId
from aftersend.model.token import Token

__all__ = ["NETWORKS", "Sharing", "is_handed_out", "network_address", "shared_page", "sharing"]

NETWORKS: Final[Mapping[str, str]] = {
    "facebook": "https://www.facebook.com/sharer/sharer.php?u=",
    "linkedin": "https://www.linkedin.com/sharing/share-offsite/?url=",
    "twitter": "https://x.com/intent/post?url=",
}
"""Where a network takes an address to share, by the category of its link; the address goes last."""

_NOBODY: Final = MessageId(0)
_BLOCK: Final = re.compile(r"<%@\s*include\s+view\s*=\s*(['\"])ViralLinks\1\s*%>")
_LINK: Final = re.compile(r"(?:/|%2F)s(?:/|%2F)<%=\s*message\.token\s*%>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What somebody needs to send a message on: the address of its page, its subject and sender."""

    address: str
    subject: str
    sender: str


def shared_page(office: PostOffice, delivery_id: DeliveryId) -> str:
    """Write a message as strangers may see it.

    Raises:
        NotFound: there is no such delivery, or it has no shared page.
        Gone: its time is over.
        InvalidContent: the content cannot be prepared any more, or not for nobody.
    """
    delivery, rendered = _rendered(office, delivery_id)
    assert rendered.html is not None, "it has HTML"
    app = re.escape(office.addresses_of(delivery).app)
    token = nobodys_token(delivery_id, office.keys)
    return re.sub(f"{app}/[mup]/{token}", lambda _: _address(office, delivery), rendered.html)


def sharing(office: PostOffice, delivery_id: DeliveryId) -> Sharing:
    """Tell what there is to send on.

    Raises:
        NotFound: there is no such delivery, or it has no shared page.
        Gone: its time is over.
        InvalidContent: the content cannot be prepared any more, or not for nobody.
    """
    delivery, rendered = _rendered(office, delivery_id)
    subject = " ".join(rendered.subject.split())
    return Sharing(_address(office, delivery), subject, delivery.sender)


def network_address(office: PostOffice, delivery_id: DeliveryId, network: str) -> str:
    """Tell where a network takes the shared page of a delivery.

    Raises:
        NotFound: there is no such delivery or network, or the delivery has no shared page.
        Gone: the time of the page is over.
    """
    if network not in NETWORKS:
        raise NotFound("network", network)
    with office.database.read() as connection:
        delivery = _shared(connection, office, delivery_id)
    return NETWORKS[network] + quote(_address(office, delivery), safe="")


def is_handed_out(connection: Connection, token: Token) -> bool:
    """Tell whether a token is that of a share link: others may know it, so it proves nothing."""
    if token.url_id == NO_URL_ID:
        return False
    try:
        url = urls.get(connection, token.url_id)
    except NotFound:
        return False
    return _LINK.search(url.source) is not None


def _shared(connection: Connection, office: PostOffice, delivery_id: DeliveryId) -> Delivery:
    delivery = deliveries.get(connection, delivery_id)
    if not (has_mirror_page(connection, delivery) or _has_share_link(connection, delivery)):
        raise NotFound("shared page of delivery", delivery_id)
    check_public(office, delivery)
    return delivery


def _has_share_link(connection: Connection, delivery: Delivery) -> bool:
    if delivery.mirror_mode is not MirrorMode.IF_LINKED:
        return False
    source = source_of(connection, delivery)
    return any(
        pattern.search(text)
        for text in (source.html, source.text)
        if text
        for pattern in (_BLOCK, _LINK)
    )


def _rendered(office: PostOffice, delivery_id: DeliveryId) -> tuple[Delivery, Rendered]:
    """Write the message to nobody."""
    with office.database.read() as connection:
        delivery = _shared(connection, office, delivery_id)
        template = template_of(
            connection, office, delivery, is_tracked=False, is_open_tracked=False
        )
    if not template.has_html:
        raise NotFound("shared page of delivery", delivery.id)
    rendered = template.render(
        dict.fromkeys(FIELDS | template.fields, ""),
        message_id=_NOBODY,
        keys=office.keys,
        at=delivery.contact_at,
    )
    return delivery, rendered


def _address(office: PostOffice, delivery: Delivery) -> str:
    return f"{office.addresses_of(delivery).app}/s/{nobodys_token(delivery.id, office.keys)}"
