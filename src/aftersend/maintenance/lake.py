"""Order among the files of the lake: small ones are joined, replaced ones removed, the log cut.

Source: architecture "Data plane".
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aftersend.lake.compaction import compact, joinable
from aftersend.lake.vacuum import clean_log, unneeded, vacuum
from aftersend.maintenance.context import Context, Task

__all__ = ["LOG_DAYS_MIN", "TASKS"]

LOG_DAYS_MIN: Final = 30
"""So long entries of the log are kept, so that people can look up who changed what."""


def _join(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Join small files of past days."""
    today, counts = context.clock.now().date(), dict[str, int]()
    for name, store in (("hits", context.lake.hits), ("rejected lines", context.lake.rejected)):
        if is_dry:
            joined = joinable(store, before=today)
        else:
            joined = compact(store, before=today, passing=context.passing)
            context.passing("lake:joined")
        counts[f"files of {name} by joining them"] = joined.before - joined.after
    return counts


def _vacuum(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Remove files that no state needs."""
    before = context.clock.now() - timedelta(days=context.settings.lake_files_days)
    count = 0
    for store, keep in ((context.lake.hits, context.seen_versions()), (context.lake.rejected, ())):
        if is_dry:
            count += len(unneeded(store, keep=keep, before=before))
        else:
            count += vacuum(store, keep=keep, before=before)
            context.passing("lake:vacuumed")
    return {"files that were replaced": count}


def _clean(context: Context, is_dry: bool, _total: int) -> Mapping[str, int]:
    """Make a checkpoint, and remove entries of the log that nobody needs."""
    days = max(LOG_DAYS_MIN, context.settings.lake_files_days)
    before = context.clock.now() - timedelta(days=days)
    stores = ((context.lake.hits, context.seen_versions()), (context.lake.rejected, ()))
    count = sum(clean_log(store, keep=keep, before=before, is_dry=is_dry) for store, keep in stores)
    return {"entries of the log": count}


TASKS: Final[tuple[Task, ...]] = (
    Task("join", "Join small files", _join),
    Task("vacuum", "Remove replaced files", _vacuum),
    Task("log", "Cut the log", _clean, is_always=True),
)
"""The tasks in their order."""
