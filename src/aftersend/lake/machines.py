"""The rules about machines: data in one dated file, windows from the settings.

Source: architecture D7; field lessons §0.1, §0.4, §0.5, §3 E.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Final, Self

from aftersend.settings import MachineSettings

__all__ = ["Rules"]

_FILE: Final = "machines.toml"


@dataclass(frozen=True, slots=True)
class Rules:
    """By what hits are told apart: windows in seconds, and what is known of user agents.

    `agents` are the numbers of the user agents that meet a rule by their text alone, by its name.
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
        plain = replace(self, agents={}, off=frozenset())
        spelled = f"{plain!r} {sorted(self.off)}".encode()
        return blake2b(_file() + spelled, digest_size=8).hexdigest()

    def has(self, rule: str) -> bool:
        """Tell whether a rule is applied."""
        return rule not in self.off


@cache
def _file() -> bytes:
    return resources.files(__package__).joinpath(_FILE).read_bytes()
