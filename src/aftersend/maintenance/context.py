"""What the tasks of the cleanup and of the lake's maintenance are given."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from aftersend.database.engine import Database
from aftersend.database.purge import Purging
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId
from aftersend.model.run import StepReport
from aftersend.platform.clock import Clock
from aftersend.settings import PurgeSettings

__all__ = ["POINTS", "Context", "Task"]

POINTS: Final = (
    "batch:deleted",
    "deleted:hits",
    "rejects:removed",
    "hits:computed",
    "hits:frozen",
    "hits:removed",
    "messages:computed",
    "compact:written",
    "lake:joined",
    "lake:vacuumed",
)
"""The moments between two lasting effects of a run, by name; a run may end at any of them."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a run works with.

    `recompute` computes figures of some deliveries that are not frozen; `seen_versions` gives the
    states of the lake from which others will go on. `sending` and `sessions` are the folders of
    sends under way and of sessions of the pages. `pause` waits some seconds between two batches, so
    that others get their turn. `passing` is called with each of `POINTS` that a run comes through;
    what it raises ends the run. `telling` takes how much is done, and of how much.
    """

    database: Database
    lake: Lake
    clock: Clock
    settings: PurgeSettings
    recompute: Callable[[Sequence[DeliveryId]], int]
    seen_versions: Callable[[], Collection[int]]
    sending: Path
    sessions: Path
    pause: Callable[[float], None] = lambda _seconds: None
    passing: Callable[[str], None] = lambda _point: None
    telling: Callable[[int, int], None] = lambda _done, _total: None

    def limit(self, days: int) -> datetime | None:
        """Give the moment before which things are too old; none: they are kept for ever."""
        return self.clock.now() - timedelta(days=days) if days else None

    def purging(self, *, is_dry: bool, total: int = 0) -> Purging:
        """Give what deletes rows in batches, or counts them."""
        done, begun_s = 0, self.clock.monotonic()

        def between(rows: int) -> None:
            nonlocal done, begun_s
            done += rows
            self.telling(done, total)
            self.passing("batch:deleted")
            # As long as the batch took: so half of the time belongs to those who wait.
            self.pause(self.clock.monotonic() - begun_s)
            begun_s = self.clock.monotonic()

        return Purging(self.database, self.settings.batch_rows, is_dry, between)


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a workflow: `work` removes things, or counts them when `is_dry`.

    Shape: `work` takes the context, `is_dry`, and how much a dry run has counted; it gives what it
        removed, or would, by kind. With `is_always` it is done though there is nothing to remove.
    """

    name: str
    label: str
    work: Callable[[Context, bool, int], Mapping[str, int]]
    is_always: bool = False

    def do(self, context: Context) -> StepReport:
        """Remove what is kept no longer."""
        total = sum(self.work(context, True, 0).values())
        is_wanted = self.is_always or total > 0
        return self._report("Removed", self.work(context, False, total) if is_wanted else {})

    def simulate(self, context: Context) -> StepReport:
        """Tell what would be removed, and change nothing."""
        return self._report("Would remove", self.work(context, True, 0))

    def _report(self, verb: str, counts: Mapping[str, int]) -> StepReport:
        found = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
        text = f"{verb} {found}." if found else "Nothing to remove."
        return StepReport(text, details={kind: count for kind, count in counts.items() if count})
