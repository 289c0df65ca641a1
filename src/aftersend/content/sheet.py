"""Texts with slots: what is the same in every message, and where the rest goes.

Source: spec §3.2; the escapes are ours: HTML's and the URL's own (RFC 3986).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias
from urllib.parse import quote

from aftersend.content.detection import LINE_BREAKS
from aftersend.content.expression import MessageToken, Operand, Passage, Value
from aftersend.model.enumeration import Part
from aftersend.model.ids import NO_URL_ID, UrlId

__all__ = ["Edit", "Piece", "Sheet", "TokenSlot", "ValueSlot", "lay_out", "spoken", "written"]


@dataclass(frozen=True, slots=True)
class TokenSlot:
    """The token of a link; its values come from the recipient's `fields`."""

    part: Part
    url_id: UrlId
    fields: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueSlot:
    """A field of the recipient, as `spell` writes it."""

    field: str
    spell: Callable[[str], str]


Piece: TypeAlias = str | TokenSlot | ValueSlot


@dataclass(frozen=True, slots=True)
class Edit:
    """What is sent in place of the passage's characters from `start` to `end`."""

    start: int
    end: int
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A text with slots: for each (place, n) of `slots`, filling n goes to that literal's place."""

    literals: tuple[str, ...]
    slots: tuple[tuple[int, int], ...]

    def fill(self, fillings: Sequence[str]) -> str:
        """Write the text."""
        texts = list(self.literals)
        for place, index in self.slots:
            texts[place] = fillings[index]
        return "".join(texts)


def written(passage: Passage, part: Part | None, edits: Iterable[Edit] = ()) -> Iterator[Piece]:
    """Cut a passage into what is literal and what is not; the subject has no `part`."""
    at = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        assert at <= edit.start, "edits do not overlap"
        yield from _stretch(passage, part, at, edit.start)
        yield from edit.pieces
        at = edit.end
    yield from _stretch(passage, part, at, len(passage.text))


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


def spoken(value: object) -> str:
    """Write a field of a recipient; nothing is written for None, `?` for half a character."""
    if value is None:
        return ""
    text = str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _stretch(passage: Passage, part: Part | None, start: int, end: int) -> Iterator[Piece]:
    for piece in passage.pieces(start, end):
        if isinstance(piece, str):
            yield piece
        elif isinstance(piece.what, Value):
            yield ValueSlot(piece.what.field, _percent if piece.what.is_url else _SPELLS[part])
        elif isinstance(piece.what, MessageToken):
            assert part is not None, "only parts have blocks"
            yield TokenSlot(part, NO_URL_ID)
        else:
            raise passage.error(f"{piece.what} is not run here.", piece.start)


def _percent(text: str) -> str:
    return quote(text, safe="")


def _one_line(text: str) -> str:
    return LINE_BREAKS.sub(" ", text)


_SPELLS: Final[Mapping[Part | None, Callable[[str], str]]] = {
    None: _one_line,
    Part.HTML: escape,
    Part.TEXT: str,
}
