"""The HTML of a message: its links, and what every value in it must be written as.

Links are `<a href>`, `<area href>` and the `href` of Outlook's VML (`<v:…>`). A relative address
leads to where the first `<base href>` of the document says; without one it is left alone.

Values are HTML-escaped in texts, comments and quoted attributes, percent-encoded where they are
written with escapeUrl. Where no escape could make them safe they are refused: in scripts, styles
and event handlers, in the middle of a tag, in an attribute without quotes.

Statements write nothing themselves. They stand in texts, between attributes and in the values of
attributes that hold no address. What they let through is decided for each message, so a document
has to be the same one with all of them taken out: none may part or join what would be a tag.

Source: spec §3.3, §3.6.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Final
from urllib.parse import urljoin

from aftersend.content.address import (
    STATEMENT_PROBLEM,
    WebAddress,
    check_values,
    read_address,
)
from aftersend.content.expression import Expression, OpenPixel, Passage, Statement
from aftersend.content.marking import (
    ATTRIBUTES,
    NOTRACK,
    Marks,
    attribute_text,
    read_marks,
    unsent_attributes,
)
from aftersend.content.markup import (
    Attribute,
    Comment,
    Markup,
    Node,
    Tag,
    Text,
    decode_attribute,
    read_markup,
)

__all__ = ["Hypertext", "Occurrence", "address_pieces", "base_of", "is_link", "read_hypertext"]

_ADDRESSES: Final = frozenset(
    ("href", "xlink:href", "src", "background", "action", "formaction", "poster", "cite", "data")
)
_SCRIPTS: Final = frozenset(("srcdoc", "srcset"))
_NO_VALUES: Final = frozenset(("script", "style"))
_PLACEHOLDER: Final = re.compile(r"\{\{\s*ses:openTracker\s*\}\}")
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`", re.DOTALL)
# Absolute, an anchor, another product's, empty, or with a host in a spelling of its own.
_LEFT_ALONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|#|\{\{|\Z|[^?#]*\\")
_WEB: Final = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)
_DROPPED: Final = re.compile(r"[\t\n\r]")
_AROUND: Final = "".join(map(chr, range(0x21)))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An address at its place; `start` to `end` is what a tracked link replaces.

    `marks` are the author's own words for it, `text` what people read as the link.
    """

    start: int
    end: int
    address: WebAddress
    marks: Marks = field(default_factory=Marks)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Hypertext:
    """Links in the order of their places, stretches that are not sent, and where a pixel goes.

    `pixel_at` and `pixel_top` are the end and the beginning of what people see; `placeholders` are
    stretches that the author left for the pixel.
    """

    occurrences: tuple[Occurrence, ...]
    unsent: tuple[tuple[int, int], ...]
    pixel_at: int
    pixel_top: int
    placeholders: tuple[tuple[int, int], ...]


def read_hypertext(passage: Passage) -> Hypertext:
    """Find the links of an HTML text.

    Raises:
        InvalidContent: a value stands where it is not safe, or a link cannot be tracked.
        UnreadableMarkup: the places of its tags are not certain.
    """
    markup = read_markup(passage.masked)
    _check(passage, markup)
    base = base_of(passage, markup)
    occurrences: list[Occurrence] = []
    unsent: list[tuple[int, int]] = []
    for index, node in enumerate(markup.nodes):
        if not isinstance(node, Tag) or node.is_end or not is_link(node):
            continue
        unsent += unsent_attributes(passage, node)
        unsent += _notrack(passage, node)
        occurrence = _occurrence(passage, markup, index, base)
        if occurrence is not None:
            occurrences.append(occurrence)
    bottom = _for_everybody(passage, markup.body_end, markup.open_end)
    return Hypertext(
        occurrences=tuple(occurrences),
        unsent=tuple(unsent),
        pixel_at=bottom,
        pixel_top=_for_everybody(passage, markup.body_start, bottom),
        placeholders=tuple(_placeholders(passage, markup)),
    )


def is_link(tag: Tag) -> bool:
    """Tell whether the `href` of a tag is a link that people can follow."""
    return tag.name in ("a", "area") or tag.name.startswith("v:")


def base_of(passage: Passage, markup: Markup) -> str:
    """Give the web address that relative ones begin at, or ""."""
    for node in markup.seen():
        if isinstance(node, Tag) and node.name == "base" and not node.is_end:
            href = node.attribute("href")
            if href is None:
                continue
            is_fixed = not passage.within(href.value_start, href.value_end)
            url = attribute_text(passage, href)
            return url.split("#")[0].split("?")[0] if is_fixed and _WEB.match(url) else ""
    return ""


