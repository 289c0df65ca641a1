"""Formulas: what stands where a tracked address or the pixel's address would stand, and parameters.

A formula is content of its own. The click formula runs for each message at each tracked link, the
open formula once; `<%= trackingUrl %>` is our address, and a formula that writes nothing leaves the
author's address, or no pixel. Link parameters run once a link, when the message is compiled: their
`key=value&…` becomes part of the destination, before its fragment. What the author's own URL has of
these keys stays, and every byte of it.

All of them may read `urlString`, `urlId` (0 for a link that is not tracked), `urlLabel`,
`urlCategory` and `delivery`; those that run for each message also `recipient` and `message`.

Source: spec §3.8; D-10 (line feeds); the keys that win: field lessons B1 to B3, B7.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias
from urllib.parse import unquote_plus

from aftersend.content import script
from aftersend.content.expression import (
    Expression,
    Operand,
    Passage,
    Script,
    Statement,
    Value,
    read_passage,
)
from aftersend.content.markup import decode_attribute
from aftersend.content.script import Limits, Listing, Program
from aftersend.content.sheet import Edit, Piece, ValueSlot, percent
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import Part

__all__ = [
    "CLICK",
    "OPEN",
    "Link",
    "Pair",
    "add_parameters",
    "arguments",
    "function",
    "insert_parameters",
    "parameters",
    "read_formula",
    "refuse_parameters",
]

CLICK: Final = "click formula"
OPEN: Final = "open formula"
_PARAMETERS: Final = "link parameters"

_DEFAULT: Final = re.compile(r"<%=\s*trackingUrl\s*;?\s*%>")
_LINE_END: Final = re.compile(r"\r\n?")
_PER_MESSAGE: Final = re.compile(r"(?<![\w$.])(?:recipient|message)\b")
_KEY: Final = re.compile(r"[^=]+=")
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~%!$()*+,;:@/?=&\[\]]*")
_REFERENCE: Final = re.compile(r"&(?:#[xX]?[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);?")
_AROUND: Final = "".join(map(chr, range(0x21)))
_VALUE: Final = "\0"
"""Stands for a value where only the author's own letters count."""

Pair: TypeAlias = tuple[str | Value, ...]
"""A parameter: `key=` with what of the value is the same for all, and the recipient's fields."""


@dataclass(frozen=True, slots=True)
class Link:
    """What formulas may know of a link."""

    url: str
    url_id: int
    label: str
    category: str


def read_formula(name: str, text: str) -> Passage | None:
    """Read a formula; None where it is the one that everybody has.

    Raises:
        InvalidContent: it is not understood, or a line ends outside of its code.
    """
    text = _LINE_END.sub("\n", text).strip()
    if not text or _DEFAULT.fullmatch(text):
        return None
    passage = read_passage(name, text, blocks={})
    at = passage.masked.find("\n")
    if at >= 0:
        raise passage.error(
            "A line ends here, and its end would stand in the address: write it in one line, or"
            " end lines inside <% … %> only.",
            at,
        )
    return passage


def function(passage: Passage) -> Listing:
    """Make the function of a formula that runs for each message."""
    names = ("urlString", "urlId", "urlLabel", "urlCategory", "trackingUrl")
    listing = Listing("recipient", "message", *names)
    for piece in passage.pieces(0, len(passage.text)):
        if isinstance(piece, str):
            listing.add_step(piece)
        elif isinstance(piece.what, Statement):
            listing.add_statement(piece.what.code, passage.code_place(piece))
        elif isinstance(piece.what, Script):
            listing.add_value(piece.what.code, passage.code_place(piece))
        else:
            assert isinstance(piece.what, Value), "a formula has no blocks"
            spell = "escapeUrl" if piece.what.is_url else "$text"
            listing.add(f"$out[$n++]={spell}(recipient.{piece.what.field});")
    return listing


