"""Addresses of links: what is tracked, what is left alone, what is refused.

Tracked is what begins with http:// or https:// and a whole host. Values of the recipient may stand
in the query and the fragment only, each in escapeUrl(…), so that nobody's data can change where
people are sent. Everything else is none of our business: mailto:, tel:, sms:, cid:, data:,
javascript:, anchors, relative addresses, and `{{…}}` of another product in place of the host.

A browser drops white space around an address and line ends inside it; so does a destination.

Source: spec §3.3; https://url.spec.whatwg.org/#url-parsing (stripping), RFC 3986.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aftersend.content.expression import (
    Expression,
    MessageToken,
    OpenPixel,
    Operand,
    Script,
    Statement,
    Value,
)
from aftersend.model.catalogue import DESTINATION_LENGTH_MAX, TOKEN_SLOT
from aftersend.model.token import VALUES_MAX

__all__ = [
    "AUTHORITY",
    "HOST_PROBLEM",
    "STATEMENT_PROBLEM",
    "WebAddress",
    "check_values",
    "read_address",
]

AUTHORITY: Final = (
    r"(?:[^\s/?#\\@\[\]{}()<>\"|^`,;]*@)?"  # user information
    r"(?:\[[0-9A-Fa-f:.]+\]|[^\x00-\x20!-,/:-@\[-^`{-\x7f\u2000-\u206f\u3000-\u3003\s]+)"
    r"(?::[0-9]*)?"
)
"""What stands between `//` and the path of a web address: user, host and port."""

HOST_PROBLEM: Final = (
    "A value cannot stand in the scheme or host of an address: write them out, for example"
    " https://shop.example/?name=<%= escapeUrl(recipient.field) %>."
)

STATEMENT_PROBLEM: Final = (
    "A statement cannot stand inside an address: write the condition around the whole link."
)
_PATH_PROBLEM: Final = (
    "A value cannot stand in the path of a link: move it to the query, for example"
    " https://shop.example/?name=<%= escapeUrl(recipient.field) %>."
)

_BASE: Final = re.compile(rf"https?://{AUTHORITY}(?=[/?#]|\Z)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_WEB_SCHEME: Final = re.compile(r"https?:", re.IGNORECASE)
_RUNS_SCRIPTS: Final = frozenset(("javascript:", "vbscript:", "data:"))
_DROPPED: Final = re.compile(r"[\t\n\r]")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f]")
_AROUND: Final = "".join(map(chr, range(0x21)))


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An address that can be tracked.

    `source` spells it for people, `pieces` are those of a `catalogue.Destination`, value n of them
    is the recipient's `fields[n]`.
    """

    source: str
    pieces: tuple[str | int, ...]
    fields: tuple[Operand, ...]


def read_address(pieces: Iterable[str | Expression]) -> WebAddress | None:
    """Read the decoded pieces of an address; None where it is none of our business.

    Raises:
        ValueError: it can be neither tracked nor left alone; the text says what to write instead.
    """
    trimmed = _trim(pieces)
    check_values(trimmed)
    first = trimmed[0] if trimmed else ""
    if not isinstance(first, str) or not _BASE.match(first):
        return None
    fields: list[Operand] = []
    slots: list[str | int] = []
    has_path_ended = False
    for piece in trimmed:
        if isinstance(piece, str):
            has_path_ended = has_path_ended or "?" in piece or "#" in piece
            slots.append(_UNSAFE.sub(_percent, piece))
        elif isinstance(piece.what, MessageToken):
            slots.append(TOKEN_SLOT)
        else:
            assert isinstance(piece.what, Value | Script), "all else was refused"
            if not has_path_ended:
                raise ValueError(_PATH_PROBLEM)
            operand = piece.what.field if isinstance(piece.what, Value) else piece.what
            if operand not in fields:
                fields.append(operand)
            slots.append(fields.index(operand))
    if sum(len(slot) for slot in slots if isinstance(slot, str)) > DESTINATION_LENGTH_MAX:
        raise ValueError(f"This address is longer than {DESTINATION_LENGTH_MAX} characters.")
    if len(fields) > VALUES_MAX:
        raise ValueError(f"This address takes more than {VALUES_MAX} fields.")
    source = "".join(each if isinstance(each, str) else str(each.what) for each in trimmed)
    return WebAddress(source, tuple(slots), tuple(fields))


def _trim(pieces: Iterable[str | Expression]) -> list[str | Expression]:
    """Drop what a browser drops, without moving text over a value."""
    result = [_DROPPED.sub("", each) if isinstance(each, str) else each for each in pieces]
    if result and isinstance(result[0], str):
        result[0] = result[0].lstrip(_AROUND)
    if result and isinstance(result[-1], str):
        result[-1] = result[-1].rstrip(_AROUND)
    return [each for each in result if each != ""]


def check_values(pieces: Sequence[str | Expression]) -> None:
    """Refuse values of an address where they are not safe, and statements anywhere in it.

    Addresses like mailto: and tel:, which run and fetch nothing, may hold values as they are.

    Raises:
        ValueError: one is not safe; the text says what to write instead.
    """
    expressions = [each for each in pieces if isinstance(each, Expression)]
    if not expressions:
        return
    if any(isinstance(each.what, Statement | OpenPixel) for each in expressions):
        raise ValueError(STATEMENT_PROBLEM)
    first = pieces[0]
    scheme = _SCHEME.match(first) if isinstance(first, str) else None
    if scheme and scheme[0].lower() in _RUNS_SCRIPTS:
        raise ValueError(f"A value cannot stand in a {scheme[0]} address.")
    if scheme and not _WEB_SCHEME.fullmatch(scheme[0]):
        return
    beginning = first if isinstance(first, str) else ""
    if not _is_host_closed(beginning[scheme.end() if scheme else 0 :], has_scheme=bool(scheme)):
        raise ValueError(HOST_PROBLEM)
    for expression in expressions:
        if isinstance(expression.what, Value) and not expression.what.is_url:
            right = Value(expression.what.field, is_url=True)
            raise ValueError(f"A value inside an address is written {right}.")
        if isinstance(expression.what, Script) and not expression.what.is_url:
            raise ValueError("A value inside an address is written <%= escapeUrl(…) %>.")


def _is_host_closed(rest: str, *, has_scheme: bool) -> bool:
    """Tell whether the host is over before the first value, or there is none (relative)."""
    behind = rest.lstrip("/\\")
    if has_scheme or len(rest) - len(behind) > 1:
        return re.search(r"[/?#\\]", behind) is not None
    return re.search(r"[/?#\\]", rest) is not None


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