def address_pieces(passage: Passage, attribute: Attribute) -> list[str | Expression]:
    """Cut an address into its decoded texts and its expressions.

    Raises:
        ValueError: an expression is hidden in character references.
    """
    return [
        _decoded(each, is_literal=passage.is_literal) if isinstance(each, str) else each
        for each in passage.pieces(attribute.value_start, attribute.value_end)
    ]


def _decoded(written: str, *, is_literal: bool) -> str:
    decoded = decode_attribute(written)
    if "<%" in decoded and "<%" not in written and not is_literal:
        raise ValueError(
            "This address has an expression in character references: write <%= … %> as it is."
        )
    return decoded


def _occurrence(passage: Passage, markup: Markup, index: int, base: str) -> Occurrence | None:
    tag = markup.nodes[index]
    assert isinstance(tag, Tag), "links are tags"
    href = tag.attribute("href")
    if href is None:
        return None
    try:
        address, is_tracked = _read_href(passage, href, base)
    except ValueError as error:
        raise passage.error(str(error), href.value_start) from error
    if address is None:
        return None
    marks = read_marks(passage, tag)
    return Occurrence(
        start=href.value_start,
        end=href.value_end,
        address=address,
        marks=replace(marks, is_tracked=marks.is_tracked and is_tracked),
        text=_text_of(passage, markup, index),
    )


def _read_href(passage: Passage, href: Attribute, base: str) -> tuple[WebAddress | None, bool]:
    """Read an address, and whether its scheme lets it be tracked."""
    pieces = address_pieces(passage, href)
    first = pieces[0] if pieces else ""
    is_tracked = True
    if isinstance(first, str):
        first = _DROPPED.sub("", first).lstrip(_AROUND)
        if mark := NOTRACK.match(first):
            is_tracked = False
            first = first[: mark.start("mark")] + first[mark.end("mark") :]
        elif base and not _LEFT_ALONE.match(first.rstrip(_AROUND)):
            first = _join(base, first)
        pieces[:1] = [first]
    return read_address(pieces), is_tracked


def _join(base: str, relative: str) -> str:
    """Make a relative address absolute; its query and fragment keep every byte."""
    path = re.split(r"[?#]", relative, maxsplit=1)[0]
    rest = relative[len(path) :]
    return (urljoin(base, path.rstrip(_AROUND) if not rest else path) if path else base) + rest


def _notrack(passage: Passage, tag: Tag) -> Iterator[tuple[int, int]]:
    href = tag.attribute("href")
    if href is None:
        return
    written = passage.text[href.value_start : href.value_end]
    start = href.value_start + len(written) - len(written.lstrip(_AROUND))
    if mark := NOTRACK.match(passage.text, start, href.value_end):
        yield mark.span("mark")
    elif NOTRACK.match(_DROPPED.sub("", decode_attribute(written)).lstrip(_AROUND)):
        raise passage.error("Write https+notrack:// as it is, without references.", start)


def _text_of(passage: Passage, markup: Markup, index: int) -> str:
    """Read a link up to its end: its text, else the alternative text of its first image."""
    link = markup.nodes[index]
    assert isinstance(link, Tag), "links are tags"
    if link.name == "area":
        return attribute_text(passage, link.attribute("alt"))
    texts: list[str] = []
    alternative = ""
    for node in markup.nodes[index + 1 :]:
        if isinstance(node, Text) and not node.element:
            texts += _spoken(passage, node)
        elif isinstance(node, Tag):
            if node.name == link.name or is_link(node):
                break
            if node.name == "img" and not node.is_end:
                alternative = alternative or attribute_text(passage, node.attribute("alt"))
    return " ".join("".join(texts).split()) or alternative


def _spoken(passage: Passage, text: Text) -> Iterator[str]:
    for piece in passage.pieces(text.start, text.end):
        if isinstance(piece, str):
            yield unescape(piece)
        elif not isinstance(piece.what, Statement | OpenPixel):
            yield passage.text[piece.start : piece.end]


def _placeholders(passage: Passage, markup: Markup) -> Iterator[tuple[int, int]]:
    for node in markup.seen():
        if not isinstance(node, Text) or node.element:
            continue
        places = [
            match.span() for match in _PLACEHOLDER.finditer(passage.text, node.start, node.end)
        ]
        places += [
            (each.start, each.end)
            for each in passage.within(node.start, node.end)
            if isinstance(each.what, OpenPixel)
        ]
        yield from sorted(places)


