"""From the stored content of a delivery to a template and a press."""

from dataclasses import dataclass

from sqlalchemy import Connection

from aftersend.content import (
    Preparation,
    Source,
    Template,
    TrackedLink,
    compile_message,
    detect,
)
from aftersend.content.instruction import Resources, expand, expand_text
from aftersend.database import deliveries, options, seeds, urls
from aftersend.database.deliveries import Delivery, Expanded, Texts
from aftersend.delivery import press
from aftersend.delivery.copy import stand_in
from aftersend.delivery.office import PostOffice
from aftersend.delivery.press import Press
from aftersend.delivery.resources import resources_of
from aftersend.errors import Busy
from aftersend.model.enumeration import DeliveryKind
from aftersend.model.ids import DeliveryId

__all__ = [
    "Expansion",
    "expand_now",
    "expanded",
    "has_other_links",
    "keep",
    "make_press",
    "preparation_of",
    "source_of",
    "template_of",
]


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the instructions of a content gave: `source`; of which content: `subject`, `written`."""

    subject: str
    written: Texts
    source: Source


def preparation_of(connection: Connection, office: PostOffice, delivery: Delivery) -> Preparation:
    """Tell how a delivery is prepared: what the instance and the delivery chose.

    A formula of the delivery replaces that of the instance, which is an option.

    Raises:
        InvalidContent: an instruction in a formula cannot be carried out.
    """
    settings = office.content
    known = options.every(connection)
    # Formulas are read whenever the message is: nothing in them is fetched from elsewhere.
    resources = Resources(options=known)
    formulas = {
        name: expand_text(
            name.replace("_", " "), getattr(delivery, name) or known.get(option, ""), resources
        )
        for name, option in options.FORMULAS.items()
    }
    return Preparation(
        pairs=settings.delimiter_pairs,
        pixel=delivery.pixel,
        **formulas,
        delivery=_spoken(delivery),
        seconds_max=settings.script_seconds_max,
        memory_bytes_max=settings.script_memory_bytes_max,
    )


def expanded(connection: Connection, office: PostOffice, delivery: Delivery) -> Source:
    """Carry out the instructions of a content now.

    Raises:
        InvalidContent: one cannot be carried out.
    """
    texts = deliveries.texts(connection, delivery.id)
    source = Source(delivery.subject, texts.html, texts.text)
    return expand(source, resources_of(connection, office, delivery))


def expand_now(office: PostOffice, delivery_id: DeliveryId) -> Expansion:
    """Carry out the instructions of a content outside of any writing: they may ask other servers.

    Raises:
        NotFound: there is no such delivery.
        InvalidContent: one cannot be carried out.
    """
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        written = deliveries.texts(connection, delivery_id)
        return Expansion(delivery.subject, written, expanded(connection, office, delivery))


def keep(connection: Connection, delivery: Delivery, expansion: Expansion) -> Source:
    """Store what instructions gave, and give it back.

    Raises:
        Busy: the content was changed in the meantime.
    """
    written = deliveries.texts(connection, delivery.id)
    if (delivery.subject, written) != (expansion.subject, expansion.written):
        raise Busy(f"Delivery {delivery.id} is being changed at this moment.")
    source = expansion.source
    new = Expanded(source.subject, source.html, source.text)
    deliveries.store_expanded(connection, delivery.id, new)
    return source


def source_of(connection: Connection, delivery: Delivery) -> Source:
    """Give the content of a delivery as the last analysis made it, ready to compile."""
    stored = deliveries.expanded(connection, delivery.id)
    return Source(stored.subject, stored.html, stored.text)


def has_other_links(connection: Connection, office: PostOffice, delivery: Delivery) -> bool:
    """Tell whether the content has other links than were listed: public addresses may change.

    Raises:
        InvalidContent: the content cannot be prepared.
    """
    found = detect(
        source_of(connection, delivery),
        addresses=office.addresses_of(delivery),
        preparation=preparation_of(connection, office, delivery),
    )
    listed = urls.of_delivery(connection, delivery.id)
    return {(link.part, link.source) for link in found} != {
        (url.part, url.source) for url in listed
    }


def template_of(
    connection: Connection,
    office: PostOffice,
    delivery: Delivery,
    *,
    is_tracked: bool | None = None,
    is_open_tracked: bool | None = None,
    has_honeypot: bool = True,
) -> Template:
    """Compile the content of a delivery with the choices of its author.

    `is_tracked` and `is_open_tracked` replace what the delivery says of tracking; without
    `has_honeypot` the hidden link is left out.

    Raises:
        InvalidContent: it cannot be prepared.
    """
    is_pixel_wanted = delivery.is_open_tracked if is_open_tracked is None else is_open_tracked
    return compile_message(
        source_of(connection, delivery),
        delivery_id=delivery.id,
        addresses=office.addresses_of(delivery),
        tracked={
            (url.part, url.source): TrackedLink(url.id, url.type, url.label, url.category)
            for url in urls.of_delivery(connection, delivery.id)
            if url.mode.is_tracked
        },
        is_tracked=delivery.is_tracked if is_tracked is None else is_tracked,
        is_open_tracked=is_pixel_wanted,
        honeypot=urls.honeypot(connection, delivery.id) if has_honeypot else None,
        preparation=preparation_of(connection, office, delivery),
    )


def make_press(
    connection: Connection, office: PostOffice, delivery: Delivery, template: Template
) -> Press:
    """Make ready to print the messages of an analysed delivery."""
    return press.build(
        delivery,
        template,
        keys=office.keys,
        app_url=office.addresses_of(delivery).app,
        message_id_domain=office.message_id_domain,
        seeds=seeds.of_delivery(connection, delivery.id),
        stand_in=stand_in(connection, delivery),
    )


def _spoken(delivery: Delivery) -> dict[str, object]:
    """Give what formulas and scripts may read of a delivery, in the names of the field."""
    return {
        "id": delivery.id,
        "internalName": delivery.internal_name,
        "label": delivery.label,
        "subject": delivery.subject,
        "FCP": delivery.kind is not DeliveryKind.MAIN,
    }
