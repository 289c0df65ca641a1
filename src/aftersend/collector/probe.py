"""Networks that have just tried garbled tokens: the next good click from there is marked.

Scanners try what they have made of a token before they follow the link itself. So a network, IPv4
/24 or IPv6 /48, is remembered for some seconds, in memory alone. While no token was garbled lately,
a click pays for a look at one attribute.

Loopback, and who has no address, is never remembered: a proxy in front that is not trusted would
make everybody's clicks suspect.

Source: field lessons §0.4, §3 C4.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from aftersend.collector.budget import source_of

__all__ = ["NETWORKS_MAX", "Probes", "network_of"]

NETWORKS_MAX: Final = 4_096
_V6_NETWORK_BYTES: Final = 6


class Probes:
    """Remembers from where garbled tokens came; one thread uses it.

    `is_awake` is false while nobody is remembered: then there is nothing to ask.

    Limits: `networks_max` networks; the one that was heard of longest ago goes first.
    """

    def __init__(self, seconds: float, *, networks_max: int = NETWORKS_MAX) -> None:
        """Begin with nobody; `seconds` is how long a network is remembered, 0: not at all."""
        self.is_awake = False
        self._window, self._networks_max = timedelta(seconds=seconds), networks_max
        self._seen: dict[str | bytes, datetime] = {}
        self._until = datetime.min.replace(tzinfo=UTC)

    def note(self, address: str, at: datetime) -> None:
        """Remember where a garbled token came from."""
        network = network_of(address)
        if network is None or not self._window:
            return
        seen = self._seen
        if not self.is_awake:
            seen.clear()
        seen.pop(network, None)
        if len(seen) >= self._networks_max:
            del seen[next(iter(seen))]
        seen[network] = at
        self._until = at + self._window
        self.is_awake = True

    def has_probed(self, address: str, at: datetime) -> bool:
        """Tell whether a click follows a garbled token of its network; the next one does not."""
        if at > self._until:
            self.is_awake = False
            return False
        network = network_of(address)
        probed_at = None if network is None else self._seen.pop(network, None)
        return probed_at is not None and at - probed_at <= self._window


def network_of(address: str) -> str | bytes | None:
    """Give what an address has in common with those beside it; None for loopback or none at all.

    >>> network_of("192.0.2.7") == network_of("::ffff:192.0.2.99")
    True
    >>> network_of("2001:db8:1::1") == network_of("2001:db8:1:ffff::2")
    True
    """
    source = source_of(address)
    if isinstance(source, bytes):
        return source[:_V6_NETWORK_BYTES]
    return source.rpartition(".")[0] or None
