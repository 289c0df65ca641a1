"""What may be wrong with who writes and how it begins: subject, sender, our own addresses."""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery import address
from aftersend.delivery.typology.host import base_domain, host_of, is_local
from aftersend.delivery.typology.prepared import Prepared
from aftersend.delivery.typology.rule import finding

__all__ = ["CHECKS"]

_ODD: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
_JOINERS: Final = "\u200c\u200d"  # parts of emoji and of words in several scripts
_TAGS: Final = range(0xE0020, 0xE0080)  # parts of flags
_REPLACEMENT: Final = "\ufffd"
_ENTITY: Final = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_MISREAD: Final = re.compile(
    r"[\u0080-\u00ff\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2,}"
)


def _subject(prepared: Prepared) -> Iterator[Check]:
    if not prepared.delivery.subject.strip():
        yield finding("subject", "The subject is empty: write one.")


def _characters(prepared: Prepared) -> Iterator[Check]:
    literal = "".join(prepared.template.subject.literals)
    for name, text in (("subject", literal), ("sender", prepared.delivery.sender)):
        for problem in _odd(text):
            yield finding("characters", f"The {name} {problem}")


def _odd(text: str) -> Iterator[str]:
    for character in sorted({each for each in text if _is_odd(each)}):
        name = unicodedata.name(character, "without a name").lower()
        yield f"has the character U+{ord(character):04X} ({name}), which people do not see: erase."
    if _REPLACEMENT in text:
        yield "has a character that was lost when the text was read (\ufffd): write it anew."
    if misread := next(_misread(text), ""):
        yield f"has {misread!r}, which looks like text read in the wrong encoding: write it anew."
    if entity := next((each for each in _ENTITY.findall(text) if html.unescape(each) != each), ""):
        yield f"has {entity}, which is shown as it stands here: write {html.unescape(entity)}"


def _is_odd(character: str) -> bool:
    if character in _JOINERS or ord(character) in _TAGS:
        return False
    return unicodedata.category(character) in _ODD


def _misread(text: str) -> Iterator[str]:
    """Find UTF-8 that was read as Western European."""
    for match in _MISREAD.finditer(text):
        if any(_is_utf8(match[0], encoding) for encoding in ("cp1252", "latin-1")):
            yield match[0]


def _is_utf8(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding).decode()
    except UnicodeError:
        return False
    return True


def _own_addresses(prepared: Prepared) -> Iterator[Check]:
    names = {prepared.addresses.app: "pages of messages"}
    if prepared.delivery.is_tracked:
        names[prepared.addresses.redirect] = "the tracking server"
    for url, name in names.items():
        if url.lower().startswith("http://") and not is_local(host_of(url)):
            yield finding(
                "plain-http",
                f"The public address of {name}, {url}, has no TLS: anybody on the way can see who"
                " opens what. Give it a certificate, and write https.",
            )


def _tracking_host(prepared: Prepared) -> Iterator[Check]:
    if not prepared.delivery.is_tracked:
        return
    host = host_of(prepared.addresses.redirect)
    if is_local(host):
        yield finding(
            "tracking-host",
            f"Links lead to {host}, which nobody else can reach: set collector.external_url"
            " before you write to others.",
        )
        return
    domain = address.domain_of(address.as_sent(address.read_sender(prepared.delivery.sender)[1]))
    if base_domain(host) != base_domain(domain):
        yield finding(
            "tracking-host",
            f"Links lead to {host}, the sender is at {domain}: filters trust links of the sender's"
            f" own domain more. Give the tracking server a name under {base_domain(domain)}.",
        )


CHECKS: Final = (_subject, _characters, _own_addresses, _tracking_host)
