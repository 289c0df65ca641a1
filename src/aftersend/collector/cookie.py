"""Cookies of the tracking server (spec §4.4).

``nlid`` lasts for the session and holds message and delivery of the last click in hex, joined by a
bar; ``uuid230`` is permanent and holds a random UUID that tells one browser from another. Who
carries ``acoptout=1`` gets neither, and is logged without a source.
"""

import re
from typing import Final

from aftersend.collector.config import CollectorConfig
from aftersend.platform.entropy import Entropy

__all__ = ["Cookies", "is_refused", "source_of"]

_SOURCE: Final = re.compile(
    r"(?:^|;)\s*uuid230=([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\s*(?:;|$)"
)
_REFUSAL: Final = re.compile(r"(?:^|;)\s*acoptout=1\s*(?:;|$)")
_SOURCES_AT_ONCE: Final = 256
_SECONDS_A_DAY: Final = 86_400


class Cookies:
    """Spells the cookies of a click."""

    def __init__(self, config: CollectorConfig, entropy: Entropy) -> None:
        """Prepare what is the same for everybody."""
        scope = "; Path=/; HttpOnly; SameSite=Lax"
        if config.is_cookie_secure:
            scope += "; Secure"
        if config.cookie_domains:
            scope += f"; Domain={config.cookie_domains[0]}"
        self._session_end = scope
        self._permanent_end = f"; Max-Age={config.cookie_days * _SECONDS_A_DAY}{scope}"
        self._entropy = entropy
        self._sources: list[str] = []

    def new_source(self) -> str:
        """Give a random UUID for a browser that brought none."""
        if not self._sources:
            self._sources = _sources(self._entropy)
        return self._sources.pop()

    def of_click(
        self, message_id: int, delivery_id: int, source_id: str
    ) -> tuple[tuple[str, str], tuple[str, str]]:
        """Spell the two cookies of a click as headers."""
        return (
            ("set-cookie", f"nlid={message_id:x}|{delivery_id:x}{self._session_end}"),
            ("set-cookie", f"uuid230={source_id}{self._permanent_end}"),
        )


def source_of(header: str) -> str:
    """Find the UUID that a browser sends, in lower case; empty when there is no valid one."""
    match = _SOURCE.search(header)
    return "" if match is None else match[1].lower()


def is_refused(header: str) -> bool:
    """Tell whether this browser's user does not want to be recognised."""
    return "acoptout" in header and _REFUSAL.search(header) is not None


def _sources(entropy: Entropy) -> list[str]:
    """Give UUIDs of version 4; asking for many at once costs a quarter of one by one."""
    digits = entropy.bytes(16 * _SOURCES_AT_ONCE).hex()
    return [
        f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}"
        f"-{text[20:]}"
        for text in (digits[at : at + 32] for at in range(0, len(digits), 32))
    ]