def arguments(link: Link, address: str) -> str:
    """Spell what a formula is called with besides recipient and message."""
    known = (link.url, link.url_id, link.label, link.category, address)
    return ",".join(json.dumps(each) for each in known)


def parameters(
    text: str, links: Sequence[Link], *, delivery: Mapping[str, object], limits: Limits
) -> list[tuple[Pair, ...]]:
    """Evaluate the link parameters for each link.

    Raises:
        InvalidContent: they are not understood, fail, or give something else than parameters.
    """
    passage = read_formula(_PARAMETERS, text)
    if passage is None or not links:
        return [()] * len(links)
    values: list[Value] = []
    listing = Listing("urlString", "urlId", "urlLabel", "urlCategory")
    for piece in passage.pieces(0, len(passage.text)):
        _add(passage, piece, listing, values)
    program = Program.build(
        {"$parameters": listing},
        names=(_PARAMETERS,),
        constants=f"const delivery={script.frozen(dict(delivery))};",
        end=(
            "function ($given) {$begin(0,0,null);return JSON.stringify(JSON.parse($given).map("
            "($each)=>{const $all=[];$parameters($all,...$each);return $all;}));}"
        ),
    )
    script.check(program)
    given = json.dumps([(each.url, each.url_id, each.label, each.category) for each in links])
    runs = script.run(program, given, limits=limits, failed="The link parameters failed")
    return [
        tuple(_pairs(link, [values[each] if isinstance(each, int) else each for each in run]))
        for link, run in zip(links, runs, strict=True)
    ]


def add_parameters(
    pieces: Sequence[str | int], fields: Sequence[Operand], pairs: Iterable[Pair]
) -> tuple[tuple[str | int, ...], tuple[Operand, ...]]:
    """Add parameters to the pieces of a destination, whose value n comes from `fields[n]`.

    >>> add_parameters(("https://x.example/?a=1&b=", 0, "#c"), ("b",), [("a=2",), ("d=3",)])
    (('https://x.example/?a=1&b=', 0, '&d=3#c'), ('b',))
    """
    index, cut = _fragment(pieces)
    head: list[str | int] = list(pieces[:index])
    tail = list(pieces[index:])
    if tail and isinstance(tail[0], str):
        head.append(tail[0][:cut])
        tail[0] = tail[0][cut:]
    operands = list(fields)
    for piece in _addition("".join(_VALUE if isinstance(e, int) else e for e in head), pairs):
        if isinstance(piece, str):
            head.append(piece)
            continue
        if piece.field not in operands:
            operands.append(piece.field)
        head.append(operands.index(piece.field))
    return tuple(_joined([*head, *tail])), tuple(operands)


def insert_parameters(
    passage: Passage, part: Part, start: int, end: int, pairs: Iterable[Pair]
) -> Edit | None:
    """Say what to insert into an address that is sent as it is written."""
    at, head = start, ""
    for piece in passage.pieces(start, end):
        if isinstance(piece, Expression):
            at = piece.end
            head += _VALUE
            continue
        cut = _hash(piece) if part is Part.HTML else piece.find("#")
        whole = piece if cut < 0 else piece[:cut]
        if cut < 0 and at + len(piece) == end:
            whole = whole.rstrip(_AROUND)
        at += len(whole)
        head += decode_attribute(whole) if part is Part.HTML else whole
        if cut >= 0 or len(whole) < len(piece):
            break
    added: list[Piece] = [
        (escape(piece) if part is Part.HTML else piece)
        if isinstance(piece, str)
        else ValueSlot(piece.field, percent)
        for piece in _addition(head, pairs)
    ]
    return Edit(at, at, tuple(added)) if added else None


def refuse_parameters(problem: str) -> InvalidContent:
    """Make the error that says what the link parameters do."""
    return InvalidContent(problem, part=_PARAMETERS)


