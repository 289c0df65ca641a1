"""Who is asking: the address and the program, bounded and fit for a log line."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from aftersend.collector.config import CollectorConfig

__all__ = ["USER_AGENT_LENGTH_MAX", "Proxies", "address_reader", "peer_of", "user_agent_of"]

USER_AGENT_LENGTH_MAX: Final = 512
_FORWARDED_HOPS_MAX: Final = 32
_HOP_LENGTH_MAX: Final = 64
_JUDGED_MAX: Final = 4096
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
_UNREADABLE: Final = "(not ASCII)"


def peer_of(client: str) -> str:
    """Take the address out of ``1.2.3.4:5678`` or ``[::1]:5678``."""
    address = client.rpartition(":")[0]
    if address.startswith("["):
        address = address[1:-1].removeprefix("::ffff:").partition("%")[0]
    return address


def address_reader(config: CollectorConfig) -> Callable[[Any, Any], str]:
    """Choose once how the address of a client is found, given its request and the headers."""
    if not config.trusted_proxies:
        return _peer_alone
    proxies = Proxies(config.trusted_proxies)
    return lambda scope, headers: proxies.client_of(
        peer_of(scope.client), ",".join(headers.get_all("x-forwarded-for"))
    )


def _peer_alone(scope: Any, _headers: Any) -> str:
    address: str = scope.client.rpartition(":")[0]
    return peer_of(scope.client) if "[" in address else address


def user_agent_of(headers: Any) -> str:
    """Give the program's name for itself, cut to `USER_AGENT_LENGTH_MAX` characters.

    The server below cannot read a header outside ASCII; that one was sent is kept, because a
    missing name marks a machine.
    """
    text: str | None = headers.get("user-agent")
    if text is None:
        return _UNREADABLE if "user-agent" in headers else ""
    return text if len(text) <= USER_AGENT_LENGTH_MAX else text[:USER_AGENT_LENGTH_MAX]


class Proxies:
    """The proxies whose word on addresses counts; nobody else's does."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Take addresses and networks of either family, all valid."""
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text) for text in trusted]
        # The same proxies, and the same browsers, come again and again.
        self._judge = lru_cache(maxsize=_JUDGED_MAX)(self._judged)

    def client_of(self, peer: str, forwarded: str) -> str:
        """Find the first address, from the nearest on, that is no trusted proxy.

        `forwarded` is the list of all such headers, joined in their order: a proxy that adds a
        header of its own must not be overheard for one that the client has sent.
        """
        if not forwarded or not self._judge(peer)[1]:
            return peer
        for hop in reversed(forwarded.rsplit(",", _FORWARDED_HOPS_MAX)[-_FORWARDED_HOPS_MAX:]):
            address, is_trusted = self._judge(hop.strip()[:_HOP_LENGTH_MAX])
            if not address:
                return peer
            if not is_trusted:
                return address
            peer = address
        return peer

    def _judged(self, text: str) -> tuple[str, bool]:
        """Give the address in a text, empty when there is none, and whether it is trusted.

        Some proxies tell a port with it: ``192.0.2.1:5678`` or ``[2001:db8::1]:5678``.
        """
        match = _WITH_PORT.fullmatch(text)
        plain = (match[1] or match[2]) if match else text
        if "%" in plain:  # a zone has a meaning on that machine alone
            return "", False
        try:
            address = ip_address(plain)
        except ValueError:
            return "", False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
            plain = str(address)
        return plain, any(address in network for network in self._networks)
