"""The workflows that keep an instance small: Cleanup, and Maintenance of the lake.

Source: spec §10.1, §10.2.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Event

from aftersend.database import statistics
from aftersend.maintenance import cleanup as cleaning
from aftersend.maintenance import lake as lake_files
from aftersend.maintenance.context import Context
from aftersend.model.enumeration import WebTrackingMode
from aftersend.tracking import consolidate
from aftersend.tracking.attribute import application
from aftersend.tracking.context import Context as TrackingContext
from aftersend.workflow.definition import Declaration, Definition, Occasion
from aftersend.workflow.surroundings import Surroundings

__all__ = ["cleanup", "context", "guarded", "lake_maintenance", "seen_versions"]


def cleanup(declaration: Declaration, given: Surroundings) -> Definition[Context]:
    """Define the Cleanup workflow, ready to run."""
    return Definition(declaration, cleaning.TASKS, partial(context, given), guarded)


def lake_maintenance(declaration: Declaration, given: Surroundings) -> Definition[Context]:
    """Define the Maintenance of the lake, ready to run."""
    return Definition(declaration, lake_files.TASKS, partial(context, given), guarded)


@contextmanager
def context(given: Surroundings) -> Iterator[Context]:
    """Give what one run works with."""
    tracking = TrackingContext.of(given)
    yield Context(
        database=given.database,
        lake=tracking.lake,
        clock=given.clock,
        settings=given.settings.purge,
        recompute=partial(consolidate.recompute, tracking),
        seen_versions=partial(seen_versions, tracking),
        sending=given.var / "sending",
        sessions=given.var / "sessions",
        pause=_pause,
    )


def guarded(given: Context, occasion: Occasion) -> Context:
    """Let each point that tasks pass ask whether the run goes on."""

    def passing(point: str) -> None:
        occasion.check()
        given.passing(point)

    return replace(given, passing=passing, telling=occasion.telling)


def seen_versions(tracking: TrackingContext) -> Collection[int]:
    """Tell from which states of the lake consolidation and attribution will go on."""
    rules = consolidate.rules(tracking)
    with tracking.database.read() as connection:
        seen = {statistics.consolidated_version(connection, rules)}
    table = tracking.lake.hits.load()
    mode = WebTrackingMode(tracking.web_tracking.mode)
    seen.add(table.transaction_version(application(mode)) or 0)
    return {version for version in seen if version > 0}


def _pause(seconds: float) -> None:
    Event().wait(seconds)
