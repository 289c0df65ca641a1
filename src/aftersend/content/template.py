"""Compiling a message once, rendering it for each recipient.

Rendering spells the tokens of the message, looks up the recipient's values, and joins them with
the literal texts. All else is done once a delivery.

Invariant: outside of replaced addresses, values, our own attributes and the one pixel, the HTML
that is sent is the author's, character by character.

Source: spec §3.1 (step 5), §3.7, §3.13; architecture D2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aftersend.content.detection import PreparedPart, group, read_parts, read_subject
from aftersend.content.message import Addresses, FoundLink, Rendered, Source, TrackedLink
from aftersend.content.sheet import (
    Edit,
    Piece,
    Sheet,
    TokenSlot,
    ValueSlot,
    lay_out,
    spoken,
    written,
)
from aftersend.errors import InvalidContent, InvalidToken
from aftersend.model.catalogue import Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, encode_message, frame

__all__ = ["Template", "compile_message"]

_OPEN: Final = Destination((), UrlType.OPEN, "Open")
# Never display:none: some clients do not load what they do not show.
_PIXEL_END: Final = (
    '.gif" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'
)


@dataclass(frozen=True, slots=True)
class Template:
    """A message ready to be rendered; made by `compile_message`.

    `urls` is for the catalogue of the delivery; `fields` are all fields of recipients it reads.
    `subject` and `parts` are for those who encode literals only once: the `fillings` of a message
    go into their slots.
    """

    delivery_id: DeliveryId
    urls: Mapping[UrlId, Destination]
    fields: frozenset[str]
    subject: Sheet
    parts: Mapping[Part, Sheet]
    _tokens: tuple[TokenSlot, ...]
    _frames: tuple[tuple[bytes, bytes], ...]
    _values: tuple[ValueSlot, ...]

    @property
    def has_html(self) -> bool:
        """Tell whether messages have an HTML part."""
        return Part.HTML in self.parts

    @property
    def has_text(self) -> bool:
        """Tell whether messages have a text part."""
        return Part.TEXT in self.parts

    def render(
        self, recipient: Mapping[str, object], *, message_id: MessageId, keys: KeyRing
    ) -> Rendered:
        """Write the message to one recipient; a field that is missing or None is empty.

        Raises:
            InvalidContent: the values of a link are longer than a link can be.
        """
        fillings = self.fillings(recipient, message_id=message_id, keys=keys)
        html, text = self.parts.get(Part.HTML), self.parts.get(Part.TEXT)
        return Rendered(
            subject=self.subject.fill(fillings),
            html=html.fill(fillings) if html else None,
            text=text.fill(fillings) if text else None,
        )

    def fillings(
        self, recipient: Mapping[str, object], *, message_id: MessageId, keys: KeyRing
    ) -> list[str]:
        """Write only what differs from message to message: what goes into the slots.

        Raises:
            InvalidContent: the values of a link are longer than a link can be.
        """
        frames: Sequence[tuple[bytes, bytes]] = self._frames
        if len(frames) < len(self._tokens):
            frames = [*frames, *(_frame(slot, recipient) for slot in self._tokens[len(frames) :])]
        try:
            fillings = encode_message(
                frames, delivery_id=self.delivery_id, message_id=message_id, keys=keys
            )
        except InvalidToken as error:
            raise InvalidContent("The recipient's values are too long for a link.") from error
        fillings += [value.spell(spoken(recipient.get(value.field))) for value in self._values]
        return fillings


def compile_message(
    source: Source,
    *,
    delivery_id: DeliveryId,
    addresses: Addresses,
    tracked: Mapping[tuple[Part, str], TrackedLink] | None = None,
    is_tracked: bool = True,
    is_open_tracked: bool = True,
) -> Template:
    """Prepare a message for every recipient of a delivery.

    `tracked` says which links of `detect` are tracked, by part and source; those it lacks stay as
    they are written. None tracks all, with ids from 2 in the order of `detect`. Without
    `is_tracked` nothing is tracked: neither links nor opens.

    Raises:
        InvalidContent: the message cannot be prepared; it says where and what to write instead.
    """
    subject = list(written(read_subject(source), None))
    parts = read_parts(source, addresses)
    found = {(link.part, link.source): link for part in parts for link in group(part, addresses)}
    if tracked is None:
        tracked = _track_all(found)
    if not is_tracked:
        tracked = {}
    chosen = {key: tracked[key] for key in found if key in tracked}
    urls = {link.url_id: _destination(found[key], link) for key, link in chosen.items()}
    assert len({link.url_id for link in chosen.values()}) == len(chosen), "an id is one link"
    has_pixel = is_tracked and is_open_tracked and parts[0].part is Part.HTML
    if has_pixel:
        urls[OPEN_URL_ID] = _OPEN
    bodies = {
        each.part: list(
            written(each.passage, each.part, _edits(each, addresses, chosen, has_pixel))
        )
        for each in parts
    }
    return _template(delivery_id, urls, subject, bodies)


def _track_all(found: Mapping[tuple[Part, str], FoundLink]) -> dict[tuple[Part, str], TrackedLink]:
    return {
        key: TrackedLink(UrlId(number), link.type, link.label)
        for number, (key, link) in enumerate(found.items(), start=OPEN_URL_ID + 1)
    }


def _destination(found: FoundLink, link: TrackedLink) -> Destination:
    return Destination(found.destination.pieces, link.type, link.label or found.label)


def _edits(
    prepared: PreparedPart,
    addresses: Addresses,
    chosen: Mapping[tuple[Part, str], TrackedLink],
    has_pixel: bool,
) -> Iterator[Edit]:
    base = f"{addresses.redirect}/r/"
    for start, end in prepared.unsent:
        yield Edit(start, end)
    for each in prepared.occurrences:
        link = chosen.get((prepared.part, each.address.source))
        if link is not None:
            slot = TokenSlot(prepared.part, link.url_id, each.address.fields)
            yield Edit(each.start, each.end, (base, slot))
    if has_pixel and prepared.part is Part.HTML:
        pixel = (f'<img src="{base}', TokenSlot(Part.HTML, OPEN_URL_ID), _PIXEL_END)
        yield Edit(prepared.pixel_at, prepared.pixel_at, pixel)


def _template(
    delivery_id: DeliveryId,
    urls: Mapping[UrlId, Destination],
    subject: list[Piece],
    bodies: Mapping[Part, list[Piece]],
) -> Template:
    pieces = [*subject, *(piece for body in bodies.values() for piece in body)]
    slots = dict.fromkeys(piece for piece in pieces if isinstance(piece, TokenSlot))
    tokens = sorted(slots, key=lambda slot: bool(slot.fields))
    values = list(dict.fromkeys(piece for piece in pieces if isinstance(piece, ValueSlot)))
    fillings: list[Piece] = [*tokens, *values]
    indexes = {slot: index for index, slot in enumerate(fillings)}
    return Template(
        delivery_id=delivery_id,
        urls=urls,
        fields=frozenset(value.field for value in values).union(
            each for slot in tokens for each in slot.fields if isinstance(each, str)
        ),
        _tokens=tuple(tokens),
        _frames=tuple(frame(slot.part, slot.url_id) for slot in tokens if not slot.fields),
        _values=tuple(values),
        subject=lay_out(subject, indexes),
        parts={part: lay_out(body, indexes) for part, body in bodies.items()},
    )


def _frame(slot: TokenSlot, recipient: Mapping[str, object]) -> tuple[bytes, bytes]:
    values = [spoken(recipient.get(field)) for field in slot.fields if isinstance(field, str)]
    return frame(slot.part, slot.url_id, values)
