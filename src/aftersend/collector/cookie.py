"""Cookies of the tracking server (spec §4.4).

===============  =========  ====================================================================
``nlid``         session    the token of the last click: who has it came from that message
``uuid230``      permanent  a random UUID that tells one browser from another
``nllastdelid``  permanent  delivery of the last click, in hex
``acoptout``     permanent  1: this browser's user does not want to be recognised; 0: he does
===============  =========  ====================================================================

Who carries ``acoptout=1`` gets none of the others, and is logged without a source. ``id`` and
``ID`` are understood as ``nlid``, ``uuid`` as ``uuid230``.
"""

import re
from typing import Any, Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.page import Headers
from aftersend.model.enumeration import Part
from aftersend.model.ids import ID_MAX, DeliveryId, MessageId, UrlId
from aftersend.model.token import Token, encode
from aftersend.platform.entropy import Entropy

__all__ = [
    "NO_COOKIES",
    "Cookies",
    "choice_of",
    "is_refused",
    "last_delivery_of",
    "session_of",
    "source_of",
]

NO_COOKIES: Final[Headers] = ()


def _pattern(name: str, value: str) -> re.Pattern[str]:
    """Find a cookie in a header of any length; a pattern that begins with letters is quick."""
    return re.compile(rf"{name}=(?<![^;\s]{name}=){value}\s*(?:;|$)")


