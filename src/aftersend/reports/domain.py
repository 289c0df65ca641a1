"""The enumeration Domains: the names under which reports gather email domains.

Whatever is no alias of a name is gathered as Others.
Source: spec §7.0 (Domain grouping).
"""

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["DOMAINS", "OTHERS", "TOTAL", "name_of"]

OTHERS: Final = "Others"
TOTAL: Final = "Total"

DOMAINS: Final[Mapping[str, Sequence[str]]] = {
    "AOL": (
        "aim.com",
        "aol.co.uk",
        "aol.com",
        "aol.de",
        "aol.es",
        "aol.fr",
        "aol.it",
        "netscape.net",
    ),
    "Free": ("free.fr", "freesbee.fr", "online.fr"),
    "Gmail": ("gmail.com", "googlemail.com"),
    "Microsoft": (
        "hotmail.be",
        "hotmail.co.uk",
        "hotmail.com",
        "hotmail.com.ar",
        "hotmail.com.br",
        "hotmail.de",
        "hotmail.es",
        "hotmail.fr",
        "hotmail.it",
        "hotmail.nl",
        "live.be",
        "live.ca",
        "live.co.uk",
        "live.com",
        "live.com.au",
        "live.de",
        "live.fr",
        "live.it",
        "live.nl",
        "msn.com",
        "outlook.be",
        "outlook.com",
        "outlook.com.br",
        "outlook.de",
        "outlook.es",
        "outlook.fr",
        "outlook.it",
        "passport.com",
    ),
    "Yahoo": (
        "rocketmail.com",
        "yahoo.ca",
        "yahoo.co.id",
        "yahoo.co.in",
        "yahoo.co.jp",
        "yahoo.co.uk",
        "yahoo.com",
        "yahoo.com.ar",
        "yahoo.com.au",
        "yahoo.com.br",
        "yahoo.com.mx",
        "yahoo.de",
        "yahoo.es",
        "yahoo.fr",
        "yahoo.in",
        "yahoo.it",
        "ymail.com",
    ),
}
"""Each name and its aliases, in lower case."""

_NAMES: Final = {alias: name for name, aliases in DOMAINS.items() for alias in aliases}


def name_of(domain: str) -> str:
    """Give the name that a domain is gathered under.

    >>> name_of("aol.de"), name_of("example.com")
    ('AOL', 'Others')
    """
    return _NAMES.get(domain.lower(), OTHERS)
