"""Finished messages, a tracker for them, and a desk that takes catalogues."""

from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

from aftersend.content.mail import Publish, Tracker
from aftersend.model import catalogue
from aftersend.model.catalogue import Catalogue
from aftersend.model.ids import DeliveryId, UrlId
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS

__all__ = ["SHOP", "Desk", "destinations", "letter", "make_tracker", "plain"]

SHOP = "https://shop.example/lamps?a=1&b=2"


class Desk:
    """Keeps what is published, and fails when it is told to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.published: list[Catalogue] = []
        self.error: Exception | None = None

    def __call__(self, data: bytes, delivery_id: DeliveryId) -> None:
        """Take a catalogue."""
        if self.error is not None:
            raise self.error
        made = catalogue.decode(data)
        assert delivery_id == made.delivery_id
        self.published.append(made)


def make_tracker(publish: Publish, **changes: Any) -> Tracker:
    """Make a tracker with the keys, delivery and addresses that all tests share."""
    values: dict[str, Any] = {"delivery_id": DELIVERY_ID, "keys": KEYS, "addresses": ADDRESSES}
    return Tracker(publish=publish, **(values | changes))


def letter(text: str = f"Look: {SHOP}\n", html: str | None = None) -> EmailMessage:
    """Write a message as a program does."""
    message = EmailMessage()
    message["To"] = "ada@example.com"
    message["Subject"] = "Grüße"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def plain(text: str, *headers: str) -> bytes:
    """Write a message of one text by hand."""
    return "\r\n".join((*headers, "Subject: x", "", text)).encode()


def destinations(made: Catalogue) -> Mapping[UrlId, str]:
    """Tell where the links of a catalogue lead."""
    return {key: str(url.pieces[0]) for key, url in made.urls.items() if url.pieces}