_UUID: Final = r"([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
_SOURCES: Final = tuple(_pattern(name, _UUID) for name in ("uuid230", "uuid"))
_SESSIONS: Final = tuple(_pattern(name, r"([A-Za-z2-7]{22,200})") for name in ("nlid", "id", "ID"))
_LAST_DELIVERY: Final = _pattern("nllastdelid", r"([0-9A-Fa-f]{1,16})")
_PERMISSION: Final = _pattern("acoptout", "0")
_REFUSAL: Final = _pattern("acoptout", "1")
_KNOWING: Final = ("nlid", "uuid230", "nllastdelid")
_SESSION_LENGTH_MAX: Final = 200
_SOURCES_AT_ONCE: Final = 256
_DELIVERIES_MAX: Final = 1000
_SECONDS_A_DAY: Final = 86_400
_VERSION: Final = bytes(0x40 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
# Where each of the 32 digits of a UUID stands among its four hyphens.
_PLACES: Final = tuple(
    (digit, digit + sum(digit >= at for at in (8, 12, 16, 20))) for digit in range(32)
)

_Token = tuple[Part, int, int, int, tuple[str, ...], bool]


class _Ends:
    """What follows the values of cookies, for the hosts of one domain."""

    __slots__ = ("choice", "gone", "last", "last_headers", "permanent", "session")

    def __init__(self, config: CollectorConfig, domain: str) -> None:
        same_site = "None" if config.cookie_same_site == "none" else "Lax"
        scope = f"; Path=/; HttpOnly; SameSite={same_site}"
        if config.is_cookie_secure or same_site == "None":
            scope += "; Secure"  # browsers drop SameSite=None without it
        if domain:
            scope += f"; Domain={domain}"
        self.session, self.gone = scope, f"; Max-Age=0{scope}"
        self.permanent = f"; Max-Age={config.cookie_days * _SECONDS_A_DAY}{scope}"
        self.last = f"; Max-Age={config.last_delivery_days * _SECONDS_A_DAY}{scope}"
        # Scripts of consent banners read the choice, and nothing else.
        readable = scope.replace("; HttpOnly", "")
        self.choice = f"; Max-Age={config.consent_days * _SECONDS_A_DAY}{readable}"
        self.last_headers: dict[int, tuple[str, str]] = {}

    def spell_last(self, delivery_id: int) -> tuple[str, str]:
        """Spell the cookie of the last delivery, and keep it: most clicks are of a few."""
        if len(self.last_headers) >= _DELIVERIES_MAX:
            self.last_headers.clear()
        header = "set-cookie", f"nllastdelid={delivery_id:x}{self.last}"
        self.last_headers[delivery_id] = header
        return header


class Cookies:
    """Reads and spells cookies; one thread calls it."""

    def __init__(self, config: CollectorConfig, entropy: Entropy) -> None:
        """Prepare what is the same for everybody."""
        self._is_cookieless, self._keys = config.is_cookieless, config.keys
        self._policy: Headers = (
            (("p3p", f'CP="{config.p3p_policy}"'),) if config.p3p_policy.strip() else ()
        )
        self._here = _Ends(config, "")
        self._domains = [
            (domain.lower(), _Ends(config, domain)) for domain in config.cookie_domains
        ]
        self._entropy = entropy
        self._sources: list[str] = []

    def new_source(self) -> str:
        """Give a random UUID for a browser that brought none."""
        if not self._sources:
            self._sources = _sources(self._entropy)
        return self._sources.pop()

    def source_of(self, headers: Any) -> str:
        """Find the source that a request names and may be known by; empty when there is none."""
        header = headers.get("cookie")
        if not header or self._is_cookieless or is_refused(header):
            return ""
        return source_of(header)

    def of_click(self, headers: Any, token: _Token, text: str) -> tuple[str, Headers]:
        """Give the source of a click and the headers that set its cookies.

        `text` is the token's own; without one, there is no session to remember.
        """
        header = headers.get("cookie")
        if self._is_cookieless or (header and is_refused(header)):
            return "", NO_COOKIES
        source_id = (source_of(header) if header else "") or self.new_source()
        ends = self._ends_of(headers) if self._domains else self._here
        last = ends.last_headers.get(token[1]) or ends.spell_last(token[1])
        permanent = "set-cookie", f"uuid230={source_id}{ends.permanent}"
        if not text:
            return source_id, (permanent, last, *self._policy)
        if len(text) > _SESSION_LENGTH_MAX:
            text = self._shortened(token)
        session = "set-cookie", f"nlid={text}{ends.session}"
        if self._policy:
            return source_id, (session, permanent, last, *self._policy)
        return source_id, (session, permanent, last)

    def of_visit(self, headers: Any, source_id: str) -> Headers:
        """Spell the headers that make a browser known by `source_id`."""
        end = (self._ends_of(headers) if self._domains else self._here).permanent
        return (("set-cookie", f"uuid230={source_id}{end}"), *self._policy)

    def of_choice(self, headers: Any, is_allowed: bool) -> Headers:
        """Spell the headers that keep whether a browser may be recognised, and undo that it is."""
        ends = self._ends_of(headers)
        choice = ("set-cookie", f"acoptout={0 if is_allowed else 1}{ends.choice}")
        if is_allowed:
            return (choice, *self._policy)
        gone = dict.fromkeys((ends.gone, self._here.gone))  # also from before there was a domain
        undone = (("set-cookie", f"{name}={end}") for end in gone for name in _KNOWING)
        return (choice, *undone, *self._policy)

    def _ends_of(self, headers: Any) -> _Ends:
        """Choose the first domain that the host asked for belongs to; none: that host alone."""
        host = (headers.get("host") or "").lower().rpartition(":")
        name = host[0] if host[2].isdigit() else "".join(host)
        for domain, ends in self._domains:
            plain = domain.removeprefix(".")
            if name == plain or name.endswith(f".{plain}"):
                return ends
        return self._here

    def _shortened(self, token: _Token) -> str:
        """Spell a token of the same ids without its values: cookies come with every request."""
        part, delivery_id, message_id, url_id, _, _ = token
        ids = DeliveryId(delivery_id), MessageId(message_id), UrlId(url_id)
        return encode(Token(part, *ids), keys=self._keys)


def source_of(header: str) -> str:
    """Find the UUID that a browser sends, in lower case; empty when there is no valid one."""
    for pattern in _SOURCES:
        if match := pattern.search(header):
            return match[1].lower()
    return ""


def session_of(header: str) -> str:
    """Find the token of the last click in this session, unverified; empty when there is none."""
    for pattern in _SESSIONS:
        if match := pattern.search(header):
            return match[1]
    return ""


def last_delivery_of(header: str) -> int:
    """Find the delivery of the last click, in whichever session; 0 when there is none."""
    match = _LAST_DELIVERY.search(header)
    number = 0 if match is None else int(match[1], 16)
    return number if number <= ID_MAX else 0


def choice_of(header: str) -> bool | None:
    """Find whether this browser's user wants to be recognised; None: nothing was chosen."""
    if is_refused(header):
        return False
    return True if _PERMISSION.search(header) else None


def is_refused(header: str) -> bool:
    """Tell whether this browser's user does not want to be recognised."""
    return _REFUSAL.search(header) is not None


def _sources(entropy: Entropy) -> list[str]:
    """Give UUIDs of version 4, spelled all at once: a quarter of the time of one by one."""
    raw = bytearray(entropy.bytes(16 * _SOURCES_AT_ONCE))
    raw[6::16] = raw[6::16].translate(_VERSION)
    raw[8::16] = raw[8::16].translate(_VARIANT)
    digits = raw.hex().encode()
    spelled = bytearray(b"-" * 36 + b" ") * _SOURCES_AT_ONCE
    for digit, place in _PLACES:
        spelled[place::37] = digits[digit::32]
    return spelled.decode().split()
