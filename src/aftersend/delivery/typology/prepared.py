"""What the rules look at: an analysed delivery with its links and some of its messages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from aftersend.content import Addresses, FoundLink, Lint, Source, Template, detect, lint
from aftersend.database import messages, public_addresses, seeds, tracking_servers, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Addressee
from aftersend.database.public_addresses import PublicAddress
from aftersend.database.tracking_servers import TrackingServer
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import make_press, preparation_of, source_of
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import Part

__all__ = ["PART_NAMES", "Link", "Prepared", "Rendering", "gather"]

PART_NAMES: Final = {Part.HTML: "HTML", Part.TEXT: "text", Part.SMS: "SMS"}

_SAMPLE: Final = 1000
_RENDERED_MAX: Final = 100
_RENDERING_SECONDS_MAX: Final = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it will be sent; `text` is what people read as the link."""

    url: TrackedUrl
    text: str
    is_tracked: bool


@dataclass(frozen=True, slots=True)
class Rendering:
    """One message written on trial: its size, or why it could not be written."""

    address: str
    html_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An analysed delivery.

    `fields` are those that at least one of the people who were looked at has filled, None when
    there is nobody; `renderings` are messages to the first of them. `public_address` is what is
    known of the address that its links lead to, `servers` are those that run elsewhere.
    """

    delivery: Delivery
    source: Source
    template: Template
    addresses: Addresses
    links: Sequence[Link]
    lints: Sequence[Lint]
    fields: frozenset[str] | None
    renderings: Sequence[Rendering]
    seed_count: int
    proof_size_max: int
    at: datetime
    public_address: PublicAddress | None = None
    servers: Sequence[TrackingServer] = ()

    def is_own(self, link: Link) -> bool:
        """Tell whether a link leads to our own pages."""
        bases = {base for one in self.addresses.every for base in (one.app, one.redirect)}
        return link.url.source.startswith(tuple(f"{base}/" for base in bases))


def gather(
    connection: Connection, office: PostOffice, delivery: Delivery, template: Template
) -> Prepared:
    """Collect what the rules look at; where there is no recipient, seed addresses stand in."""
    people = _people(connection, office, delivery, template)
    source = source_of(connection, delivery)
    preparation = preparation_of(connection, office, delivery)
    addresses = office.addresses_of(delivery)
    found = detect(source, addresses=addresses, preparation=preparation)
    return Prepared(
        delivery=delivery,
        source=source,
        template=template,
        addresses=addresses,
        links=_links(connection, delivery, found),
        lints=lint(source, addresses=addresses, preparation=preparation),
        fields=_filled(values for _, values in people) if people else None,
        renderings=tuple(_renderings(office, template, people)),
        seed_count=len(seeds.of_delivery(connection, delivery.id)),
        proof_size_max=office.proof_size_max,
        at=office.clock.now(),
        public_address=public_addresses.every(connection).get(addresses.redirect),
        servers=tracking_servers.every(connection),
    )


def _links(connection: Connection, delivery: Delivery, found: Sequence[FoundLink]) -> list[Link]:
    texts = {(link.part, link.source): link.text for link in found}
    return [
        Link(
            url=url,
            text=texts.get((url.part, url.source), ""),
            is_tracked=delivery.is_tracked and url.mode.is_tracked,
        )
        for url in urls.of_delivery(connection, delivery.id)
    ]


def _people(
    connection: Connection, office: PostOffice, delivery: Delivery, template: Template
) -> list[tuple[Addressee, Mapping[str, object]]]:
    sample = messages.first_addressees(connection, delivery.id, limit=_SAMPLE)
    if not sample:
        members = messages.page(connection, delivery.id, limit=_SAMPLE)
        sample = messages.addressees(connection, [each.id for each in members])
    press = make_press(connection, office, delivery, template)
    return [(each, press.person(each)[1]) for each in sample]


def _filled(people: Iterable[Mapping[str, object]]) -> frozenset[str]:
    return frozenset(name for values in people for name, value in values.items() if value)


def _renderings(
    office: PostOffice,
    template: Template,
    people: Sequence[tuple[Addressee, Mapping[str, object]]],
) -> Iterator[Rendering]:
    """Write some messages; slow scripts must not keep others from the database for long."""
    began = office.clock.monotonic()
    for addressee, values in people[:_RENDERED_MAX]:
        try:
            rendered = template.render(
                values, message_id=addressee.id, keys=office.keys, at=office.clock.now()
            )
        except InvalidContent as error:
            yield Rendering(addressee.address, problem=str(error))
        else:
            yield Rendering(addressee.address, len((rendered.html or "").encode()))
        if office.clock.monotonic() - began > _RENDERING_SECONDS_MAX:
            return