def _for_everybody(passage: Passage, at: int, otherwise: int) -> int:
    """Give a place, or the other one where statements decide whether it is written at all."""
    if at < 0:
        return otherwise
    depth = 0
    for expression in passage.within(0, at):
        if isinstance(expression.what, Statement):
            code = _QUOTED.sub("", expression.what.code)
            depth += code.count("{") - code.count("}")
    return at if depth == 0 else otherwise


def _check(passage: Passage, markup: Markup) -> None:
    """Refuse what stands where nothing makes it safe."""
    for node in markup.nodes:
        for expression in passage.within(node.start, node.end):
            if isinstance(node, Tag):
                _check_in_tag(passage, node, expression)
            elif isinstance(expression.what, OpenPixel):
                _check_pixel(passage, node, expression)
            elif (
                isinstance(node, Text)
                and node.element in _NO_VALUES
                and not isinstance(expression.what, Statement)
            ):
                raise passage.error(
                    f"A value cannot stand in a <{node.element}>.", expression.start
                )
    _check_statements(passage, markup)


def _check_pixel(passage: Passage, node: Node, expression: Expression) -> None:
    if not isinstance(node, Text) or node.element:
        raise passage.error(
            "The place of the pixel is between tags: write it where a picture could stand.",
            expression.start,
        )


def _check_in_tag(passage: Passage, tag: Tag, expression: Expression) -> None:
    at = expression.start
    attribute = next((each for each in tag.attributes if each.start <= at < each.end), None)
    if isinstance(expression.what, OpenPixel):
        _check_pixel(passage, tag, expression)
    elif isinstance(expression.what, Statement):
        _check_statement_in_tag(passage, tag, attribute, at)
    elif attribute is None or at < attribute.value_start:
        raise passage.error(
            'A value inside a tag stands in an attribute: write <tag name="<%= … %>">.', at
        )
    else:
        _check_value_in_attribute(passage, attribute, at)


def _check_value_in_attribute(passage: Passage, attribute: Attribute, at: int) -> None:
    if not attribute.is_quoted:
        raise passage.error(
            f'An attribute with a value has quotes: write {attribute.name}="<%= … %>".', at
        )
    if attribute.name.startswith("on") or attribute.name in _SCRIPTS:
        raise passage.error(f"A value cannot stand in the attribute {attribute.name}.", at)
    if attribute.name in _ADDRESSES:
        try:
            check_values(tuple(address_pieces(passage, attribute)))
        except ValueError as error:
            raise passage.error(str(error), at) from error


def _check_statement_in_tag(
    passage: Passage, tag: Tag, attribute: Attribute | None, at: int
) -> None:
    if attribute is None:
        names = [each.name for each in tag.attributes if each.name in _ADDRESSES]
        if not tag.is_whole:
            raise passage.error("This tag is not closed: write `>`.", tag.start)
        if len(names) > len(set(names)):
            raise passage.error(
                "This tag has two addresses, of which a message would have one: write a condition"
                " around two whole tags.",
                at,
            )
    elif attribute.name in _ADDRESSES or attribute.name in _SCRIPTS:
        raise passage.error(STATEMENT_PROBLEM, at)
    elif attribute.name in ATTRIBUTES:
        raise passage.error(
            f"{attribute.name} is the same for everybody: no statement.", attribute.start
        )
    elif at < attribute.value_start:
        raise passage.error("A statement stands between attributes, or inside a value.", at)


def _check_statements(passage: Passage, markup: Markup) -> None:
    """Refuse statements without which the document would have other tags."""
    statements = [each for each in passage.expressions if isinstance(each.what, Statement)]
    if not statements:
        return
    at, kept = 0, []
    for each in statements:
        kept.append(passage.masked[at : each.start])
        at = each.end
    without = "".join((*kept, passage.masked[at:]))
    others = [_outline(without, node) for node in _tags(read_markup(without))]
    nodes = list(_tags(markup))
    outlines = [_outline(passage.masked, node) for node in nodes]
    if outlines == others:
        return
    first = next(
        (
            node.start
            for node, outline, other in zip(nodes, outlines, others, strict=False)
            if outline != other
        ),
        len(passage.masked),
    )
    guilty = next((each for each in statements if each.end >= first), statements[-1])
    raise passage.error(
        "Without this statement the tags around it would be others: put a space or a quote between"
        " it and what it touches.",
        guilty.start,
    )


def _tags(markup: Markup) -> Iterator[Tag | Comment]:
    return (node for node in markup.nodes if not isinstance(node, Text))


def _outline(source: str, node: Tag | Comment) -> tuple[str, ...]:
    written = "".join(source[node.start : node.end].split())
    return (
        (written, *(each.name for each in node.attributes)) if isinstance(node, Tag) else (written,)
    )
