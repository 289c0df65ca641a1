"""The enumeration Domains: the names under which figures gather email domains.

Whatever is no alias of a name is gathered as Others. The built-in aliases are where an instance
begins; it may have more of them, and others.
Source: spec §7.0 (Domain grouping).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

__all__ = ["DOMAINS", "OTHERS", "Domains"]

OTHERS: Final = "Others"

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
"""Each name that is built in, and its aliases, in lower case."""

_BUILT_IN: Final = {alias: name for name, aliases in DOMAINS.items() for alias in aliases}


@dataclass(frozen=True, slots=True)
class Domains:
    """The names of an instance in their order, and the name of each domain in lower case."""

    names: Sequence[str] = tuple(DOMAINS)
    aliases: Mapping[str, str] = field(default_factory=lambda: _BUILT_IN)

    def name_of(self, domain: str) -> str:
        """Give the name that a domain is gathered under.

        >>> Domains().name_of("AOL.de"), Domains().name_of("example.com")
        ('AOL', 'Others')
        """
        return self.aliases.get(domain.lower(), OTHERS)

    def of(self, name: str) -> Sequence[str]:
        """List the domains that are gathered under a name; nobody can list the Others."""
        return sorted(alias for alias, one in self.aliases.items() if one == name)

    @property
    def edition(self) -> str:
        """Spell what is gathered how; another text means that figures by domain differ."""
        spelled = "\n".join(f"{alias} {name}" for alias, name in sorted(self.aliases.items()))
        return blake2b(spelled.encode(), digest_size=8).hexdigest()
