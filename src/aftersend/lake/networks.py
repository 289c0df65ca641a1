"""Which client addresses lie in some networks, in SQL that every engine has.

An address becomes a text of fixed width, so that networks are ranges of texts. Only addresses that
begin like one of the networks are taken apart, and each once.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

import ibis
import ibis.expr.types as ir

__all__ = ["addresses_within"]

Network: TypeAlias = IPv4Network | IPv6Network

_GROUPS: Final = 8
_BEGINNINGS_MAX: Final = 256


def addresses_within(
    hits: ibis.Table,
    networks: Iterable[str | Network],
    *,
    allowed: Iterable[str | Network] = (),
) -> ibis.Table:
    """List the addresses of some hits that lie in one of some networks and in none `allowed`.

    What follows a comma in an address is left out: it is not the client that the server saw. An
    address that was cut lies where its first one does.

    Shape: one row per address; column `address` as it is spelled in the hits.
    """
    wanted = [ip_network(network) for network in networks]
    likely = hits.filter(hits.address.re_search(_beginning(wanted)))
    found = likely.select("address").distinct()
    keyed = found.mutate(key=_key_of(found.address))
    # Joins, not conditions: engines would read the key anew for each network.
    ranges = _ranges(wanted)
    within = keyed.semi_join(ranges, _is_between(keyed, ranges)).select("address", "key")
    excepted = [ip_network(network) for network in allowed]
    if excepted:
        ranges = _ranges(excepted)
        within = within.anti_join(ranges, _is_between(within, ranges))
    return within.select("address")


def _ranges(networks: Iterable[Network]) -> ibis.Table:
    keys = sorted((_key(one.network_address), _key(one.broadcast_address)) for one in networks)
    rows = [ibis.struct({"first": first, "last": last}) for first, last in keys]
    return ibis.array(rows).unnest().name("range").as_table().unpack("range")


def _is_between(keyed: ibis.Table, ranges: ibis.Table) -> list[ir.BooleanValue]:
    return [keyed["key"] >= ranges["first"], keyed["key"] <= ranges["last"]]


def _beginning(networks: Iterable[Network]) -> str:
    texts = sorted({text for one in networks for text in _beginnings(one)})
    return rf"^(?i:(?:::ffff:)?(?:{'|'.join(texts)}))"


def _beginnings(network: Network) -> list[str]:
    """Give patterns of how addresses of a network begin; of very large ones all do."""
    bits = network.max_prefixlen - 16
    first = int(network.network_address) >> bits
    last = int(network.broadcast_address) >> bits
    if last - first >= _BEGINNINGS_MAX or (network.version == 6 and first == 0):
        return [""]
    if network.version == 6:
        return [f"{group:x}:" for group in range(first, last + 1)]
    return [rf"{group >> 8}\.{group & 255}\." for group in range(first, last + 1)]


def _key(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return "4" + "".join(f"{group:03}" for group in address.packed)
    return "6" + address.exploded.replace(":", "")


def _key_of(address: ir.StringColumn) -> ir.StringValue:
    plain = address.lower().re_replace(r"^::ffff:|,.*$", "")
    return plain.contains(":").ifelse(_wide(plain), _dotted(plain))


def _dotted(plain: ir.StringValue) -> ir.StringValue:
    groups = plain.split(".")
    return ibis.literal("4").concat(*(_padded(groups[n], 3) for n in range(4)))


def _wide(plain: ir.StringValue) -> ir.StringValue:
    # "::" stands for as many groups of zeros as are missing.
    colons = plain.length() - plain.replace(":", "").length()
    zeros = ibis.literal("0:").repeat(ibis.greatest(_GROUPS - colons, 0))
    filled = plain.replace("::", ibis.literal(":").concat(zeros))
    groups = filled.split(":")
    return ibis.literal("6").concat(*(_padded(groups[n], 4) for n in range(_GROUPS)))


def _padded(group: ir.StringValue, width: int) -> ir.StringValue:
    return (ibis.literal("0" * width) + group).right(width)
