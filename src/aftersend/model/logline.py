r"""Log lines: what a tracking server writes, one line a hit.

Eleven fields, separated by one tab each, ended by one line feed; ASCII only::

     1  log id       server (1 letter or digit), ``0x``, 16 upper-case hex digits
     2  time         ``2026-01-02T03:04:05.000006``, UTC
     3  message id   lower-case hex, 0 = none
     4  delivery id  lower-case hex
     5  url id       lower-case hex, 1 = open, 0 = web tag, which field 9 names
     6  flags        ``0``, or letters: u unverified, h HEAD, x expired, b link blocked,
                    p somebody of this network has just tried a garbled token; the
                    workflow adds a where it found out whose web visit it is, and d where
                    the visit of nobody known named a delivery
     7  source id    UUID of the permanent cookie, or empty
     8  part         format letter, h t s a i l, or empty
     9  parameters   of web tracking, ``tagid=…&name=value``, percent-encoded, or empty
    10  user agent   or empty
    11  address      client address, or empty; ``,`` + printable may follow (forwarded-for chain)

Invariants: a tab, a control character, a backslash and everything outside ASCII in fields 9, 10
and 11 is written as ``\xHH`` (the UTF-8 byte), so a line has exactly ten tabs and reading gives
back what was written. Numbers of one server only grow.

Source: spec §4.7, architecture D3. Field 6 and the escape are ours.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aftersend.errors import InvalidLine
from aftersend.model.ids import ID_MAX, DeliveryId, LogId, MessageId, ServerId, UrlId

__all__ = [
    "ATTRIBUTED",
    "BLOCKED",
    "EXPIRED",
    "HEAD",
    "LINE_BYTES_MAX",
    "NAMED",
    "PATTERN",
    "PLAIN",
    "PROBED",
    "UNVERIFIED",
    "LogLine",
    "decode",
    "encode",
    "escape",
    "log_id",
    "time_text",
    "unescape",
]

PLAIN: Final = "0"
UNVERIFIED: Final = "u"
HEAD: Final = "h"
EXPIRED: Final = "x"
BLOCKED: Final = "b"
PROBED: Final = "p"
ATTRIBUTED: Final = "a"
NAMED: Final = "d"
LINE_BYTES_MAX: Final = 16_384

PATTERN: Final = (
    rb"[0-9A-Za-z]0x[0-9A-F]{16}"
    rb"\t[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}"
    rb"\t[0-9a-f]{1,16}\t[0-9a-f]{1,16}\t[0-9a-f]{1,16}"
    rb"\t(?:0|[a-z]{1,8})"
    rb"\t[0-9A-Za-z-]{0,48}"
    rb"\t[a-z]?"
    rb"\t[ -~]*\t[ -~]*"
    rb"\t[0-9A-Fa-f.:]*(?:,[ -~]*)?"
)
"""A whole line without its line feed, as a regular expression that RE2 understands too."""

_LINE: Final = re.compile(PATTERN)
_UNSAFE: Final = re.compile(r"[^ -\[\]-~]")
_ESCAPED: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One hit as the tracking server saw it; `at` is aware and in UTC."""

    server: ServerId
    number: int
    at: datetime
    message_id: MessageId
    delivery_id: DeliveryId
    url_id: UrlId
    flags: str = PLAIN
    source_id: str = ""
    part: str = ""
    parameters: str = ""
    user_agent: str = ""
    address: str = ""


def log_id(server: ServerId, number: int) -> LogId:
    """Spell the id of a hit.

    >>> log_id(ServerId("5"), 0xFD7EC86)
    '50x000000000FD7EC86'
    """
    return LogId(f"{server}0x{number:016X}")


def time_text(at: datetime) -> str:
    """Spell a UTC time for field 2; always with six digits of fraction."""
    return at.isoformat(timespec="microseconds")[:26]


def escape(text: str) -> str:
    r"""Write any text so that it fits one field.

    >>> escape("a\tb\\ü")
    'a\\x09b\\x5c\\xc3\\xbc'
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return _UNSAFE.sub(_escape_character, text)


def unescape(field: str) -> str:
    """Read back what `escape` wrote; bytes that are not UTF-8 become U+FFFD."""
    if "\\" not in field:
        return field
    return _ESCAPED.sub(
        lambda match: bytes.fromhex(match[0].replace("\\x", "")).decode(errors="replace"), field
    )


def encode(line: LogLine) -> bytes:
    """Write a line with its line feed.

    Limits: `LINE_BYTES_MAX` bytes; who writes bounds the free texts before.
    """
    text = "\t".join(
        (
            log_id(line.server, line.number),
            time_text(line.at),
            f"{line.message_id:x}",
            f"{line.delivery_id:x}",
            f"{line.url_id:x}",
            line.flags,
            line.source_id,
            line.part,
            escape(line.parameters),
            escape(line.user_agent),
            escape(line.address),
        )
    )
    return f"{text}\n".encode("ascii")


def decode(raw: bytes) -> LogLine:
    """Read a line, with or without its line feed.

    Raises:
        InvalidLine: it does not follow the format; `reason` is one of length, fields, shape,
            time, number.
    """
    if len(raw) > LINE_BYTES_MAX:
        raise InvalidLine("length")
    raw = raw.removesuffix(b"\n")
    if raw.count(b"\t") != 10:
        raise InvalidLine("fields")
    if not _LINE.fullmatch(raw):
        raise InvalidLine("shape")
    fields = raw.decode("ascii").split("\t")
    try:
        at = datetime.fromisoformat(fields[1]).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidLine("time") from error
    numbers = [int(fields[0][3:], 16), *(int(text, 16) for text in fields[2:5])]
    if max(numbers) > ID_MAX:
        raise InvalidLine("number")
    return LogLine(
        server=ServerId(fields[0][0]),
        number=numbers[0],
        at=at,
        message_id=MessageId(numbers[1]),
        delivery_id=DeliveryId(numbers[2]),
        url_id=UrlId(numbers[3]),
        flags=fields[5],
        source_id=fields[6],
        part=fields[7],
        parameters=unescape(fields[8]),
        user_agent=unescape(fields[9]),
        address=unescape(fields[10]),
    )


def _escape_character(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode(errors="replace"))
