"""The technical workflows that there are.

Source: spec §5; architecture, "The road of a click".
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from aftersend.settings import TrackingSettings
from aftersend.tracking.steps import STEPS, Context
from aftersend.workflow.definition import Definition

__all__ = ["TRACKING", "technical"]

TRACKING: Final = "tracking"


def technical(settings: TrackingSettings) -> tuple[Definition[Context], ...]:
    """Declare them, with the schedule and the lease of the settings."""
    tracking = Definition(
        name=TRACKING,
        label="Tracking",
        schedule=settings.schedule,
        steps=STEPS,
        lease_s=settings.lease_s,
        guard=_guard,
    )
    return (tracking,)


def _guard(context: Context, check: Callable[[], None]) -> Context:
    def passing(point: str) -> None:
        check()
        context.passing(point)

    return replace(context, passing=passing)
