"""Personalisation: what stands between `<%` and `%>` in a subject, an HTML or a text.

Understood are::

    <%= recipient.field %>               the recipient's field
    <%= escapeUrl(recipient.field) %>    the same, percent-encoded: inside addresses
    <%= any expression %>                what the expression gives, see `content.script`
    <% any statement %>                  a condition, a loop, a variable
    <%= message.token %>                 the tracking token of the message
    <%@ include view='MirrorPage' %>     a block, see `content.block`

The first `%>` ends an expression, also inside a text or a comment of its code: write `'%' + '>'`.

A passage keeps the places of its expressions, so that everything behind works on `masked`: the
same length, with letters in place of expressions, spaces in place of statements (they write
nothing themselves) and of carriage returns. Quotes and spaces inside an expression cannot confuse
anybody who looks for tags or URLs there.

Invariants: `len(masked) == len(text)`; expressions do not overlap and stand in order; places that
people are told count from 1 in the author's own lines, blocks not expanded.

Source: spec §3.2.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from aftersend.errors import InvalidContent

__all__ = [
    "TEXT_LENGTH_MAX",
    "Block",
    "Expression",
    "MessageToken",
    "OpenPixel",
    "Operand",
    "Passage",
    "Place",
    "Script",
    "Statement",
    "Value",
    "What",
    "literal_passage",
    "read_passage",
]

TEXT_LENGTH_MAX: Final = 5_000_000

_OPEN: Final = re.compile(r"<%")
_SPACE: Final = re.compile(r"\s+")
_VALUE: Final = re.compile(
    r"=\s*(?:recipient\.(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|escapeUrl\(\s*recipient\.(?P<escaped>[A-Za-z_][A-Za-z0-9_]*)\s*\))\s*"
)
_BLOCK: Final = re.compile(
    r"@\s*include\s+view\s*=\s*(?P<quote>['\"])(?P<name>[^'\"]*)(?P=quote)\s*"
)
_TOKEN: Final = re.compile(r"=\s*message\.token\s*")
_TOKEN_TEXT: Final = "<%= message.token %>"  # noqa: S105 - how it is spelled in lists of links
_PIXEL_TEXT: Final = "<%@ include view='OpenPixel' %>"
_ESCAPED: Final = re.compile(r"escapeUrl\s*\(")
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`", re.DOTALL)
_MASK: Final = "x"
_BLANK: Final = " "


@dataclass(frozen=True, slots=True)
class Value:
    """A field of the recipient, `is_url` when it was written with escapeUrl."""

    field: str
    is_url: bool

    def __str__(self) -> str:
        name = f"recipient.{self.field}"
        return f"<%= escapeUrl({name}) %>" if self.is_url else f"<%= {name} %>"


@dataclass(frozen=True, slots=True)
class Script:
    """An expression of JavaScript; `is_url` when all of it is one `escapeUrl(…)`."""

    code: str
    is_url: bool

    def __str__(self) -> str:
        return f"<%= {self.code} %>"


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of JavaScript that decides what of the text behind it is written."""

    code: str

    def __str__(self) -> str:
        return f"<% {self.code} %>"


Operand: TypeAlias = str | Script
"""Where a value of a link comes from: a field of the recipient, by its name, or a script."""


@dataclass(frozen=True, slots=True)
class MessageToken:
    """The tracking token of the message."""

    def __str__(self) -> str:
        return _TOKEN_TEXT


@dataclass(frozen=True, slots=True)
class OpenPixel:
    """The place that the author chose for the picture that tells of opens."""

    def __str__(self) -> str:
        return _PIXEL_TEXT