def _add(passage: Passage, piece: str | Expression, listing: Listing, values: list[Value]) -> None:
    """Add a piece of the link parameters to their function."""
    if isinstance(piece, str):
        listing.add_step(piece)
        return
    what = piece.what
    if isinstance(what, Value):
        if not what.is_url:
            right = Value(what.field, is_url=True)
            raise passage.error(f"A value inside an address is written {right}.", piece.start)
        listing.add_step(len(values))
        values.append(what)
        return
    assert isinstance(what, Script | Statement), "a formula has no blocks"
    if _PER_MESSAGE.search(what.code):
        raise passage.error(
            "Link parameters are evaluated once for everybody: of a recipient they hold only"
            " <%= escapeUrl(recipient.field) %>.",
            piece.start,
        )
    place = passage.code_place(piece)
    if isinstance(what, Statement):
        listing.add_statement(what.code, place)
        return
    listing.add_value(what.code, place)


def _pairs(link: Link, pieces: Sequence[str | Value]) -> Iterable[Pair]:
    """Cut what the link parameters gave into parameters."""
    pairs: list[list[str | Value]] = [[]]
    for piece in _trimmed(pieces):
        if isinstance(piece, Value):
            pairs[-1].append(piece)
            continue
        first, *others = piece.split("&")
        pairs[-1].append(first)
        pairs += [[each] for each in others]
    for pieces_of_pair in pairs:
        pair = _joined(pieces_of_pair)
        if not pair:
            continue
        is_safe = all(_PLAIN.fullmatch(each) for each in pair if isinstance(each, str))
        if not (is_safe and isinstance(pair[0], str) and _KEY.match(pair[0])):
            shown = "".join(map(str, pair))
            raise refuse_parameters(
                f"For {link.url[:80]} they give {shown[:80]!r}: write key=value&key=value, and"
                " escapeUrl(…) around what is not plain."
            )
        yield tuple(pair)


def _trimmed(pieces: Sequence[str | Value]) -> list[str | Value]:
    """Drop white space around, and what joins parameters to an address."""
    result: list[str | Value] = _joined(pieces)
    if result and isinstance(result[0], str):
        result[0] = result[0].lstrip(_AROUND).lstrip("?")
    if result and isinstance(result[-1], str):
        result[-1] = result[-1].rstrip(_AROUND)
    return result


def _addition(head: str, pairs: Iterable[Pair]) -> list[str | Value]:
    """Say what comes behind the path and query of an address."""
    query = head.partition("?")[2]
    known = {unquote_plus(each.partition("=")[0]) for each in query.split("&")}
    added: list[str | Value] = []
    for pair in pairs:
        assert isinstance(pair[0], str), "a parameter begins with its key"
        if unquote_plus(pair[0].partition("=")[0]) in known:
            continue
        if added:
            added.append("&")
        elif "?" not in head:
            added.append("?")
        elif not head.endswith(("?", "&")):
            added.append("&")
        added += pair
    return added


def _fragment(pieces: Sequence[str | int]) -> tuple[int, int]:
    """Tell in which piece, and where in it, the fragment begins."""
    for index, piece in enumerate(pieces):
        if isinstance(piece, str) and "#" in piece:
            return index, piece.index("#")
    return len(pieces), 0


def _hash(raw: str) -> int:
    """Find the `#` that begins the fragment in an attribute, not one of a reference."""
    at = 0
    while match := re.compile("[#&]").search(raw, at):
        if match[0] == "#":
            return match.start()
        reference = _REFERENCE.match(raw, match.start())
        if reference is None:
            at = match.end()
            continue
        if "#" in decode_attribute(reference[0]):
            return match.start()
        at = reference.end()
    return -1


def _joined(pieces: Sequence[str | int] | Sequence[str | Value]) -> list:  # type: ignore[type-arg]
    """Join neighbouring texts."""
    result: list[object] = []
    for piece in pieces:
        if isinstance(piece, str) and result and isinstance(result[-1], str):
            result[-1] += piece
        elif piece != "":
            result.append(piece)
    return result
