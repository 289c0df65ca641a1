"""How far a run has come, for who watches it."""

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["Progress"]

_SECONDS_BETWEEN = 1.0


@dataclass(slots=True)
class Progress:
    """Writes into the row of a run which activity it has come to, and how much of it is done.

    Limits: figures are written once a second at most, so the last ones may stand nowhere. Not to
        be told anything inside a transaction that writes: it would wait for itself.
    """

    database: Database
    clock: Clock
    run_id: int
    activity: str = ""
    told_at: float = float("-inf")

    def enter(self, activity: str) -> None:
        """Say that the run has come to another activity."""
        self.activity = activity
        self._write(0, 0)
        self.told_at = float("-inf")

    def tell(self, done: int, total: int) -> None:
        """Say how much of the activity is done, and of how much; 0: nobody knows."""
        now = self.clock.monotonic()
        if now - self.told_at >= _SECONDS_BETWEEN:
            self.told_at = now
            self._write(done, total)

    def _write(self, done: int, total: int) -> None:
        try:
            with self.database.write() as connection:
                workflows.tell(
                    connection, self.run_id, activity=self.activity, done=done, total=total
                )
        except SQLAlchemyError as error:
            # Nobody's data depend on it.
            logger("workflow").warning("progress not told", error=type(error).__name__)
