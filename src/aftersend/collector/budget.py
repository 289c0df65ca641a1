"""How many hits of one address are recorded in a minute; redirecting is never refused.

A click pays for a look at the clock, one look into a table and an addition: how an address is
spelled leads to its count. Only an address that is new in this minute is looked at closer, because
one household or one company has a whole /64 of IPv6, and all of it is one source. What a spoofer
can reach is bounded: a table that is full knows no more spellings, but still every source in it.

Source: field lessons §5.3: silent, so that a company behind one address still clicks.
"""

import math
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from threading import Lock
from typing import Final

from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["SOURCES_MAX", "WINDOW_SECONDS", "Budget", "source_of"]

WINDOW_SECONDS: Final = 60.0
SOURCES_MAX: Final = 50_000
_LOOPBACK: Final = "loopback"
_LOOPBACK_V6: Final = bytes(15) + b"\x01"
# IPv4 in the clothes of IPv6: as the kernel spells it, and as a translator of the network does.
_IPV4_WITHIN: Final = (bytes(10) + b"\xff\xff", b"\x00\x64\xff\x9b" + bytes(8))


class Budget:
    """Admits the first `hits_max` hits of each source in a minute; 0 admits all.

    One thread asks; any may `tell`. Loopback, and who has no address, has no budget.

    Limits: `sources_max` sources, and as many spellings of them, are known at a time. While the
        table is full, sources that are not in it are admitted.
    """

    def __init__(self, hits_max: int, clock: Clock, *, sources_max: int = SOURCES_MAX) -> None:
        """Begin with nobody known."""
        self._hits_max, self._sources_max = hits_max, sources_max
        self._monotonic = clock.monotonic
        self._mutex = Lock()
        self._finished = (0, 0)
        self._left_out = self._sources_left_out = 0
        self._ends_at = -math.inf
        self._begin(self._monotonic())

    @property
    def is_limited(self) -> bool:
        """Tell whether asking makes any difference."""
        return self._hits_max > 0

    def admits(self, address: str) -> bool:
        """Tell whether a hit of `address` is recorded, and count it."""
        now = self._monotonic()
        if now >= self._ends_at:
            self._begin(now)
        count = self._by_text.get(address)
        if count is None:
            count = self._meet(address)
        count[0] += 1
        if count[0] <= self._hits_max or not self._hits_max:
            return True
        self._left_out += 1
        if count[0] == self._hits_max + 1:
            self._sources_left_out += 1
        return False

    def tell(self) -> None:
        """Log what the minutes that are over have left out, if anything, without addresses."""
        now = self._monotonic()
        if now >= self._ends_at:
            self._begin(now)
        with self._mutex:
            (hits, sources), self._finished = self._finished, (0, 0)
        if hits:
            logger("collector").warning(
                "hits over budget were answered and left out",
                hits=hits,
                sources=sources,
                hits_per_minute_max=self._hits_max,
                hint="a proxy in front belongs into collector.trusted_proxies",
            )

    def _begin(self, now: float) -> None:
        """Forget everybody; it happens once a minute, whoever comes first."""
        with self._mutex:
            if now < self._ends_at:
                return
            hits, sources = self._finished
            self._finished = hits + self._left_out, sources + self._sources_left_out
            self._by_text: dict[str, list[float]] = {}
            self._by_source: dict[str | bytes, list[float]] = {_LOOPBACK: [-math.inf]}
            self._left_out = self._sources_left_out = 0
            self._ends_at = now + WINDOW_SECONDS

    def _meet(self, address: str) -> list[float]:
        """Find the count of an address that is spelled so for the first time in this minute."""
        source = source_of(address)
        count = self._by_source.get(source)
        if count is None:
            count = [0]
            if len(self._by_source) > self._sources_max:  # loopback is one more
                return count
            self._by_source[source] = count
        if len(self._by_text) < self._sources_max:
            self._by_text[address] = count
        return count


def source_of(address: str) -> str | bytes:
    """Give what an address has in common with others that are the same source.

    >>> source_of("2001:db8::1") == source_of("2001:db8:0:0:ffff::2")
    True
    >>> source_of("::ffff:192.0.2.1") == source_of("192.0.2.1")
    True
    >>> source_of("127.0.0.1") == source_of("::1") == source_of("")
    True
    """
    if ":" in address:
        try:
            raw = inet_pton(AF_INET6, address.partition("%")[0])
        except OSError:
            return address
        if raw[:12] not in _IPV4_WITHIN:
            return _LOOPBACK if raw == _LOOPBACK_V6 else raw[:8]
        address = inet_ntop(AF_INET, raw[12:])
    return _LOOPBACK if not address or address.startswith("127.") else address
