"""The technical workflows that there are.

To add one: declare it in `declarations`, and define it in `technical`, whose imports are late.

Source: spec §5, §9.2.
"""

from collections.abc import Sequence
from typing import Any, Final

from aftersend.settings import Settings
from aftersend.workflow.definition import Declaration, Definition
from aftersend.workflow.surroundings import Surroundings

__all__ = ["CLEANUP", "CLEANUP_PAUSED", "LAKE_MAINTENANCE", "TRACKING", "declarations", "technical"]

TRACKING: Final = "tracking"
CLEANUP: Final = "cleanup"
LAKE_MAINTENANCE: Final = "lakeMaintenance"
CLEANUP_PAUSED: Final = "cleanupPausedWorkflows"


def declarations(settings: Settings) -> Sequence[Declaration]:
    """Say what they are called and when they run; their steps bring much along, this nothing."""
    return (
        Declaration(
            TRACKING, "Tracking", settings.tracking.schedule, lease_s=settings.tracking.lease_s
        ),
        Declaration(CLEANUP, "Cleanup", settings.purge.schedule),
        Declaration(LAKE_MAINTENANCE, "Lake maintenance", settings.purge.lake_schedule),
        Declaration(CLEANUP_PAUSED, "Paused workflows", settings.supervision.paused_schedule),
    )


def technical(given: Surroundings) -> Sequence[Definition[Any]]:
    """Define all of them, ready to run."""
    from aftersend.workflow.paused import cleanup_paused
    from aftersend.workflow.tracking import tracking
    from aftersend.workflow.upkeep import cleanup, lake_maintenance

    known = {each.name: each for each in declarations(given.settings)}
    return (
        tracking(known[TRACKING], given),
        cleanup(known[CLEANUP], given),
        lake_maintenance(known[LAKE_MAINTENANCE], given),
        cleanup_paused(known[CLEANUP_PAUSED], given),
    )
