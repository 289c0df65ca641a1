"""Setting the texts of a message: what is the same for all, and what is filled in for one.

Slots that need no script are *fillings* with fixed numbers: tokens first, then values. What only a
script knows is a *mark*: its run writes the mark's number and, behind it, the texts that belong to
it. A run is a flat list for each scripted text::

    n ≥ 0    stretch n of the sheet: literals and fillings that stand together
    n < 0    mark ~n, followed by `count` texts

So the script never holds the text of the message, and what a value may look like is decided here,
by the place it stands in.

Invariant: a text without scripts is laid out and filled as if there were no scripts at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from aftersend.content import script
from aftersend.content.expression import TEXT_LENGTH_MAX, Operand, Place, Script
from aftersend.content.script import Limits, Listing, Program
from aftersend.content.sheet import (
    Code,
    FormulaSlot,
    Piece,
    Sheet,
    TokenSlot,
    ValueSlot,
    is_scripted,
    lay_out,
    spoken,
    unshadowed,
)
from aftersend.errors import InvalidContent, InvalidToken
from aftersend.model.enumeration import Part
from aftersend.model.ids import DeliveryId, MessageId
from aftersend.model.token import KeyRing, encode_message, frame

__all__ = ["TOKEN_HERE", "Composition", "Fillings", "compose"]

TOKEN_HERE: Final = "thetokenofthislinkiswrittenhere"  # noqa: S105 - letters of a token, but none
"""What a formula reads in place of the token, which is spelled when all formulas have run."""

_RESULT: Final = "$out[$n++]="
_ADDRESS: Final = (
    "const $address=($formula,...$given)=>"
    '{const $out=[];$formula($out,...$given);return $out.join("");};'
)
_WEB: Final = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\"'<>\\^`{|}]")

Fillings: TypeAlias = tuple[list[str], Mapping[Part | None, list[int]]]
"""What goes into the slots of one message, and the order of each scripted text."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a run writes at one place.

    `token` is the number of a filling; a token with values that only the script knows has none.
    `own` is the author's address of a formula: literals, fillings, and texts of the script.
    """

    piece: ValueSlot | TokenSlot | FormulaSlot
    scripts: tuple[Script, ...]
    token: int | None = None
    own: tuple[str | int | ValueSlot, ...] = ()

    @property
    def count(self) -> int:
        return len(self.scripts) + isinstance(self.piece, FormulaSlot)

    @property
    def has_own_token(self) -> bool:
        return self.token is None and not isinstance(self.piece, ValueSlot)

    def frame(self, recipient: Mapping[str, object], texts: Sequence[str]) -> tuple[bytes, bytes]:
        slot = self.piece.token if isinstance(self.piece, FormulaSlot) else self.piece
        assert isinstance(slot, TokenSlot), "values have no token"
        return _frame(slot, recipient, self._values(texts))

    def text(self, texts: Sequence[str], token: str, fillings: Sequence[str]) -> str:
        piece = self.piece
        if isinstance(piece, TokenSlot):
            return token
        if isinstance(piece, ValueSlot):
            return piece.spell(spoken(texts[0]))
        address = spoken(texts[0]).strip()
        if address:
            return f"{piece.before}{_address(piece, address, token)}{piece.behind}"
        values = self._values(texts)
        return "".join(
            each
            if isinstance(each, str)
            else fillings[each]
            if isinstance(each, int)
            else each.spell(spoken(values[each.operand]))
            for each in self.own
        )

    def _values(self, texts: Sequence[str]) -> Mapping[Operand, str]:
        return dict(zip(self.scripts, texts[len(texts) - len(self.scripts) :], strict=True))


@dataclass(frozen=True, slots=True)
class Composition:
    """The set texts of a message; the subject has no part."""

    sheets: Mapping[Part | None, Sheet]
    fields: frozenset[str]
    program: Program | None
    _tokens: tuple[TokenSlot, ...]
    _frames: tuple[tuple[bytes, bytes], ...]
    _values: tuple[tuple[str, Callable[[str], str]], ...]
    _marks: tuple[_Mark, ...]
    _scripted: tuple[Part | None, ...]

    def fillings(
        self,
        recipient: Mapping[str, object],
        *,
        delivery_id: DeliveryId,
        message_id: MessageId,
        keys: KeyRing,
        limits: Limits,
        at: datetime | None,
    ) -> Fillings:
        """Write what differs from message to message.

        Raises:
            InvalidContent: a script failed, or the values of a link are too long.
        """
        frames: Sequence[tuple[bytes, bytes]] = self._frames
        if len(frames) < len(self._tokens):
            frames = [*frames, *(_frame(slot, recipient) for slot in self._tokens[len(frames) :])]
        if self.program is None:
            fillings = _tokens(frames, delivery_id, message_id, keys)
            fillings += [spell(spoken(recipient.get(name))) for name, spell in self._values]
            return fillings, {}
        text = script.given(recipient, message_id=message_id, at=at)
        runs = script.run(
            self.program, text, limits=limits, failed="The script failed for this recipient"
        )
        return self._read(recipient, runs, frames, (delivery_id, message_id, keys))

    def _read(
        self,
        recipient: Mapping[str, object],
        runs: list[list[Any]],
        frames: Sequence[tuple[bytes, bytes]],
        whose: tuple[DeliveryId, MessageId, KeyRing],
    ) -> Fillings:
        """Bring the runs of the scripts and what needs none together."""
        first = len(self._tokens) + len(self._values)
        orders: dict[Part | None, list[int]] = {}
        found: list[tuple[_Mark, list[str]]] = []
        for part, run in zip(self._scripted, runs, strict=True):
            orders[part] = self._order(part, run, first, found)
        own = [mark.frame(recipient, texts) for mark, texts in found if mark.has_own_token]
        tokens = _tokens([*frames, *own], *whose)
        fillings = tokens[: len(frames)]
        fillings += [spell(spoken(recipient.get(name))) for name, spell in self._values]
        others = iter(tokens[len(frames) :])
        for mark, texts in found:
            token = next(others) if mark.has_own_token else ""
            if mark.token is not None:
                token = fillings[mark.token]
            fillings.append(mark.text(texts, token, fillings))
        for part, order in orders.items():
            self._check_length(part, order, fillings)
        return fillings, orders

    def _order(
        self,
        part: Part | None,
        run: list[Any],
        first: int,
        found: list[tuple[_Mark, list[str]]],
    ) -> list[int]:
        stretches = self.sheets[part].stretches
        assert stretches is not None, "it is scripted"
        order: list[int] = []
        steps = iter(run)
        try:
            for step in steps:
                if step >= 0:
                    order += stretches[step]
                    continue
                mark = self._marks[~step]
                order.append(~(first + len(found)))
                found.append((mark, [str(text) for text in islice(steps, mark.count)]))
        except (IndexError, TypeError) as error:
            problem = "The script changed $out or $n: names that begin with $ are not its own."
            raise InvalidContent(problem, part=_name(part)) from error
        return order

    def _check_length(
        self, part: Part | None, order: Sequence[int], fillings: Sequence[str]
    ) -> None:
        literals = self.sheets[part].literals
        length = sum(len(literals[n] if n >= 0 else fillings[~n]) for n in order)
        if length > TEXT_LENGTH_MAX:
            problem = f"The script wrote more than {TEXT_LENGTH_MAX:,} characters."
            raise InvalidContent(problem, part=_name(part))


def compose(
    bodies: Mapping[Part | None, Sequence[Piece]],
    *,
    formulas: Mapping[str, Listing],
    delivery: Mapping[str, object],
) -> Composition:
    """Set the texts of a message; `formulas` are those that formula slots name.

    Raises:
        InvalidContent: a script is not JavaScript.
    """
    bodies = {part: unshadowed(pieces) for part, pieces in bodies.items()}
    flat = [piece for pieces in bodies.values() for piece in _flat(pieces)]
    slots = dict.fromkeys(each for each in flat if isinstance(each, TokenSlot) and not each.scripts)
    tokens = sorted(slots, key=lambda slot: bool(slot.fields))
    values = list(
        dict.fromkeys(
            each for each in flat if isinstance(each, ValueSlot) and isinstance(each.operand, str)
        )
    )
    fillings: list[Piece] = [*tokens, *values]
    setter = _Setter({piece: index for index, piece in enumerate(fillings)})
    sheets = {part: setter.sheet(pieces) for part, pieces in bodies.items()}
    scripted = tuple(part for part, sheet in sheets.items() if sheet.stretches is not None)
    codes = [code for listing in setter.listings for code in listing.codes]
    codes += [code for listing in formulas.values() for code in listing.codes]
    return Composition(
        sheets=sheets,
        fields=_fields(tokens, values, flat) | script.mentioned_fields(codes),
        program=_program(setter.listings, scripted, formulas, delivery) if scripted else None,
        _tokens=tuple(tokens),
        _frames=tuple(frame(slot.part, slot.url_id) for slot in tokens if not slot.fields),
        _values=tuple(
            (each.operand, each.spell) for each in values if isinstance(each.operand, str)
        ),
        _marks=tuple(setter.marks),
        _scripted=scripted,
    )


class _Setter:
    """Sets sheets; collects their marks and the listings of those that are scripted."""

    def __init__(self, indexes: Mapping[Piece, int]) -> None:
        self._indexes = indexes
        self.marks: list[_Mark] = []
        self.listings: list[Listing] = []

    def sheet(self, pieces: Sequence[Piece]) -> Sheet:
        if not is_scripted(pieces):
            return lay_out(pieces, self._indexes)
        listing = Listing("recipient", "message")
        self.listings.append(listing)
        literals: list[str] = []
        stretches: list[tuple[int, ...]] = []
        pending: list[Piece] = []
        for piece in (*pieces, None):
            if piece is not None and (isinstance(piece, str) or piece in self._indexes):
                pending.append(piece)
                continue
            if pending:
                listing.add_step(len(stretches))
                stretches.append(self._stretch(pending, literals))
                pending = []
            if isinstance(piece, Code):
                listing.add_statement(piece.code, piece.place)
            elif piece is not None:
                assert not isinstance(piece, str), "texts are no marks"
                self._mark(piece, listing)
        return Sheet(tuple(literals), stretches=tuple(stretches))

    def _stretch(self, pieces: Iterable[Piece], literals: list[str]) -> tuple[int, ...]:
        numbers: list[int] = []
        text = ""
        for piece in (*pieces, None):
            if isinstance(piece, str):
                text += piece
                continue
            if text:
                numbers.append(len(literals))
                literals.append(text)
                text = ""
            if piece is not None:
                numbers.append(~self._indexes[piece])
        return tuple(numbers)

    def _mark(self, piece: ValueSlot | TokenSlot | FormulaSlot, listing: Listing) -> None:
        listing.add(f"{_RESULT}{~len(self.marks)}")
        places: Mapping[Script, Place] = {}
        if isinstance(piece, ValueSlot):
            assert isinstance(piece.operand, Script), "fields are fillings"
            assert piece.place is not None, "scripts have been written somewhere"
            mark, places = _Mark(piece, (piece.operand,)), {piece.operand: piece.place}
        elif isinstance(piece, TokenSlot):
            mark, places = _Mark(piece, piece.scripts), piece.places
        else:
            mark, places = self._formula_mark(piece), piece.token.places
            arguments = f"recipient,message,{piece.arguments}"
            listing.add(f",{_RESULT}$address({piece.function},{arguments})")
        for each in mark.scripts:
            listing.add(f",{_RESULT}")
            listing.add_expression(each.code, places[each])
        listing.add(";")
        self.marks.append(mark)

    def _formula_mark(self, piece: FormulaSlot) -> _Mark:
        own = tuple(self._numbered(each) for each in piece.own)
        scripts = (
            each.operand
            for each in own
            if isinstance(each, ValueSlot) and isinstance(each.operand, Script)
        )
        return _Mark(
            piece,
            tuple(dict.fromkeys((*piece.token.scripts, *scripts))),
            self._indexes.get(piece.token),
            own,
        )

    def _numbered(self, piece: Piece) -> str | int | ValueSlot:
        if isinstance(piece, str):
            return piece
        index = self._indexes.get(piece)
        if index is not None:
            return index
        assert isinstance(piece, ValueSlot), "an address holds nothing else"
        return piece


def _program(
    listings: Sequence[Listing],
    parts: Sequence[Part | None],
    formulas: Mapping[str, Listing],
    delivery: Mapping[str, object],
) -> Program:
    functions = dict(formulas)
    functions |= {f"$part{n}": each for n, each in enumerate(listings)}
    steps = "".join(
        f"$begin({n},$seed,$at);$part{n}($all[{n}]=[],recipient,message);"
        for n in range(len(listings))
    )
    program = Program.build(
        functions,
        names=[_name(part) for part in parts],
        constants=f"const delivery={script.frozen(dict(delivery))};{_ADDRESS}",
        end=(
            "function ($given) {const [recipient,message,$seed,$at]=$freeze(JSON.parse($given));"
            f"const $all=[];{steps}return JSON.stringify($all);}}"
        ),
    )
    script.check(program)
    return program


def _name(part: Part | None) -> str:
    return "subject" if part is None else part.name.lower()


def _flat(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if isinstance(piece, FormulaSlot):
            yield piece.token
            yield from piece.own
        else:
            yield piece


def _fields(
    tokens: Iterable[TokenSlot], values: Iterable[ValueSlot], flat: Iterable[Piece]
) -> frozenset[str]:
    slots = [*tokens, *(each for each in flat if isinstance(each, TokenSlot))]
    fields = {each for slot in slots for each in slot.fields if isinstance(each, str)}
    return frozenset(fields | {value.operand for value in values if isinstance(value.operand, str)})


def _frame(
    slot: TokenSlot, recipient: Mapping[str, object], values: Mapping[Operand, str] | None = None
) -> tuple[bytes, bytes]:
    texts = [
        spoken(recipient.get(each))
        if isinstance(each, str)
        else spoken(unquote((values or {})[each]))
        for each in slot.fields
    ]
    return frame(slot.part, slot.url_id, texts)


def _tokens(
    frames: Sequence[tuple[bytes, bytes]],
    delivery_id: DeliveryId,
    message_id: MessageId,
    keys: KeyRing,
) -> list[str]:
    try:
        return encode_message(frames, delivery_id=delivery_id, message_id=message_id, keys=keys)
    except InvalidToken as error:
        raise InvalidContent("The recipient's values are too long for a link.") from error


def _address(piece: FormulaSlot, address: str, token: str) -> str:
    if not _WEB.match(address):
        raise InvalidContent(
            f"It wrote {address[:80]!r}: write an address that begins with https://, or nothing.",
            part=piece.name,
        )
    safe = _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", address)
    return piece.spell(safe).replace(TOKEN_HERE, token)
