"""HTML with exact places: where each tag, attribute and text stands in the source.

turbohtml's tokenizer (WHATWG rules) says what is a tag, a comment or raw text and where it begins;
it gives no places of attributes, so a start tag is read once more here, by the same rules, and both
readings must agree. Where they do not, nobody may rely on any place: the source is unreadable and
has to stay as it is. Nothing is ever written back from tokens: whoever changes the source splices.

The content of `<!--[if …]>` comments and of `<noscript>` is read too: Outlook shows the first, and
mail clients, which run no scripts, the second.

Invariants: places count characters of the masked passage, which has no carriage return; nodes stand
in order of their places; a node of raw text (script, style, title …) holds no tags.

Source: https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from turbohtml import Token, TokenType, tokenize

__all__ = [
    "Attribute",
    "Comment",
    "Markup",
    "Node",
    "Tag",
    "Text",
    "UnreadableMarkup",
    "decode_attribute",
    "read_markup",
]

_RAW: Final = frozenset(
    {
        "script",
        "style",
        "title",
        "textarea",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "noscript",
        "plaintext",
    }
)
_HEAD: Final = frozenset(
    ("html", "head", "title", "meta", "link", "style", "script", "base", "noscript", "template")
)
_BLANK: Final = "\ufeff\t\n\f "
_DEPTH_MAX: Final = 4
# Closes a tag from wherever the source leaves it: the first letter is for `<a href=`.
_CLOSING: Final = "x\"'>"
_TAG_NAME: Final = re.compile(r"</?[^\t\n\f />]*")
_BEFORE_ATTRIBUTE: Final = re.compile(r"[\t\n\f /]*")
_NAME: Final = re.compile(r"=?[^\t\n\f />=]*")
_EQUALS: Final = re.compile(r"[\t\n\f ]*=[\t\n\f ]*")
_VALUE: Final = re.compile(r"\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\t\n\f >]*)")
_CONDITION: Final = re.compile(
    r"<!--\[if\b[^\]]*\]>(?P<inner>.*)<!\[endif\]-->", re.DOTALL | re.IGNORECASE
)
_LINE_END: Final = re.compile("\n")
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ\0", "abcdefghijklmnopqrstuvwxyz\ufffd")


class UnreadableMarkup(Exception):
    """The places in a source are not certain; the text says why."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a tag; `start` to `end` is all of it, quotes and all."""

    name: str
    start: int
    end: int
    value_start: int
    value_end: int
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or end tag; `is_whole` is false when the source ends inside it."""

    name: str
    start: int
    end: int
    attributes: tuple[Attribute, ...] = ()
    is_end: bool = False
    is_whole: bool = True

    def attribute(self, name: str) -> Attribute | None:
        """Give the first attribute of a name: the one that counts."""
        return next((each for each in self.attributes if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters between tags; `element` names the raw text element that they stand in."""

    start: int
    end: int
    element: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, doctype or the like; a conditional one is followed by what stands in it."""

    start: int
    end: int


Node: TypeAlias = Tag | Text | Comment


@dataclass(frozen=True, slots=True)
class Markup:
    """The nodes of a source, and the places where a picture may be put in.

    `body_start` is where what people see begins: behind `<body>`, else behind the head. `body_end`
    is where the last `</body>` stands, or -1; at `open_end` the source is outside of every tag,
    comment and raw text: its end, or the beginning of what it never closes.
    """

    nodes: tuple[Node, ...]
    body_start: int
    body_end: int
    open_end: int

    def seen(self) -> Iterator[Node]:
        """Give the nodes that do not stand in a comment."""
        hidden_until = 0
        for node in self.nodes:
            if node.start >= hidden_until:
                yield node
                hidden_until = node.end if isinstance(node, Comment) else hidden_until


def read_markup(source: str) -> Markup:
    """Find every tag, attribute, text and comment of a source without carriage returns.

    Raises:
        UnreadableMarkup: the two readings do not agree.
    """
    nodes, body_end, open_end = _read(source, 0, len(source), depth=0)
    markup = Markup(tuple(nodes), 0, body_end, open_end)
    return replace(markup, body_start=min(_body_start(source, markup), open_end))


def decode_attribute(value: str) -> str:
    """Decode the character references of an attribute's value, once.

    >>> decode_attribute("a=1&amp;b=2&#38;amp;&copy=3")
    'a=1&b=2&amp;&copy=3'
    """
    if "&" not in value:
        return value
    quoted = value.replace('"', "&quot;")
    attributes = next(iter(tokenize(f'<a b="{quoted}">'))).attrs
    if not attributes:
        raise UnreadableMarkup("a value has no attribute")
    return attributes[0][1]


def _read(source: str, start: int, end: int, *, depth: int) -> tuple[list[Node], int, int]:
    """Read a stretch, what follows it does not matter: its nodes, body end and open end."""
    text = source[start:end] + _CLOSING
    tokens = [(start + at, token) for at, token in _placed(text)]
    nodes: list[Node] = []
    raw: Tag | None = None
    body_end = -1
    for index, (at, token) in enumerate(tokens):
        if at >= end:
            break
        next_at = tokens[index + 1][0] if index + 1 < len(tokens) else end
        if token.type in (TokenType.START_TAG, TokenType.END_TAG):
            tag = _tag(token, at, end)
            nodes.append(tag)
            if tag.is_whole:
                raw = tag if tag.name in _RAW and not tag.is_end else None
                body_end = at if tag.name == "body" and tag.is_end else body_end
        elif token.type is TokenType.TEXT:
            nodes += _text(source, Text(at, min(next_at, end), raw.name if raw else ""), depth)
        else:
            length = len(token.source) if token.source else next_at - at
            nodes += _comment(source, Comment(at, min(at + length, end)), depth)
    return nodes, body_end, _open_end(tokens, raw, end)


def _placed(text: str) -> Iterator[tuple[int, Token]]:
    line_starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    for token in tokenize(text, capture_source=True):
        at = line_starts[token.line - 1] + token.col
        if not text.startswith(token.source or "", at):
            raise UnreadableMarkup("a tag does not stand where it was found")
        yield at, token


def _open_end(tokens: list[tuple[int, Token]], raw: Tag | None, end: int) -> int:
    if raw is not None:
        return raw.start
    at, last = tokens[-1]
    return end if at >= end or last.type is TokenType.TEXT else at


def _body_start(source: str, markup: Markup) -> int:
    tags = [node for node in markup.seen() if isinstance(node, Tag) and node.is_whole]
    for name, is_end in (("body", False), ("head", True)):
        for tag in tags:
            if tag.name == name and tag.is_end is is_end:
                return tag.end
    at = 0
    for node in markup.seen():
        if isinstance(node, Text):
            if not node.element and source[node.start : node.end].strip(_BLANK):
                break
        elif isinstance(node, Tag) and not (node.is_whole and node.name in _HEAD):
            break
        else:
            at = node.end
    return at


def _text(source: str, text: Text, depth: int) -> list[Node]:
    if text.element != "noscript" or depth >= _DEPTH_MAX:
        return [text]
    return _read(source, text.start, text.end, depth=depth + 1)[0]


def _comment(source: str, comment: Comment, depth: int) -> list[Node]:
    condition = _CONDITION.fullmatch(source, comment.start, comment.end)
    if condition is None:
        return [comment]
    return [comment, *_read(source, *condition.span("inner"), depth=depth + 1)[0]]


def _tag(token: Token, at: int, end: int) -> Tag:
    written, name = token.source, token.tag
    if written is None or name is None:
        raise UnreadableMarkup("a tag has no name")
    is_end = token.type is TokenType.END_TAG
    if at + len(written) > end:
        return Tag(name, at, end, is_end=is_end, is_whole=False)
    attributes = tuple(_attributes(written, at))
    names = list(dict.fromkeys(each.name for each in attributes))
    if names != [known for known, _ in token.attrs or ()]:
        raise UnreadableMarkup("a tag has other attributes than were found")
    return Tag(name, at, at + len(written), attributes, is_end)


def _attributes(written: str, base: int) -> Iterator[Attribute]:
    at = _end(_TAG_NAME, written, 0)
    while True:
        at = _end(_BEFORE_ATTRIBUTE, written, at)
        if written[at] == ">":
            if at != len(written) - 1:
                raise UnreadableMarkup("a tag does not end where it was found to end")
            return
        start, at = at, _end(_NAME, written, at)
        if start >= at:
            raise UnreadableMarkup("an attribute has no name")
        name = written[start:at].translate(_LOWER)
        value_start = value_end = at
        is_quoted = False
        if equals := _EQUALS.match(written, at):
            value = _VALUE.match(written, equals.end())
            assert value is not None, "the pattern matches the empty text too"
            at = value.end()
            value_start, value_end = value.span(value.lastgroup or "bare")
            is_quoted = value.lastgroup != "bare"
        yield Attribute(
            name, base + start, base + at, base + value_start, base + value_end, is_quoted
        )


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
