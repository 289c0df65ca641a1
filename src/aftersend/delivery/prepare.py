"""From the stored content of a delivery to a template and a press."""

from sqlalchemy import Connection

from aftersend.content import (
    Preparation,
    Source,
    Template,
    TrackedLink,
    compile_message,
    detect,
)
from aftersend.database import deliveries, messages, seeds, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.urls import NewUrl
from aftersend.delivery import press
from aftersend.delivery.office import PostOffice
from aftersend.delivery.press import Press, StandIn
from aftersend.model.enumeration import DeliveryKind, TrackingMode, UrlType

__all__ = [
    "expanded",
    "has_other_links",
    "make_press",
    "preparation_of",
    "refresh_urls",
    "source_of",
    "template_of",
]

_MODES = {UrlType.OPT_OUT: TrackingMode.OPT_OUT, UrlType.MIRROR_PAGE: TrackingMode.MIRROR}


def preparation_of(connection: Connection, office: PostOffice, delivery: Delivery) -> Preparation:
    """Tell how a delivery is prepared: what the instance and the delivery chose."""
    del connection
    settings = office.content
    return Preparation(
        pairs=settings.delimiter_pairs,
        pixel=delivery.pixel,
        click_formula=delivery.click_formula,
        open_formula=delivery.open_formula,
        link_parameters=delivery.link_parameters,
        delivery=_spoken(delivery),
        seconds_max=settings.script_seconds_max,
        memory_bytes_max=settings.script_memory_bytes_max,
    )


def expanded(connection: Connection, office: PostOffice, delivery: Delivery) -> Source:
    """Carry out the instructions of a content now.

    Raises:
        InvalidContent: one cannot be carried out.
    """
    del office
    return source_of(connection, delivery)


def source_of(connection: Connection, delivery: Delivery) -> Source:
    """Give the content of a delivery as the last analysis made it, ready to compile."""
    texts = deliveries.texts(connection, delivery.id)
    return Source(delivery.subject, texts.html, texts.text)


def refresh_urls(connection: Connection, office: PostOffice, delivery: Delivery) -> None:
    """Detect the links of the content and bring the list of tracked URLs up to date.

    Raises:
        InvalidContent: the content cannot be prepared; the list stays as it is.
    """
    found = detect(source_of(connection, delivery), addresses=office.addresses)
    urls.refresh(
        connection,
        delivery.id,
        [
            NewUrl(
                part=link.part,
                source=link.source,
                type=link.type,
                mode=_MODES.get(link.type, TrackingMode.ENABLED),
                label=link.label,
                occurrences=link.occurrences,
            )
            for link in found
        ],
    )


def has_other_links(connection: Connection, office: PostOffice, delivery: Delivery) -> bool:
    """Tell whether the content has other links than were listed: public addresses may change.

    Raises:
        InvalidContent: the content cannot be prepared.
    """
    found = detect(source_of(connection, delivery), addresses=office.addresses)
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
) -> Template:
    """Compile the content of a delivery with the choices of its author.

    `is_tracked` and `is_open_tracked` replace what the delivery says of tracking.

    Raises:
        InvalidContent: it cannot be prepared.
    """
    is_pixel_wanted = delivery.is_open_tracked if is_open_tracked is None else is_open_tracked
    return compile_message(
        source_of(connection, delivery),
        delivery_id=delivery.id,
        addresses=office.addresses,
        tracked={
            (url.part, url.source): TrackedLink(url.id, url.type, url.label)
            for url in urls.of_delivery(connection, delivery.id)
            if url.mode.is_tracked
        },
        is_tracked=delivery.is_tracked if is_tracked is None else is_tracked,
        is_open_tracked=is_pixel_wanted,
    )


def make_press(
    connection: Connection, office: PostOffice, delivery: Delivery, template: Template
) -> Press:
    """Make ready to print the messages of an analysed delivery."""
    first = messages.first_addressees(connection, delivery.id, limit=1)
    stand_in = StandIn(first[0].first_name, first[0].last_name, first[0].fields) if first else None
    return press.build(
        delivery,
        template,
        keys=office.keys,
        app_url=office.addresses.app,
        message_id_domain=office.message_id_domain,
        seeds=seeds.of_delivery(connection, delivery.id),
        stand_in=stand_in,
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
