"""The rules about machines: data in one dated file, windows from the settings.

Source: architecture D7; field lessons §0.1, §0.4, §0.5, §3 E.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Self

from aftersend.settings import MachineSettings

__all__ = ["Rules"]


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
            agents=agents or {},
        )
