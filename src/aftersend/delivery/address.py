"""Mail addresses as they are kept, judged and put on the wire.

An address is kept in lower case. What may be kept is wide (one @, nothing that could break a
header); what may be sent to follows RFC 5321 and RFC 6531 closely, see `is_sendable`.
"""

import re
from typing import Final

from aftersend.errors import InvalidInput

__all__ = [
    "LENGTH_MAX",
    "as_sent",
    "domain_of",
    "has_control_characters",
    "is_sendable",
    "normalise",
    "read_sender",
]

LENGTH_MAX: Final = 254
"""What fits into the path of an SMTP command (RFC 5321 §4.5.3.1.3)."""

_LOCAL_BYTES_MAX: Final = 64
_HOST_BYTES_MAX: Final = 253
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SPACE: Final = re.compile(r"\s")
_SENDER: Final = re.compile(r"\s*(?:(?P<name>[^<>]*?)\s*<(?P<inside>[^<>]*)>|(?P<bare>[^<>]*))\s*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ATOM: Final = r"[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,.\"\s]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def normalise(text: str) -> str:
    """Spell an address as it is kept.

    Raises:
        InvalidInput: it can be no address; the sentence says why, without the address.
    """
    address = text.strip().lower()
    if not address:
        raise InvalidInput("the address is missing")
    if _CONTROL.search(address) or not _is_encodable(address):
        raise InvalidInput("the address has control characters")
    if _SPACE.search(address):
        raise InvalidInput("the address has spaces inside")
    if "@" not in address:
        raise InvalidInput("the address has no @")
    if address.count("@") > 1:
        raise InvalidInput("the address has more than one @")
    if address.startswith("@") or address.endswith("@"):
        raise InvalidInput("the address has nothing on one side of the @")
    if len(address.encode()) > LENGTH_MAX:
        raise InvalidInput(f"the address is longer than {LENGTH_MAX} characters")
    return address


def is_sendable(address: str) -> bool:
    """Tell whether a mail server could be asked to take mail for a kept address.

    Quoted names and bare IP addresses are legal and are not: hardly one of them is a person's.
    """
    local, _, _ = address.rpartition("@")
    if not _LOCAL.fullmatch(local) or len(local.encode()) > _LOCAL_BYTES_MAX:
        return False
    try:
        host = as_sent(address).rpartition("@")[2]
    except UnicodeError:
        return False
    return len(host) <= _HOST_BYTES_MAX and _HOST.fullmatch(host) is not None


def as_sent(address: str) -> str:
    """Spell a kept address as SMTP wants it: its domain in ASCII.

    Raises:
        UnicodeError: there is no such domain; never for what `is_sendable`.
    """
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def domain_of(address: str) -> str:
    """Give what stands behind the @."""
    return address.rpartition("@")[2]


def read_sender(text: str) -> tuple[str, str]:
    """Take ``Name <address>`` apart: the name, which may be empty, and the address.

    Raises:
        InvalidInput: no message can come from there; the sentence says why.
    """
    if _CONTROL.search(text) or not _is_encodable(text):
        raise InvalidInput(
            "The sender has control characters: write it like Ada <ada@example.com>."
        )
    match = _SENDER.fullmatch(text)
    try:
        kept = normalise((match["inside"] or match["bare"] or "") if match else "")
        is_usable = is_sendable(kept)
    except InvalidInput:
        is_usable = False
    if match is None or not is_usable:
        raise InvalidInput(
            f"The sender {text!r} is not an address: write it like Ada <ada@example.com>."
        )
    name = match["name"] or ""
    if quoted := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    return name, kept


def has_control_characters(text: str) -> bool:
    """Tell whether a text could break out of a header."""
    return _CONTROL.search(text) is not None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
