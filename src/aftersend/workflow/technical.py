"""The technical workflows that there are.

Source: spec §5, §9.2; architecture, "The road of a click".
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aftersend.settings import TrackingSettings
from aftersend.workflow.definition import Definition, Step

if TYPE_CHECKING:
    from aftersend.tracking.context import Context

__all__ = ["TRACKING", "technical", "tracking"]

TRACKING: Final = "tracking"


def technical(settings: TrackingSettings) -> "tuple[Definition[Context], ...]":
    """Declare all of them, ready to run."""
    from aftersend.tracking.steps import STEPS

    return (tracking(settings, STEPS),)


def tracking(
    settings: TrackingSettings, steps: "Sequence[Step[Context]]" = ()
) -> "Definition[Context]":
    """Declare the Tracking workflow; without `steps`, which take long to import, to register it."""
    return Definition(
        name=TRACKING,
        label="Tracking",
        schedule=settings.schedule,
        steps=steps,
        lease_s=settings.lease_s,
        guard=_guard,
    )


def _guard(context: "Context", check: Callable[[], None]) -> "Context":
    def passing(point: str) -> None:
        check()
        context.passing(point)

    return replace(context, passing=passing)
