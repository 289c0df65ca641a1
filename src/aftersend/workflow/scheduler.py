"""Running workflows when they are due.

Several schedulers on one database are welcome: the lease lets one of them run a workflow, and the
others find that it is no longer due. Hours missed while none was running are made up for by one
run, not by one each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.errors import AftersendError
from aftersend.model.enumeration import WorkflowState
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger
from aftersend.workflow import engine
from aftersend.workflow.definition import Definition
from aftersend.workflow.engine import RunResult
from aftersend.workflow.owner import Owner

__all__ = ["Scheduler", "due"]

_LOOK_SECONDS: Final = 1.0
_PATIENCE_S: Final = 10.0


def due(database: Database, clock: Clock) -> list[str]:
    """Name the workflows that are started and whose time has come."""
    now = clock.now()
    with database.read() as connection:
        return [
            row.name
            for row in workflows.every(connection)
            if row.state is WorkflowState.STARTED and row.next_at is not None and row.next_at <= now
        ]


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Runs what is due.

    Limits: what could not begin, because another process runs it, is tried again after 10 seconds.
    """

    database: Database
    definitions: Sequence[Definition[Any]]
    clock: Clock
    owner: Owner
    _not_before: dict[str, float] = field(default_factory=dict)

    def run_pending(self) -> list[RunResult]:
        """Run each workflow that is due, once, and come back when all have ended.

        A workflow that fails stops none of the others. Its journal says why; a fault of ours, and
        a database that does not answer, stand in the log.
        """
        try:
            names = set(due(self.database, self.clock))
        except SQLAlchemyError as error:
            logger("scheduler").warning("cannot tell what is due", error=type(error).__name__)
            return []
        pending = [each for each in self.definitions if each.name in names and self._may_try(each)]
        ended = [self._run(each) for each in pending]
        return [result for result in ended if result is not None]

    def loop(self, stop: Event) -> None:
        """Run what is due, and look again each second, until `stop` is set."""
        while not stop.is_set():
            self.run_pending()
            stop.wait(_LOOK_SECONDS)

    def _may_try(self, definition: Definition[Any]) -> bool:
        return self.clock.monotonic() >= self._not_before.get(definition.name, 0.0)

    def _run(self, definition: Definition[Any]) -> RunResult | None:
        try:
            return engine.run(self.database, definition, clock=self.clock, owner=self.owner)
        except AftersendError as error:
            logger("scheduler").info("not run", workflow=definition.name, why=str(error))
        except Exception:  # noqa: BLE001 - the edge: other workflows go on
            logger("scheduler").exception("run broke off", workflow=definition.name)
        self._not_before[definition.name] = self.clock.monotonic() + _PATIENCE_S
        return None
