"""Links of the older shape: ``/r/?id=<format letter><message>,<delivery>,<url>&p1=…``.

Ids are in hex, a message id below zero was written as unsigned 32 bits and stays so. Nothing in
such a link is signed: its ids may be guessed, its values may be anybody's.

Source: spec §3.7.
"""

import re
from typing import Final
from urllib.parse import parse_qsl

from aftersend.model.enumeration import Part
from aftersend.model.ids import ID_MAX
from aftersend.model.token import VALUES_MAX

__all__ = ["has_link", "unpack"]

_QUERY_LENGTH_MAX: Final = 8192
_PARAMETERS_MAX: Final = 128
_ID: Final = re.compile(r"([a-z])([0-9a-f]{1,16}),([0-9a-f]{1,16}),([0-9a-f]{1,16})", re.IGNORECASE)
_VALUE: Final = re.compile(r"p([1-9][0-9]{0,3})")
_PARTS: Final = {part.value: part for part in Part}


def has_link(query: str) -> bool:
    """Tell whether a query names a link, well or badly."""
    return query.startswith("id=") or "&id=" in query or ";id=" in query


def unpack(
    query: str, *, is_verified: bool
) -> tuple[Part, int, int, int, tuple[str, ...], bool] | None:
    """Read a query as `token.unpack` reads a token; None when it names no link.

    Who trusts such links says that they are verified.
    """
    if len(query) > _QUERY_LENGTH_MAX:
        return None
    # Gateways escape the ampersand of an address as if it stood in HTML.
    pairs = query.replace("&amp;", "&").replace(";", "&")
    try:
        parameters = parse_qsl(pairs, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX)
    except ValueError:
        return None
    given: dict[str, str] = {}
    for name, value in parameters:
        given.setdefault(name, value)
    match = _ID.fullmatch(given.get("id", ""))
    part = _PARTS.get(match[1].lower()) if match else None
    values = _values(given)
    if match is None or part is None or values is None:
        return None
    message_id, delivery_id, url_id = (int(text, 16) for text in match.groups()[1:])
    if max(message_id, delivery_id, url_id) > ID_MAX or not delivery_id or not url_id:
        return None
    return part, delivery_id, message_id, url_id, values, is_verified


def _values(given: dict[str, str]) -> tuple[str, ...] | None:
    """Collect p1 to p64 in their order; what is left out between them is empty."""
    numbered = {
        int(match[1]): text for name, text in given.items() if (match := _VALUE.fullmatch(name))
    }
    last = max(numbered, default=0)
    if last > VALUES_MAX:
        return None
    return tuple(numbered.get(number, "") for number in range(1, last + 1))
