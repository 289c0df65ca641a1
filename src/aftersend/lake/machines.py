"""The rules about machines: data in one dated file, windows from the settings.

`machines.toml` says what each rule is called, what it is about and why; which user agents meet one;
and in which networks mail security scans links. How the rules work on hits: `counted_log`.

Source: architecture D7; field lessons §0.1, §0.4, §0.5, §3 E.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from importlib import resources
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final, Self, TypeAlias

from aftersend.model.enumeration import Verdict
from aftersend.settings import MachineSettings

__all__ = ["PROXY", "Certainty", "Network", "Rule", "RuleScope", "Rules", "agent_rule", "described"]
__all__ += ["edition", "scanner_networks"]

Network: TypeAlias = IPv4Network | IPv6Network

PROXY: Final = "proxy"
"""What `agent_rule` says of programs that fetch images when a person looks: not a rule."""

_FILE: Final = "machines.toml"
_PERSON: Final = "person"
_CRAWLER: Final = "crawler"
_NO_MACHINES: Final = {"seed": Verdict.HUMAN, "open-repeat": Verdict.REPEAT}


class RuleScope(StrEnum):
    """Which hits a rule is about."""

    ANY = "any"
    OPEN = "open"
    CLICK = "click"


class Certainty(StrEnum):
    """How sure a rule is: certain makes a machine, probable a suspect."""

    CERTAIN = "certain"
    PROBABLE = "probable"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as people read it; `reason` is a sentence, `source` says who has found it out."""

    name: str
    label: str
    scope: RuleScope
    certainty: Certainty
    reason: str
    source: str

    @property
    def verdict(self) -> Verdict:
        """Tell what a hit is that meets the rule."""
        usual = Verdict.MACHINE if self.certainty is Certainty.CERTAIN else Verdict.SUSPECT
        return _NO_MACHINES.get(self.name, usual)


@dataclass(frozen=True, slots=True)
class Rules:
    """By what hits are told apart: windows in seconds, and what is known of user agents.

    `agents` are the numbers of the user agents that meet a rule by their text alone, by its name;
    those of `PROXY` are no machines.
    """

    open_repeat_s: int = 60
    burst_s: float = 1.0
    burst_open_s: int = 60
    honeypot_s: int = 10
    probe_s: int = 10
    off: frozenset[str] = frozenset()
    allow_networks: tuple[str, ...] = ()
    allow_agents: tuple[str, ...] = ()
    agents: Mapping[str, Collection[int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: MachineSettings,
        *,
        open_repeat_s: int = 60,
        agents: Mapping[str, Collection[int]] | None = None,
    ) -> Self:
        """Take the windows of the settings."""
        return cls(
            open_repeat_s=open_repeat_s,
            burst_s=settings.burst_s,
            burst_open_s=settings.burst_open_s,
            honeypot_s=settings.honeypot_s,
            probe_s=settings.probe_s,
            off=frozenset(settings.off),
            allow_networks=settings.allow_networks,
            allow_agents=settings.allow_agents,
            agents=agents or {},
        )

    @property
    def reach_s(self) -> float:
        """Tell how far back, in seconds, a new hit may change the verdict of an older one.

        A hit of the hidden link takes hits before it out; one of those made an older click part of
        a burst; and that burst had an open before it.
        """
        reach = 0.0
        if self.has("honeypot"):
            reach += self.honeypot_s
        if self.has("burst"):
            reach += self.burst_s + (self.burst_open_s if self.has("burst-open") else 0)
        return reach

    @property
    def edition(self) -> str:
        """Spell by what hits are told apart, but for the numbers of user agents.

        Another text means that verdicts may differ: all figures have to be computed anew.
        """
        known = sorted(self.off), sorted(self.allow_networks), sorted(self.allow_agents)
        windows = replace(self, off=frozenset(), allow_networks=(), allow_agents=(), agents={})
        spelled = f"{windows!r} {known!r}".encode()
        digest = blake2b(_bytes() + spelled, digest_size=8).hexdigest()
        return f"{edition()}-{digest}"

    def has(self, rule: str) -> bool:
        """Tell whether a rule is applied."""
        return rule not in self.off


def edition() -> str:
    """Give the date of the file of the rules."""
    return str(_file()["edition"])


@cache
def described() -> Mapping[str, Rule]:
    """Give all rules by name, in the order in which they decide."""
    rows = [
        Rule(**{**row, "scope": RuleScope(row["scope"]), "certainty": Certainty(row["certainty"])})
        for row in _file()["rule"]
    ]
    return {rule.name: rule for rule in rows}


@cache
def scanner_networks() -> Mapping[Network, str]:
    """Give the networks in which mail security scans links, each with its vendor."""
    return {ip_network(text): row["vendor"] for row in _file()["network"] for text in row["ranges"]}


def agent_rule(text: str, allow_agents: Collection[str] = ()) -> str:
    """Tell which rule a user agent meets by its text alone: its name, `PROXY`, or nothing.

    `allow_agents` are texts in any case; what contains one meets no rule.

    >>> agent_rule("WhatsApp/2.23.20.0 A"), agent_rule("Mozilla/5.0"), agent_rule("Lynx/2.9")
    ('crawler', 'apple-privacy', '')
    """
    rule = next((rule for rule, pattern in _agents() if pattern.search(text)), None)
    if rule == PROXY:
        return PROXY
    small = text.casefold()
    if rule == _PERSON or any(one.casefold() in small for one in allow_agents):
        return ""
    if rule is None and any(pattern.search(text) for pattern in _crawlers()):
        return _CRAWLER
    return rule or ""


@cache
def _bytes() -> bytes:
    return resources.files(__package__).joinpath(_FILE).read_bytes()


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(_bytes().decode())


@cache
def _agents() -> list[tuple[str, re.Pattern[str]]]:
    return [(row["rule"], re.compile(row["pattern"])) for row in _file()["agent"]]


@cache
def _crawlers() -> list[re.Pattern[str]]:
    # Only now: it reads a megabyte, and most commands need none of it.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # type: ignore[import-untyped]

    return [re.compile(row["pattern"]) for row in CRAWLER_USER_AGENTS_DATA]
