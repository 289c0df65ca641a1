"""Which links a message has: the list that people see before anything is sent.

The same decoded URL is one link of its part, however often and however it is written. The author's
own label wins over the link's text, text over the alternative text of an image, and a link without
words is named by its URL. Links of the blocks have fixed names and types.

Source: spec §3.3, §3.6.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from aftersend.content.block import KnownLink, blocks, known_link
from aftersend.content.expression import Passage, literal_passage, read_passage
from aftersend.content.hypertext import Occurrence, read_hypertext
from aftersend.content.markup import UnreadableMarkup
from aftersend.content.message import Addresses, FoundLink, Preparation, Source
from aftersend.content.plaintext import read_plaintext
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import Destination
from aftersend.model.enumeration import Part, TrackingMode, UrlType

__all__ = [
    "CATEGORY_LENGTH_MAX",
    "LABEL_LENGTH_MAX",
    "LINE_BREAKS",
    "PreparedPart",
    "detect",
    "group",
    "links_of",
    "read_parts",
    "read_subject",
]

LABEL_LENGTH_MAX: Final = 255
CATEGORY_LENGTH_MAX: Final = 100
LINE_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
"""What no header of a message may hold: all that anybody reads as the end of a line."""


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """One part with its links at their places.

    `unsent` are stretches that are not sent. `pixel_at` and `pixel_top` are places in HTML, -1 in
    text; `placeholders` are the stretches that the author left for the pixel. With a `problem` the
    part could not be understood: it is sent as it is.
    """

    part: Part
    passage: Passage
    occurrences: tuple[Occurrence, ...]
    unsent: tuple[tuple[int, int], ...] = ()
    pixel_at: int = -1
    pixel_top: int = -1
    placeholders: tuple[tuple[int, int], ...] = ()
    problem: str = ""


def detect(
    source: Source,
    *,
    addresses: Addresses,
    preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
) -> tuple[FoundLink, ...]:
    """List the links of a message: those of the HTML in their order, then those of the text.

    Raises:
        InvalidContent: the message cannot be prepared.

    >>> found = detect(
    ...     Source("Hi", html="<a href='https://x.example/?a=1&amp;b=2'>Shop</a>"),
    ...     addresses=Addresses("https://t.example", "https://app.example"),
    ... )
    >>> [(link.source, link.label, link.occurrences) for link in found]
    [('https://x.example/?a=1&b=2', 'Shop', 1)]
    """
    read_subject(source)
    return links_of(read_parts(source, addresses, preparation), addresses)


def read_subject(source: Source) -> Passage:
    """Read the subject, which has values but no blocks.

    Raises:
        InvalidContent: it has more than one line, or an expression is not understood.
    """
    if source.is_literal:
        passage = literal_passage("subject", source.subject)
    else:
        passage = read_passage("subject", source.subject, blocks={})
    for piece in passage.pieces(0, len(passage.text)):
        if isinstance(piece, str) and LINE_BREAKS.search(piece):
            raise InvalidContent("The subject has more than one line: write one.", part="subject")
    return passage


def read_parts(
    source: Source,
    addresses: Addresses,
    preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
) -> tuple[PreparedPart, ...]:
    """Read the parts that are not blank, HTML first.

    Raises:
        InvalidContent: there is no part, or one cannot be prepared.
    """
    written = ((Part.HTML, source.html), (Part.TEXT, source.text), (Part.SMS, source.sms))
    parts = tuple(
        _read(part, _passage(source, part, text, addresses), preparation)
        for part, text in written
        if text is not None and text.strip()
    )
    if not parts:
        raise InvalidContent("The message is empty: write an HTML part, a text part or both.")
    return parts


def links_of(parts: Iterable[PreparedPart], addresses: Addresses) -> tuple[FoundLink, ...]:
    """List the links of the parts.

    What the author switched off in the HTML is off in the other parts, too: it leads to the same
    place.
    """
    links = [link for part in parts for link in group(part, addresses)]
    off = {link.source for link in links if link.part is Part.HTML and not link.mode.is_tracked}
    return tuple(
        replace(link, mode=TrackingMode.NOT_TRACKED) if link.source in off else link
        for link in links
    )


def group(prepared: PreparedPart, addresses: Addresses) -> tuple[FoundLink, ...]:
    """Join the occurrences of each URL, in the order of the first ones."""
    occurrences: dict[str, list[Occurrence]] = {}
    for occurrence in prepared.occurrences:
        occurrences.setdefault(occurrence.address.source, []).append(occurrence)
    return tuple(_link(prepared.part, same, addresses) for same in occurrences.values())


def _passage(source: Source, part: Part, text: str, addresses: Addresses) -> Passage:
    name = part.name.lower()
    if source.is_literal:
        return literal_passage(name, text)
    return read_passage(name, text, blocks=blocks(part, addresses))


def _read(part: Part, passage: Passage, preparation: Preparation) -> PreparedPart:
    try:
        if part is Part.HTML:
            return _html(passage)
        text = read_plaintext(passage, pairs=preparation.pairs)
        return PreparedPart(part, passage, text.occurrences, text.unsent)
    except InvalidContent:
        raise
    except UnreadableMarkup as error:
        problem = str(error)
    # Nobody's mail may be changed or stopped by a mistake of ours.
    except Exception as error:  # noqa: BLE001
        problem = f"its reading failed ({type(error).__name__})"
    return PreparedPart(
        part,
        passage,
        (),
        problem=f"The {passage.name} part is sent as it is, not tracked: {problem}.",
    )


def _html(passage: Passage) -> PreparedPart:
    read = read_hypertext(passage)
    return PreparedPart(
        part=Part.HTML,
        passage=passage,
        occurrences=read.occurrences,
        unsent=(*read.unsent, *read.placeholders),
        pixel_at=read.pixel_at,
        pixel_top=read.pixel_top,
        placeholders=read.placeholders,
    )


def _link(part: Part, same: list[Occurrence], addresses: Addresses) -> FoundLink:
    """Join the occurrences of one URL: one of them that is not to be tracked decides for all."""
    address = same[0].address
    known = known_link(address.pieces, addresses) or KnownLink(UrlType.EMAIL_CLICK, "")
    marks = [each.marks for each in same]
    text = _first(each.text for each in same)
    label = _first(each.label for each in marks) or known.label or text or address.source
    kind = next((each.type for each in marks if each.type is not None), known.type)
    category = _first(each.category for each in marks) or known.category
    is_tracked = all(each.is_tracked for each in marks)
    return FoundLink(
        part=part,
        source=address.source,
        destination=Destination(address.pieces, kind, label[:LABEL_LENGTH_MAX]),
        fields=address.fields,
        occurrences=len(same),
        category=category[:CATEGORY_LENGTH_MAX],
        mode=TrackingMode.ENABLED if is_tracked else TrackingMode.NOT_TRACKED,
        text=text,
    )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
