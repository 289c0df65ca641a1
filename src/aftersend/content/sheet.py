"""Texts with slots: what is the same in every message, and where the rest goes.

A text without scripts has its slots at fixed places. In a text with scripts the run of the script
says what is written in which order: see `Writing`.

Source: spec §3.2; the escapes are ours: HTML's and the URL's own (RFC 3986).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from aftersend.content.detection import LINE_BREAKS
from aftersend.content.expression import (
    Expression,
    MessageToken,
    OpenPixel,
    Operand,
    Passage,
    Place,
    Script,
    Statement,
    Value,
)
from aftersend.model.enumeration import Part
from aftersend.model.ids import NO_URL_ID, UrlId

__all__ = [
    "Code",
    "Edit",
    "FormulaSlot",
    "Piece",
    "Sheet",
    "TokenSlot",
    "ValueSlot",
    "is_scripted",
    "lay_out",
    "percent",
    "spoken",
    "stretch",
    "unshadowed",
    "value_slot",
    "written",
]

_BARE_RECIPIENT: Final = re.compile(r"(?<![\w$.])recipient\b(?!\s*(?:\?\.|\.(?!\.)|\[))")


@dataclass(frozen=True, slots=True)
class TokenSlot:
    """The token of a link; `fields` say where its values come from."""

    part: Part
    url_id: UrlId
    fields: tuple[Operand, ...] = ()
    places: Mapping[Script, Place] = field(default_factory=dict, compare=False)

    @property
    def scripts(self) -> tuple[Script, ...]:
        """Give the values that only a script knows."""
        return tuple(each for each in self.fields if isinstance(each, Script))


@dataclass(frozen=True, slots=True)
class ValueSlot:
    """A field of the recipient or what a script gives, as `spell` writes it."""

    operand: Operand
    spell: Callable[[str], str]
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Code:
    """A statement: it decides what of the pieces behind it is written."""

    code: str
    place: Place


@dataclass(frozen=True, slots=True)
class FormulaSlot:
    """An address that a formula writes, which people know by `name`.

    `function` and `arguments` are JavaScript; the address stands between `before` and `behind`, as
    `spell` writes it. Where the formula writes nothing, `own` is written.
    """

    name: str
    function: str
    arguments: str
    token: TokenSlot
    spell: Callable[[str], str]
    before: str = ""
    behind: str = ""
    own: tuple["Piece", ...] = ()


Piece: TypeAlias = str | TokenSlot | ValueSlot | Code | FormulaSlot


@dataclass(frozen=True, slots=True)
class Edit:
    """What is sent in place of the passage's characters from `start` to `end`."""

    start: int
    end: int
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A text with slots: for each (place, n) of `slots`, filling n goes to that literal's place.

    A scripted one has `stretches` instead: of numbers, where n ≥ 0 is literal n and n < 0 is
    filling ~n. A run of its script gives the order of all of them.
    """

    literals: tuple[str, ...]
    slots: tuple[tuple[int, int], ...] = ()
    stretches: tuple[tuple[int, ...], ...] | None = None

    @property
    def is_fixed(self) -> bool:
        """Tell whether the text is the same in every message."""
        return self.stretches is None and not self.slots

    def fill(self, fillings: Sequence[str], order: Sequence[int] = ()) -> str:
        """Write the text; `order` is that of a scripted one."""
        if self.stretches is not None:
            literals = self.literals
            return "".join([literals[n] if n >= 0 else fillings[~n] for n in order])
        texts = list(self.literals)
        for place, index in self.slots:
            texts[place] = fillings[index]
        return "".join(texts)


def written(passage: Passage, part: Part | None, edits: Iterable[Edit] = ()) -> Iterator[Piece]:
    """Cut a passage into what is literal and what is not; the subject has no `part`."""
    at = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        assert at <= edit.start, "edits do not overlap"
        yield from stretch(passage, part, at, edit.start)
        yield from edit.pieces
        at = edit.end
    yield from stretch(passage, part, at, len(passage.text))


def stretch(passage: Passage, part: Part | None, start: int, end: int) -> Iterator[Piece]:
    """Cut a stretch of a passage."""
    for piece in passage.pieces(start, end):
        if isinstance(piece, str):
            yield piece
            continue
        match piece.what:
            case Value() | Script():
                yield value_slot(passage, part, piece)
            case Statement():
                yield Code(piece.what.code, passage.code_place(piece))
            case MessageToken():
                assert part is not None, "only parts have a token"
                yield TokenSlot(part, NO_URL_ID)
            case OpenPixel():
                pass


def value_slot(passage: Passage, part: Part | None, expression: Expression) -> ValueSlot:
    """Say how the value of an expression is written in a part."""
    what = expression.what
    if isinstance(what, Value):
        return ValueSlot(what.field, percent if what.is_url else _SPELLS[part])
    assert isinstance(what, Script), "others have no value"
    spell = _percent_once if what.is_url else _SPELLS[part]
    return ValueSlot(what, spell, passage.code_place(expression))


def is_scripted(pieces: Iterable[Piece]) -> bool:
    """Tell whether only a script knows how a text goes."""
    return any(
        isinstance(piece, Code | FormulaSlot)
        or (isinstance(piece, ValueSlot) and isinstance(piece.operand, Script))
        or (isinstance(piece, TokenSlot) and piece.scripts)
        for piece in pieces
    )


def lay_out(pieces: Iterable[Piece], indexes: Mapping[Piece, int]) -> Sheet:
    """Join neighbouring literals; `indexes` number the fillings."""
    literals: list[str] = []
    slots: list[tuple[int, int]] = []
    pending: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            pending.append(piece)
            continue
        literals += ("".join(pending), "")
        slots.append((len(literals) - 1, indexes[piece]))
        pending = []
    literals.append("".join(pending))
    return Sheet(tuple(literals), tuple(slots))


def unshadowed(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Let scripts read every field of a text in which `recipient` may be another thing."""
    codes = (each for each in pieces if isinstance(each, Code))
    code = next((each for each in codes if _BARE_RECIPIENT.search(each.code)), None)
    if code is None:
        return pieces
    return [_by_script(piece, code.place) for piece in pieces]


def _by_script(piece: Piece, place: Place) -> Piece:
    if isinstance(piece, ValueSlot) and isinstance(piece.operand, str):
        return replace(piece, operand=_field_script(piece.operand), place=place)
    if isinstance(piece, FormulaSlot):
        token = _by_script(piece.token, place)
        assert isinstance(token, TokenSlot), "it stays what it was"
        return replace(piece, token=token, own=tuple(_by_script(each, place) for each in piece.own))
    if isinstance(piece, TokenSlot) and piece.fields:
        fields = tuple(
            Script(f"escapeUrl(recipient.{each})", is_url=True) if isinstance(each, str) else each
            for each in piece.fields
        )
        places = {each: piece.places.get(each, place) for each in fields}
        return replace(piece, fields=fields, places=places)
    return piece


def _field_script(name: str) -> Script:
    return Script(f"recipient.{name}", is_url=False)


def spoken(value: object) -> str:
    """Write a field of a recipient; nothing is written for None, `?` for half a character."""
    if value is None:
        return ""
    text = str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def percent(text: str) -> str:
    """Percent-encode all that means something in an address."""
    return quote(text, safe="")


def _percent_once(text: str) -> str:
    return quote(unquote(text), safe="")


def _one_line(text: str) -> str:
    return LINE_BREAKS.sub(" ", text)


_SPELLS: Final[Mapping[Part | None, Callable[[str], str]]] = {
    None: _one_line,
    Part.HTML: escape,
    Part.TEXT: str,
    Part.SMS: str,
}
