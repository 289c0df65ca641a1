"""Catalogue files: what a tracking server knows of a delivery.

One JSON file a delivery, named ``<delivery id>.json``::

    {"format": 1,
     "delivery": 7,
     "published": "2026-01-02T03:04:05Z",
     "expires": null,                          or a time: from then on links are expired
     "substitution": null,                     or the URL that expired links go to
     "urls": {"1": {"type": 2, "label": "Open", "to": []},
              "2": {"type": 1, "label": "Shop", "to": ["https://x.example/?n=", 0]}}}

`to` spells a destination: a text stands for itself, a number n from 0 for value n of the token,
percent-encoded, and -1 for the token's own text (mirror page, unsubscription). The open has none.
``"blocked": true`` beside `to` stops a link: people see a page that says so.

Invariants: http and https only; the first piece is text and holds scheme, host and the slash (or
`?`, `#`, end) behind the host, so no value can ever change where people are sent.

Source: spec §4.3 (URL maps), architecture D2.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from aftersend.errors import InvalidCatalogue
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import ID_MAX, OPEN_URL_ID, DeliveryId, UrlId

__all__ = [
    "CATALOGUE_BYTES_MAX",
    "DESTINATION_LENGTH_MAX",
    "TOKEN_SLOT",
    "Catalogue",
    "Destination",
    "decode",
    "encode",
    "file_name",
    "location",
]

CATALOGUE_BYTES_MAX: Final = 32 * 1024 * 1024
DESTINATION_LENGTH_MAX: Final = 8192
TOKEN_SLOT: Final = -1

_FORMAT: Final = 1
_URL_TYPES: Final = frozenset(int(kind) for kind in UrlType)
_BASE: Final = re.compile(r"https?://[^\s/?#\\]+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_LOCATION_SAFE: Final = "!#$%&'()*+,/:;=?@[]~-._{}|^`\"<>\\"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one tracked URL leads; no pieces for the open pixel."""

    pieces: tuple[str | int, ...]
    type: UrlType = UrlType.EMAIL_CLICK
    label: str = ""
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a tracking server must know of one delivery; times are aware and in UTC."""

    delivery_id: DeliveryId
    published_at: datetime
    urls: Mapping[UrlId, Destination] = field(default_factory=dict)
    expires_at: datetime | None = None
    substitution_url: str | None = None


def file_name(delivery_id: DeliveryId) -> str:
    """Name the file of a delivery."""
    return f"{delivery_id}.json"


def location(destination: Destination, values: Sequence[str], token_text: str) -> str:
    """Spell the address to redirect to, in ASCII: the text of a Location header.

    A value that the token lacks counts as empty. Bytes of the stored pieces stay as they are, but
    for what a header cannot carry: it is percent-encoded, and a host outside ASCII is spelled in
    punycode (RFC 3492).

    >>> shop = Destination(("https://x.example/?n=", 0, "#a"))
    >>> location(shop, ("Zoë & co",), "")
    'https://x.example/?n=Zo%C3%AB%20%26%20co#a'
    """
    pieces = destination.pieces
    if len(pieces) == 1 and isinstance(pieces[0], str) and pieces[0].isascii():
        return pieces[0]
    return "".join(
        _literal(piece, is_first=index == 0)
        if isinstance(piece, str)
        else token_text
        if piece == TOKEN_SLOT
        else quote(values[piece], safe="")
        if piece < len(values)
        else ""
        for index, piece in enumerate(pieces)
    )


def encode(catalogue: Catalogue) -> bytes:
    """Write a catalogue file; the same catalogue gives the same bytes."""
    document = {
        "format": _FORMAT,
        "delivery": catalogue.delivery_id,
        "published": _time_text(catalogue.published_at),
        "expires": catalogue.expires_at and _time_text(catalogue.expires_at),
        "substitution": catalogue.substitution_url,
        "urls": {
            str(url_id): {
                "type": int(url.type),
                "label": url.label,
                "to": list(url.pieces),
                **({"blocked": True} if url.is_blocked else {}),
            }
            for url_id, url in sorted(catalogue.urls.items())
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(raw: bytes) -> Catalogue:
    """Read a catalogue file.

    Raises:
        InvalidCatalogue: it is too large, not JSON, of another format, or a destination is not one
            that people may be sent to.
    """
    if len(raw) > CATALOGUE_BYTES_MAX:
        raise InvalidCatalogue(f"it is larger than {CATALOGUE_BYTES_MAX} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidCatalogue("it is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise InvalidCatalogue(f"it is not of format {_FORMAT}")
    urls = document.get("urls")
    if not isinstance(urls, dict):
        raise InvalidCatalogue("it has no list of URLs")
    substitution = document.get("substitution")
    if substitution is not None:
        _check_pieces("substitution", [substitution])
    expires = document.get("expires")
    return Catalogue(
        delivery_id=DeliveryId(_id(document.get("delivery"))),
        published_at=_time(document.get("published")),
        urls={UrlId(_id(_digits(key))): _destination(key, url) for key, url in urls.items()},
        expires_at=None if expires is None else _time(expires),
        substitution_url=substitution,
    )


def _destination(key: str, document: Any) -> Destination:
    if not isinstance(document, dict):
        raise InvalidCatalogue(f"URL {key} is not an object")
    pieces, label = document.get("to"), document.get("label", "")
    code = document.get("type")
    if type(code) is not int or code not in _URL_TYPES:
        raise InvalidCatalogue(f"URL {key} has an unknown type")
    if not isinstance(pieces, list) or not isinstance(label, str):
        raise InvalidCatalogue(f"URL {key} is incomplete")
    if key != str(OPEN_URL_ID):
        _check_pieces(key, pieces)
    elif pieces:
        raise InvalidCatalogue("the open leads nowhere")
    return Destination(
        tuple(pieces), UrlType(code), label, is_blocked=document.get("blocked") is True
    )


def _check_pieces(key: str, pieces: list[Any]) -> None:
    if not pieces:
        raise InvalidCatalogue(f"URL {key} leads nowhere")
    for piece in pieces:
        is_slot = isinstance(piece, int) and not isinstance(piece, bool) and -1 <= piece < 64
        if not (is_slot or isinstance(piece, str)):
            raise InvalidCatalogue(f"URL {key} has a piece that is neither text nor slot")
        if isinstance(piece, str) and _UNSAFE.search(piece):
            raise InvalidCatalogue(f"URL {key} holds a character that no address can hold")
    if sum(len(piece) for piece in pieces if isinstance(piece, str)) > DESTINATION_LENGTH_MAX:
        raise InvalidCatalogue(f"URL {key} is longer than {DESTINATION_LENGTH_MAX} characters")
    base = _check_base(pieces[0])
    if len(pieces) > 1 and len(base) == len(pieces[0]):
        raise InvalidCatalogue(f"URL {key} has a value inside its host")


def _check_base(url: Any) -> str:
    match = _BASE.match(url) if isinstance(url, str) else None
    if match is None:
        raise InvalidCatalogue(f"{str(url)[:80]!r} does not begin with http:// or https://")
    return match[0]


def _literal(text: str, *, is_first: bool) -> str:
    if text.isascii():
        return text
    if is_first and (match := _BASE.match(text)) and not match[0].isascii():
        scheme, _, host = match[0].partition("://")
        text = f"{scheme}://{_ascii_host(host)}{text[match.end() :]}"
    return quote(text, safe=_LOCATION_SAFE)


def _ascii_host(host: str) -> str:
    name, separator, port = host.rpartition(":") if re.search(r":\d*$", host) else (host, "", "")
    try:
        return name.encode("idna").decode("ascii") + separator + port
    except UnicodeError:
        return quote(host)


def _digits(text: str) -> Any:
    return int(text) if _NUMBER.fullmatch(text) else None


def _id(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= ID_MAX:
        raise InvalidCatalogue("an id is not a number from 1")
    return number


def _time(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        in_utc = at.astimezone(UTC)
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidCatalogue("a time is not RFC 3339") from error
    if at.tzinfo is None:
        raise InvalidCatalogue("a time has no zone")
    return in_utc


def _time_text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
