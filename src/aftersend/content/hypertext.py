"""The HTML of a message: its links, and what every value in it must be written as.

Links are `<a href>`, `<area href>` and the `href` of Outlook's VML (`<v:…>`). `_label` and `_type`
name and type a link; they are ours and never leave the house.

Values are HTML-escaped in texts, comments and quoted attributes, percent-encoded where they are
written with escapeUrl. Where no escape could make them safe they are refused: in scripts, styles
and event handlers, in the middle of a tag, in an attribute without quotes.

Source: spec §3.3, §3.6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

from aftersend.content.address import WebAddress, check_values, read_address
from aftersend.content.expression import Expression, Passage
from aftersend.content.markup import Attribute, Markup, Tag, Text, decode_attribute, read_markup
from aftersend.model.enumeration import UrlType

__all__ = ["Hypertext", "Occurrence", "read_hypertext"]

_LABEL: Final = "_label"
_TYPE: Final = "_type"
_TYPES: Final = {"mirrorpage": UrlType.MIRROR_PAGE, "optout": UrlType.OPT_OUT}
_ADDRESSES: Final = frozenset(
    ("href", "xlink:href", "src", "background", "action", "formaction", "poster", "cite", "data")
)
_SCRIPTS: Final = frozenset(("srcdoc", "srcset"))
_NO_VALUES: Final = frozenset(("script", "style"))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An address at its place; `start` to `end` is what a tracked link replaces.

    `label` is the author's own, `text` what people read: one of them names the link.
    """

    start: int
    end: int
    address: WebAddress
    label: str = ""
    text: str = ""
    type: UrlType | None = None


@dataclass(frozen=True, slots=True)
class Hypertext:
    """Links in the order of their places, stretches that are not sent, and where a pixel goes."""

    occurrences: tuple[Occurrence, ...]
    unsent: tuple[tuple[int, int], ...]
    pixel_at: int


def read_hypertext(passage: Passage) -> Hypertext:
    """Find the links of an HTML text.

    Raises:
        InvalidContent: a value stands where it is not safe, or a link cannot be tracked.
    """
    markup = read_markup(passage.masked)
    _check_values(passage, markup)
    occurrences: list[Occurrence] = []
    unsent: list[tuple[int, int]] = []
    for index, node in enumerate(markup.nodes):
        if not isinstance(node, Tag) or node.is_end or not _is_link(node):
            continue
        unsent += _unsent(passage, node)
        occurrence = _occurrence(passage, markup, index, node)
        if occurrence is not None:
            occurrences.append(occurrence)
    pixel_at = markup.open_end if markup.body_end < 0 else markup.body_end
    return Hypertext(tuple(occurrences), tuple(unsent), pixel_at)


def _is_link(tag: Tag) -> bool:
    return tag.name in ("a", "area") or tag.name.startswith("v:")


def _occurrence(passage: Passage, markup: Markup, index: int, tag: Tag) -> Occurrence | None:
    href = tag.attribute("href")
    if href is None:
        return None
    try:
        address = read_address(_decoded(passage, href))
    except ValueError as error:
        raise passage.error(str(error), href.value_start) from error
    if address is None:
        return None
    return Occurrence(
        start=href.value_start,
        end=href.value_end,
        address=address,
        label=_own(passage, tag, _LABEL),
        text=_text_of(passage, markup, index),
        type=_type(passage, tag),
    )


def _decoded(passage: Passage, attribute: Attribute) -> Iterator[str | Expression]:
    for piece in passage.pieces(attribute.value_start, attribute.value_end):
        yield decode_attribute(piece) if isinstance(piece, str) else piece


def _own(passage: Passage, tag: Tag, name: str) -> str:
    """Read one of our own attributes, which is the same for everybody."""
    attribute = tag.attribute(name)
    if attribute is None:
        return ""
    if passage.within(attribute.start, attribute.end):
        raise passage.error(f"{name} is the same for everybody: no value.", attribute.start)
    written = passage.text[attribute.value_start : attribute.value_end]
    return " ".join(decode_attribute(written).split())


def _type(passage: Passage, tag: Tag) -> UrlType | None:
    name = _own(passage, tag, _TYPE)
    if name and name.lower() not in _TYPES:
        attribute = tag.attribute(_TYPE)
        assert attribute is not None, "it has just been read"
        raise passage.error(
            f"There is no type {name[:60]!r}: write mirrorPage or optOut.", attribute.start
        )
    return _TYPES.get(name.lower())


def _unsent(passage: Passage, tag: Tag) -> Iterator[tuple[int, int]]:
    """Give the stretches of our own attributes, with the white space before them.

    The white space stays where it parts two attributes, and so does an attribute before `=`, which
    would become the value of the one before it.
    """
    for attribute in tag.attributes:
        if attribute.name not in (_LABEL, _TYPE):
            continue
        start, end = attribute.start, attribute.end
        following = passage.masked[end : tag.end]
        if following.lstrip("\t\n\f /").startswith("="):
            continue
        if following[0] in "\t\n\f >":
            while passage.masked[start - 1] in "\t\n\f ":
                start -= 1
        yield start, end


def _text_of(passage: Passage, markup: Markup, index: int) -> str:
    """Read a link up to its end: its text, else the alternative text of its first image."""
    link = markup.nodes[index]
    assert isinstance(link, Tag), "links are tags"
    if link.name == "area":
        return _attribute_text(passage, link, "alt")
    texts: list[str] = []
    alternative = ""
    for node in markup.nodes[index + 1 :]:
        if isinstance(node, Text) and not node.element:
            texts.append(unescape(passage.text[node.start : node.end]))
        elif isinstance(node, Tag):
            if node.name == link.name or _is_link(node):
                break
            if node.name == "img" and not node.is_end:
                alternative = alternative or _attribute_text(passage, node, "alt")
    return " ".join("".join(texts).split()) or alternative


def _attribute_text(passage: Passage, tag: Tag, name: str) -> str:
    attribute = tag.attribute(name)
    if attribute is None:
        return ""
    written = passage.text[attribute.value_start : attribute.value_end]
    return " ".join(decode_attribute(written).split())


def _check_values(passage: Passage, markup: Markup) -> None:
    """Refuse values where no escape makes them safe."""
    for node in markup.nodes:
        for expression in passage.within(node.start, node.end):
            if isinstance(node, Tag):
                _check_value_in_tag(passage, node, expression)
            elif isinstance(node, Text) and node.element in _NO_VALUES:
                raise passage.error(
                    f"A value cannot stand in a <{node.element}>.", expression.start
                )


def _check_value_in_tag(passage: Passage, tag: Tag, expression: Expression) -> None:
    at = expression.start
    attribute = next(
        (each for each in tag.attributes if each.value_start <= at < each.value_end), None
    )
    if attribute is None:
        raise passage.error(
            'A value inside a tag stands in an attribute: write <tag name="<%= … %>">.', at
        )
    if not attribute.is_quoted:
        raise passage.error(
            f'An attribute with a value has quotes: write {attribute.name}="<%= … %>".', at
        )
    if attribute.name.startswith("on") or attribute.name in _SCRIPTS:
        raise passage.error(f"A value cannot stand in the attribute {attribute.name}.", at)
    if attribute.name in _ADDRESSES:
        try:
            check_values(tuple(_decoded(passage, attribute)))
        except ValueError as error:
            raise passage.error(str(error), at) from error
