"""Hosts of addresses, compared as far as that goes without a list of all suffixes."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

__all__ = ["base_domain", "host_of", "is_local"]

_SECOND_LEVELS: Final = frozenset(
    ("ac", "co", "com", "edu", "gob", "gov", "gv", "ltd", "ne", "net", "or", "org", "plc")
)


def host_of(url: str) -> str:
    """Give the host of a web address in ASCII, where it can be spelled so; empty without one."""
    try:
        host = urlsplit(url).hostname or ""
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        return ""


def base_domain(host: str) -> str:
    """Give the part of a host that somebody registered: usually its last two names."""
    if _is_address(host):
        return host
    names = host.rstrip(".").split(".")
    is_deep = len(names) > 2 and len(names[-1]) == 2 and names[-2] in _SECOND_LEVELS
    return ".".join(names[-3:] if is_deep else names[-2:])


def is_local(host: str) -> bool:
    """Tell whether a host can be reached from this machine or network alone."""
    if _is_address(host):
        return not ip_address(host).is_global
    return host == "localhost" or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