What: TypeAlias = Value | Script | Statement | MessageToken | OpenPixel
"""What can stand in a text besides its letters."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a block stands for: literal texts with what differs from message to message."""

    pieces: tuple[str | MessageToken | OpenPixel, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands at a place: `start` and `end` count characters of the passage's `text`."""

    start: int
    end: int
    what: What


@dataclass(frozen=True, slots=True)
class Place:
    """Where the author wrote something; lines and columns count from 1."""

    part: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Passage:
    """One of the texts of a message with its blocks expanded.

    `origins` says where the author wrote what stands from a place of `text` on, and whether the
    characters that follow are his (a block counts as one place). In one that `is_literal` nothing
    is an expression, whatever it looks like.
    """

    name: str
    written: str
    text: str
    masked: str
    expressions: tuple[Expression, ...]
    origins: tuple[tuple[int, int, bool], ...]
    is_literal: bool = False

    def error(self, problem: str, at: int) -> InvalidContent:
        """Make the error that names a place in the author's own lines."""
        return _error(problem, self.place(at))

    def place(self, at: int) -> Place:
        """Tell where the author wrote what stands at a place of the text."""
        index = bisect_right(self.origins, at, key=lambda each: each[0]) - 1
        start, origin, is_written = self.origins[index]
        return _place(self.name, self.written, origin + (at - start if is_written else 0))

    def code_place(self, expression: Expression) -> Place:
        """Tell where the author wrote the code of a script or statement."""
        assert isinstance(expression.what, Script | Statement), "others have no code"
        text = self.text[expression.start : expression.end]
        return self.place(expression.start + text.index(expression.what.code, len("<%")))

    def pieces(self, start: int, end: int) -> Iterator[str | Expression]:
        """Cut a stretch of the text into literal texts and expressions; no empty texts."""
        at = start
        for expression in self.within(start, end):
            if at < expression.start:
                yield self.text[at : expression.start]
            yield expression
            at = expression.end
        if at < end:
            yield self.text[at:end]

    def within(self, start: int, end: int) -> tuple[Expression, ...]:
        """Give the expressions of a stretch of the text."""
        first = bisect_right(self.expressions, start - 1, key=lambda each: each.start)
        last = bisect_right(self.expressions, end - 1, key=lambda each: each.start)
        return self.expressions[first:last]


def read_passage(name: str, written: str, *, blocks: Mapping[str, Block]) -> Passage:
    """Find every expression of a text and expand its blocks.

    Raises:
        InvalidContent: something between `<%` and `%>` is not understood, there is a character
            that no message can carry, or the text is longer than `TEXT_LENGTH_MAX`.
    """
    if len(written) > TEXT_LENGTH_MAX:
        raise InvalidContent(f"It is longer than {TEXT_LENGTH_MAX:,} characters.", part=name)
    _check_characters(name, written)
    builder = _Builder()
    at = 0
    while match := _OPEN.search(written, at):
        builder.add_text(written[at : match.start()], origin=at)
        close = written.find("%>", match.end())
        if close < 0:
            place = _place(name, written, match.start())
            raise _error("`<%` is not closed: write `%>` behind it.", place)
        try:
            what = _parse(written[match.end() : close], blocks)
        except ValueError as error:
            raise _error(str(error), _place(name, written, match.start())) from None
        builder.add(written[match.start() : close + 2], what, origin=match.start())
        at = close + 2
    builder.add_text(written[at:], origin=at)
    return builder.passage(name, written)


def literal_passage(name: str, text: str) -> Passage:
    """Take a text as it is: nothing in it is an expression.

    Raises:
        InvalidContent: there is a character that no message can carry, or the text is longer than
            `TEXT_LENGTH_MAX`.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidContent(f"It is longer than {TEXT_LENGTH_MAX:,} characters.", part=name)
    _check_characters(name, text)
    return Passage(name, text, text, text.replace("\r", " "), (), ((0, 0, True),), is_literal=True)


class _Builder:
    """Collects the text of a passage, its mask and where both come from."""

    def __init__(self) -> None:
        self._length = 0
        self._text: list[str] = []
        self._masked: list[str] = []
        self._expressions: list[Expression] = []
        self._origins: list[tuple[int, int, bool]] = []

    def add_text(self, text: str, *, origin: int) -> None:
        self._origins.append((self._length, origin, True))
        self._append(text, text.replace("\r", " "))

    def add(self, written: str, what: What | Block, *, origin: int) -> None:
        self._origins.append((self._length, origin, not isinstance(what, Block)))
        if not isinstance(what, Block):
            self._add_expression(written, what)
            return
        for piece in what.pieces:
            if isinstance(piece, str):
                self._append(piece, piece)
            else:
                self._add_expression(str(piece), piece)

    def passage(self, name: str, written: str) -> Passage:
        return Passage(
            name=name,
            written=written,
            text="".join(self._text),
            masked="".join(self._masked),
            expressions=tuple(self._expressions),
            origins=tuple(self._origins),
        )

    def _add_expression(self, written: str, what: What) -> None:
        start = self._length
        mask = _BLANK if isinstance(what, Statement | OpenPixel) else _MASK
        self._append(written, mask * len(written))
        self._expressions.append(Expression(start, self._length, what))

    def _append(self, text: str, masked: str) -> None:
        self._text.append(text)
        self._masked.append(masked)
        self._length += len(text)


def _parse(inside: str, blocks: Mapping[str, Block]) -> What | Block:
    if value := _VALUE.fullmatch(inside):
        return Value(value["bare"] or value["escaped"], is_url=value["bare"] is None)
    if _TOKEN.fullmatch(inside):
        if not blocks:
            raise ValueError("The token of the message has no place here.")
        return MessageToken()
    if not inside.startswith("@"):
        return _parse_code(inside)
    known = ", ".join(blocks)
    if not known:
        raise ValueError(f"{_shown(inside)} does not work here: only HTML and text have blocks.")
    block = _BLOCK.fullmatch(inside)
    if block is None:
        example = f"write <%@ include view='…' %> with one of {known}"
        raise ValueError(f"{_shown(inside)} is not understood: {example}.")
    if block["name"] not in blocks:
        raise ValueError(f"There is no block {block['name'][:60]!r}: write one of {known}.")
    return blocks[block["name"]]


def _parse_code(inside: str) -> Script | Statement:
    if "\0" in inside:
        raise ValueError("A NUL character stands in this script: leave it out.")
    code = inside.removeprefix("=").strip()
    if not inside.startswith("="):
        return Statement(code)
    if not code:
        raise ValueError("An expression is empty: write for example <%= recipient.field %>.")
    return Script(code, _is_escaped(code))


def _is_escaped(code: str) -> bool:
    """Tell whether all of an expression is one `escapeUrl(…)`."""
    beginning = _ESCAPED.match(code)
    if beginning is None:
        return False
    rest = _QUOTED.sub(lambda match: _MASK * len(match[0]), code[beginning.end() :])
    depth = 1
    for index, character in enumerate(rest):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return index == len(rest) - 1
    return False


def _shown(inside: str) -> str:
    text = _SPACE.sub(" ", inside)
    return f"<%{text[:60]}…" if len(text) > 60 else f"<%{text}%>"


def _check_characters(name: str, written: str) -> None:
    try:
        written.encode()
    except UnicodeEncodeError as error:
        place = _place(name, written, error.start)
        raise _error("Half a character (a surrogate) stands here.", place) from error


def _place(name: str, written: str, at: int) -> Place:
    line_start = written.rfind("\n", 0, at) + 1
    return Place(name, written.count("\n", 0, at) + 1, at - line_start + 1)


def _error(problem: str, place: Place) -> InvalidContent:
    return InvalidContent(problem, part=place.part, line=place.line, column=place.column)
