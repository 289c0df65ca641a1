"""Sending deliveries to a sink inside this process, and reading what arrives there."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from aftersend.audience.letter import Letter, read_letter
from aftersend.errors import Transient

if TYPE_CHECKING:
    from aftersend.app import Instance
    from aftersend.delivery.create import Draft
    from aftersend.delivery.sink import Received
    from aftersend.model.ids import DeliveryId

__all__ = ["Post"]


@dataclass(slots=True)
class Post:
    """A mail sink for the length of a block; what arrives is read at once."""

    opened: "Instance"
    _port: int = 0
    _letters: list[Letter] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Begin to take mail."""
        from aftersend.delivery import sink

        self._port = self._stack.enter_context(sink.running(self._keep))
        return self

    def __exit__(self, *_reason: object) -> None:
        """Take no more mail."""
        self._stack.close()

    def send(self, draft: "Draft") -> tuple["DeliveryId", Sequence[Letter]]:
        """Make a delivery, send it for real, and give what arrived.

        Raises:
            AftersendError: it cannot be sent.
            Transient: less arrived than was sent.
        """
        from aftersend.app import post_office
        from aftersend.delivery.create import create
        from aftersend.delivery.mail_server import MailServer
        from aftersend.delivery.send import send

        office = post_office(self.opened)
        delivery_id = create(office, draft)
        server = MailServer("127.0.0.1", self._port)
        self._letters.clear()
        sent = send(office, server, delivery_id)
        letters = tuple(self._letters)
        if sent.failed or len(letters) != sent.sent:
            raise Transient(
                f"{sent.sent} messages were sent, {sent.failed} failed, {len(letters)} arrived."
            )
        return delivery_id, letters

    def _keep(self, received: "Received") -> None:
        letter = read_letter(received.data, redirect_url=self.opened.redirect_url)
        (recipient,) = received.recipients
        self._letters.append(replace(letter, recipient=recipient))
