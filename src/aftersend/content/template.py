"""Compiling a message once, rendering it for each recipient.

Rendering spells the tokens of the message, looks up the recipient's values, and joins them with
the literal texts. All else is done once a delivery.

Invariant: outside of replaced addresses, values, our own attributes and the one pixel, the HTML
that is sent is the author's, character by character.

Source: spec §3.1 (step 5), §3.7, §3.13; architecture D2.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from aftersend.content import formula
from aftersend.content.compositor import TOKEN_HERE, Composition, Fillings, compose
from aftersend.content.detection import PreparedPart, links_of, read_parts, read_subject
from aftersend.content.expression import Operand, Passage, Script
from aftersend.content.formula import CLICK, OPEN, Link, Pair
from aftersend.content.hypertext import Occurrence
from aftersend.content.message import (
    Addresses,
    FoundLink,
    Preparation,
    Rendered,
    Source,
    TrackedLink,
)
from aftersend.content.script import Limits
from aftersend.content.sheet import Edit, FormulaSlot, Piece, Sheet, TokenSlot, stretch, written
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import DESTINATION_LENGTH_MAX, TOKEN_SLOT, Destination
from aftersend.model.enumeration import Part, PixelPlace, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, UrlId
from aftersend.model.token import VALUES_MAX, KeyRing

__all__ = ["Template", "compile_message"]

_OPEN: Final = Destination((), UrlType.OPEN, "Open")
# Never display:none: some clients do not load what they do not show.
_PIXEL_END: Final = (
    '" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'
)
# At the beginning, where scanners read first; not a character of it is seen or read aloud.
_HONEYPOT_END: Final = '" style="display:none" aria-hidden="true" tabindex="-1" rel="nofollow"></a>'
_OURS: Final = frozenset((UrlType.MIRROR_PAGE, UrlType.OPT_OUT))
_FUNCTIONS: Final = {CLICK: "$click", OPEN: "$open"}


@dataclass(frozen=True, slots=True)
class Template:
    """A message ready to be rendered; made by `compile_message`.

    `urls` is for the catalogue of the delivery; `fields` are all fields of recipients it reads.
    `subject` and `parts` are for those who encode literals only once: the `fillings` of a message
    go into their slots.
    """

    delivery_id: DeliveryId
    urls: Mapping[UrlId, Destination]
    subject: Sheet
    parts: Mapping[Part, Sheet]
    untracked_reason: str
    _composition: Composition
    _limits: Limits

    @property
    def fields(self) -> frozenset[str]:
        """Give all fields of recipients that the message may read."""
        return self._composition.fields

    @property
    def has_html(self) -> bool:
        """Tell whether messages have an HTML part."""
        return Part.HTML in self.parts

    @property
    def has_text(self) -> bool:
        """Tell whether messages have a text part."""
        return Part.TEXT in self.parts

    def render(
        self,
        recipient: Mapping[str, object],
        *,
        message_id: MessageId,
        keys: KeyRing,
        at: datetime | None = None,
    ) -> Rendered:
        """Write the message to one recipient; a field that is missing or None is empty.

        Scripts take `at` for now.

        Raises:
            InvalidContent: a script fails, or the values of a link are longer than a link can be.
        """
        fillings, orders = self.fillings(recipient, message_id=message_id, keys=keys, at=at)
        texts = {
            part: sheet.fill(fillings, orders.get(part, ())) for part, sheet in self.parts.items()
        }
        return Rendered(
            subject=self.subject.fill(fillings, orders.get(None, ())),
            html=texts.get(Part.HTML),
            text=texts.get(Part.TEXT),
            sms=texts.get(Part.SMS),
        )

    def fillings(
        self,
        recipient: Mapping[str, object],
        *,
        message_id: MessageId,
        keys: KeyRing,
        at: datetime | None = None,
    ) -> Fillings:
        """Write only what differs from message to message: what goes into the slots.

        Raises:
            InvalidContent: a script fails, or the values of a link are longer than a link can be.
        """
        return self._composition.fillings(
            recipient,
            delivery_id=self.delivery_id,
            message_id=message_id,
            keys=keys,
            limits=self._limits,
            at=at,
        )


def compile_message(
    source: Source,
    *,
    delivery_id: DeliveryId,
    addresses: Addresses,
    tracked: Mapping[tuple[Part, str], TrackedLink] | None = None,
    is_tracked: bool = True,
    is_open_tracked: bool = True,
    honeypot: UrlId | None = None,
    preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
) -> Template:
    """Prepare a message for every recipient of a delivery.

    `tracked` says which links of `detect` are tracked, by part and source; those it lacks stay as
    they are written. None tracks all, with ids from 2 in the order of `detect`. Without
    `is_tracked` nothing is tracked: neither links nor opens. `honeypot` is the hidden link.

    Raises:
        InvalidContent: the message cannot be prepared; it says where and what to write instead.
    """
    limits = Limits(preparation.seconds_max, preparation.memory_bytes_max)
    subject = list(written(read_subject(source), None))
    parts = read_parts(source, addresses, preparation)
    found = {(link.part, link.source): link for link in links_of(parts, addresses)}
    if tracked is None:
        tracked = _track_all(found)
    chosen = {key: tracked[key] for key in found if key in tracked} if is_tracked else {}
    links = _links(found, chosen, addresses, preparation, limits)
    urls = {each.url_id: each.destination for each in links.values() if each.url_id is not None}
    assert len(urls) == len(chosen), "an id is one link"
    has_html = parts[0].part is Part.HTML and not parts[0].problem
    has_pixel = is_tracked and is_open_tracked and has_html
    if has_pixel:
        urls[OPEN_URL_ID] = _OPEN
    trap = honeypot if is_tracked and has_html else None
    urls |= _hidden(trap, urls, addresses)
    formulas = _formulas(preparation)
    bodies: dict[Part | None, Sequence[Piece]] = {None: subject}
    for each in parts:
        editor = _Editor(each, f"{addresses.redirect}/r/", links, formulas)
        place = preparation.pixel if has_pixel else None
        edits = editor.edits(place, trap) if each.part is Part.HTML else editor.edits()
        bodies[each.part] = list(written(each.passage, each.part, edits))
    composition = compose(
        bodies,
        formulas={
            _FUNCTIONS[name]: formula.function(passage) for name, passage in formulas.items()
        },
        delivery=preparation.delivery,
    )
    sheets = dict(composition.sheets)
    return Template(
        delivery_id=delivery_id,
        urls=urls,
        subject=sheets[None],
        parts={part: sheet for part, sheet in sheets.items() if part is not None},
        untracked_reason=" ".join(each.problem for each in parts if each.problem),
        _composition=composition,
        _limits=limits,
    )


def _hidden(
    trap: UrlId | None, taken: Collection[UrlId], addresses: Addresses
) -> dict[UrlId, Destination]:
    """Give the hidden link, if any: it is stopped, so it leads nowhere, whatever stands in it.

    Raises:
        InvalidContent: its id is that of another link.
    """
    if trap is None:
        return {}
    if trap in taken:
        raise InvalidContent(f"{trap} is the id of another link: give the hidden one its own.")
    address = (f"{addresses.redirect}/",)
    return {trap: Destination(address, UrlType.HONEYPOT, UrlType.HONEYPOT.label, is_blocked=True)}


@dataclass(frozen=True, slots=True)
class _Link:
    """A link with its parameters; it has no `url_id` when it is not tracked."""

    known: Link
    url_id: UrlId | None
    destination: Destination
    fields: tuple[Operand, ...]
    pairs: tuple[Pair, ...]


def _track_all(found: Mapping[tuple[Part, str], FoundLink]) -> dict[tuple[Part, str], TrackedLink]:
    return {
        key: TrackedLink(UrlId(number), link.type, link.label, link.category)
        for number, (key, link) in enumerate(found.items(), start=OPEN_URL_ID + 1)
        if link.mode.is_tracked
    }


def _links(
    found: Mapping[tuple[Part, str], FoundLink],
    chosen: Mapping[tuple[Part, str], TrackedLink],
    addresses: Addresses,
    preparation: Preparation,
    limits: Limits,
) -> dict[tuple[Part, str], _Link]:
    """Bring together what is known of each link, and give it its parameters."""
    known = {key: _known(link, chosen.get(key)) for key, link in found.items()}
    keys = [key for key in found if not _is_ours(found[key], chosen.get(key), addresses)]
    pairs = formula.parameters(
        preparation.link_parameters,
        [known[key] for key in keys],
        delivery=preparation.delivery,
        limits=limits,
    )
    parameters = dict(zip(keys, pairs, strict=True))
    return {
        key: _link(link, known[key], chosen.get(key), parameters.get(key, ()))
        for key, link in found.items()
    }


def _known(found: FoundLink, link: TrackedLink | None) -> Link:
    label = (link and link.label) or found.label
    category = (link and link.category) or found.category
    return Link(found.source, link.url_id if link else 0, label, category)


def _is_ours(found: FoundLink, link: TrackedLink | None, addresses: Addresses) -> bool:
    pieces = found.destination.pieces
    first = str(pieces[0])
    return (
        found.type in _OURS
        or (link is not None and link.type in _OURS)
        or TOKEN_SLOT in pieces
        or addresses.is_ours(first)
    )


def _link(
    found: FoundLink, known: Link, link: TrackedLink | None, pairs: tuple[Pair, ...]
) -> _Link:
    pieces, fields = formula.add_parameters(found.destination.pieces, found.fields, pairs)
    if sum(len(each) for each in pieces if isinstance(each, str)) > DESTINATION_LENGTH_MAX:
        problem = f"They make {found.source[:80]} longer than {DESTINATION_LENGTH_MAX} characters."
        raise formula.refuse_parameters(problem)
    if len(fields) > VALUES_MAX:
        raise formula.refuse_parameters(
            f"They give {found.source[:80]} more than {VALUES_MAX} fields."
        )
    return _Link(
        known=known,
        url_id=link.url_id if link else None,
        destination=Destination(pieces, link.type if link else found.type, known.label),
        fields=fields,
        pairs=pairs,
    )


def _formulas(preparation: Preparation) -> dict[str, Passage]:
    read = {
        name: formula.read_formula(name, text)
        for name, text in ((CLICK, preparation.click_formula), (OPEN, preparation.open_formula))
    }
    return {name: passage for name, passage in read.items() if passage is not None}


@dataclass(frozen=True, slots=True)
class _Editor:
    """Says what is sent in place of what the author wrote in one part."""

    prepared: PreparedPart
    base: str
    links: Mapping[tuple[Part, str], _Link]
    formulas: Mapping[str, Passage]

    def edits(
        self, pixel: PixelPlace | None = None, honeypot: UrlId | None = None
    ) -> Iterator[Edit]:
        unsent = set(self.prepared.unsent)
        for each in self.prepared.occurrences:
            link = self.links[self.prepared.part, each.address.source]
            if link.url_id is not None:
                unsent -= {at for at in unsent if each.start <= at[0] < each.end}
            edit = self._tracked(each, link) if link.url_id is not None else self._own(each, link)
            if edit is not None:
                yield edit
        if honeypot is not None:
            yield self._honeypot(honeypot)
        if pixel is not None:
            edit = self._pixel(pixel)
            yield edit
            unsent -= {(edit.start, edit.end)}
        yield from (Edit(start, end) for start, end in unsent)

    def _own(self, each: Occurrence, link: _Link) -> Edit | None:
        passage, part = self.prepared.passage, self.prepared.part
        return formula.insert_parameters(passage, part, each.start, each.end, link.pairs)

    def _tracked(self, each: Occurrence, link: _Link) -> Edit:
        passage, part = self.prepared.passage, self.prepared.part
        assert link.url_id is not None, "it is tracked"
        scripts = (at for at in passage.within(each.start, each.end) if isinstance(at.what, Script))
        places = {at.what: passage.code_place(at) for at in scripts if isinstance(at.what, Script)}
        slot = TokenSlot(part, link.url_id, link.fields, places)
        if CLICK not in self.formulas:
            return Edit(each.start, each.end, (self.base, slot))
        insertion = self._own(each, link)
        at = insertion.start if insertion else each.end
        written = FormulaSlot(
            name=CLICK,
            function=_FUNCTIONS[CLICK],
            arguments=formula.arguments(link.known, f"{self.base}{TOKEN_HERE}"),
            token=slot,
            spell=escape if part is Part.HTML else str,
            own=(
                *stretch(passage, part, each.start, at),
                *(insertion.pieces if insertion else ()),
                *stretch(passage, part, at, each.end),
            ),
        )
        return Edit(each.start, each.end, (written,))

    def _honeypot(self, url_id: UrlId) -> Edit:
        """Hide a link where nobody sees it."""
        at = self.prepared.pixel_top
        slot = TokenSlot(Part.HTML, url_id)
        return Edit(at, at, (f'<a href="{self.base}', slot, _HONEYPOT_END))

    def _pixel(self, place: PixelPlace) -> Edit:
        start, end = self._pixel_place(place)
        slot = TokenSlot(Part.HTML, OPEN_URL_ID)
        if OPEN not in self.formulas:
            return Edit(start, end, (f'<img src="{self.base}', slot, f".gif{_PIXEL_END}"))
        link = Link("", OPEN_URL_ID, _OPEN.label, "")
        written = FormulaSlot(
            name=OPEN,
            function=_FUNCTIONS[OPEN],
            arguments=formula.arguments(link, f"{self.base}{TOKEN_HERE}.gif"),
            token=slot,
            spell=escape,
            before='<img src="',
            behind=_PIXEL_END,
        )
        return Edit(start, end, (written,))

    def _pixel_place(self, place: PixelPlace) -> tuple[int, int]:
        prepared = self.prepared
        if place is PixelPlace.PLACEHOLDER and prepared.placeholders:
            return prepared.placeholders[0]
        at = prepared.pixel_top if place is PixelPlace.TOP else prepared.pixel_at
        return at, at
