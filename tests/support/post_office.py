"""A post office without an instance around it, and people to write to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aftersend.content import Addresses
from aftersend.database import deliveries, messages, recipients
from aftersend.database.deliveries import Delivery
from aftersend.database.engine import Database, open_engine
from aftersend.database.messages import Message
from aftersend.database.public_addresses import PublicAddress
from aftersend.database.recipients import Profile
from aftersend.delivery.create import Draft, create
from aftersend.delivery.office import PostOffice
from aftersend.model.enumeration import EmailFormat
from aftersend.model.ids import DeliveryId, RecipientId, ServerId
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock

__all__ = [
    "ADDRESSES",
    "BRANDED",
    "EMAILS",
    "HTML",
    "KEYS",
    "NOW",
    "SENDER",
    "TEXT",
    "VERIFIED",
    "add_recipients",
    "delivery_of",
    "draft",
    "html_of",
    "make_delivery",
    "make_office",
    "messages_of",
    "read",
    "text_of",
]

EMAILS = Path(__file__).parent.parent / "data" / "emails"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEYS = KeyRing({1: bytes(range(32))})
ADDRESSES = Addresses(redirect="https://t.example.com", app="https://app.example.com")
BRANDED = Addresses("https://t.pier.example", "https://mail.pier.example", (ADDRESSES,))
SENDER = "Harbour & Pine <news@shop.example>"
VERIFIED = PublicAddress(ADDRESSES.redirect, NOW, NOW, (ServerId("1"),))
"""Without it, every analysis would warn."""
HTML = (
    "<p>Hello <%= recipient.first_name %>, <a href='https://shop.example/lamps'>look</a>."
    " <%@ include view='UnsubscriptionLink' %></p>\n"
)
TEXT = (
    "Hello <%= recipient.first_name %>, look: https://shop.example/lamps\n"
    "<%@ include view='UnsubscriptionLink' %>\n"
)


def make_office(directory: Path, database: Path, *, clock: Clock) -> PostOffice:
    """Open a post office in a folder, with the SQLite file `database`."""
    for name in ("catalogue", "sending"):
        (directory / name).mkdir(exist_ok=True)
    return PostOffice(
        database=Database(open_engine(f"sqlite:///{database}")),
        clock=clock,
        keys=KEYS,
        addresses=ADDRESSES,
        catalogue=directory / "catalogue",
        sending=directory / "sending",
        password="a registration password",
        brands={"pier": BRANDED},
        checks={"tracking-host": "off"},  # the sender and the tracking server are strangers here
    )


def add_recipients(
    office: PostOffice,
    people: Iterable[str | Profile],
    *,
    kind: EmailFormat = EmailFormat.UNDEFINED,
) -> list[RecipientId]:
    """Add recipients by address, or with all that is known of them."""
    profiles = [
        each
        if isinstance(each, Profile)
        else Profile(
            each,
            {"first_name": each.partition("@")[0].title(), "last_name": "", "format": kind},
        )
        for each in people
    ]
    with office.database.write() as connection:
        return list(recipients.upsert(connection, profiles, at=office.clock.now()).ids)


def draft(
    *,
    subject: str = "For <%= recipient.first_name %>",
    html: str | None = HTML,
    text: str | None = TEXT,
    recipient_ids: Sequence[RecipientId] | None = None,
) -> Draft:
    """Write a delivery that has nothing wrong with it."""
    return Draft(
        label="Lamps",
        sender=SENDER,
        subject=subject,
        html=html,
        text=text,
        recipient_ids=recipient_ids,
    )


def make_delivery(office: PostOffice, people: Sequence[str] = ("ada@example.com",)) -> DeliveryId:
    """Make a delivery to some people."""
    add_recipients(office, people)
    return create(office, draft())


def delivery_of(office: PostOffice, delivery_id: DeliveryId) -> Delivery:
    """Give a delivery as it stands."""
    with office.database.read() as connection:
        return deliveries.get(connection, delivery_id)


def messages_of(office: PostOffice, delivery_id: DeliveryId) -> dict[str, Message]:
    """Give the messages of a delivery by address."""
    with office.database.read() as connection:
        return {each.address: each for each in messages.page(connection, delivery_id, limit=10**6)}


def read(data: bytes) -> EmailMessage:
    """Read a message as a mail client does."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def html_of(message: EmailMessage) -> str:
    """Give the HTML as it is shown, with line ends of this machine."""
    return _body(message, "html")


def text_of(message: EmailMessage) -> str:
    """Give the text as it is shown, with line ends of this machine."""
    return _body(message, "plain")


def _body(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")
