"""Running workflows when they are due.

Several schedulers on one database are welcome: the lease lets one of them run a workflow, and the
others find that it is no longer due. Hours missed while none was running are made up for by one
run, not by one each.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.errors import AftersendError
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger
from aftersend.workflow import engine, watchdog
from aftersend.workflow.definition import Definition
from aftersend.workflow.engine import Alarm, RunResult
from aftersend.workflow.owner import Owner

__all__ = ["WATCHDOG_SECONDS", "Scheduler", "due"]

WATCHDOG_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 1.0
_PATIENCE_S: Final = 10.0


def due(database: Database, clock: Clock) -> list[str]:
    """Name the workflows whose time has come, or that somebody wants to be run."""
    with database.read() as connection:
        return workflows.due(connection, clock.now())


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Runs what is due, and looks after runs that broke off; `alarm` hears what became failed.

    Limits: it looks each second, for broken runs every 30 seconds. What could not begin, because
        another process runs it, is tried again after 10 seconds.
    """

    database: Database
    definitions: Sequence[Definition[Any]]
    clock: Clock
    owner: Owner
    alarm: Callable[[Alarm], None] | None = None
    _not_before: dict[str, float] = field(default_factory=dict)
    _looked_at: list[float] = field(default_factory=list)

    def run_pending(self) -> list[RunResult]:
        """Run each workflow that is due, once, and come back when all have ended.

        A workflow that fails stops none of the others. Its journal says why; a fault of ours, and
        a database that does not answer, stand in the log.
        """
        ended = [self._run(each) for each in self._pending()]
        return [result for result in ended if result is not None]

    def loop(self, stop: Event) -> None:
        """Run what is due, side by side, and look again each second, until `stop` is set.

        Comes back when what runs has ended: nobody's hour waits for another workflow's night.
        """
        running: dict[str, Future[RunResult | None]] = {}
        count = max(1, len(self.definitions))
        with ThreadPoolExecutor(max_workers=count, thread_name_prefix="workflow") as threads:
            while not stop.is_set():
                for each in self._pending():
                    if each.name not in running or running[each.name].done():
                        running[each.name] = threads.submit(self._run, each)
                stop.wait(_LOOK_SECONDS)

    def _pending(self) -> list[Definition[Any]]:
        try:
            self._look_after_runs()
            names = set(due(self.database, self.clock))
        except SQLAlchemyError as error:
            logger("scheduler").warning("cannot tell what is due", error=type(error).__name__)
            return []
        now = self.clock.monotonic()
        return [
            each
            for each in self.definitions
            if each.name in names and now >= self._not_before.get(each.name, 0.0)
        ]

    def _look_after_runs(self) -> None:
        now = self.clock.monotonic()
        if self._looked_at and now - self._looked_at[0] < WATCHDOG_SECONDS:
            return
        self._looked_at[:] = [now]
        for run_id in watchdog.look(self.database, clock=self.clock, owner=self.owner):
            logger("scheduler").warning("run broke off", run=run_id)

    def _run(self, definition: Definition[Any]) -> RunResult | None:
        try:
            return engine.run(
                self.database,
                definition,
                clock=self.clock,
                owner=self.owner,
                alarm=self.alarm,
            )
        except AftersendError as error:
            logger("scheduler").info("not run", workflow=definition.name, why=str(error))
        except Exception:  # noqa: BLE001 - the edge: other workflows go on
            logger("scheduler").exception("run broke off", workflow=definition.name)
        self._not_before[definition.name] = self.clock.monotonic() + _PATIENCE_S
        return None
