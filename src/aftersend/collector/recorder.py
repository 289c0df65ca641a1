"""Where every hit passes on its way into the spool: within the budget of its address, or not."""

from datetime import datetime

from aftersend.collector.budget import Budget
from aftersend.collector.metrics import Metrics
from aftersend.spool import Writer
from aftersend.spool.writer import Fields

__all__ = ["Recorder"]


class Recorder:
    """Appends the hits that are recorded, and counts those that are left out."""

    def __init__(self, writer: Writer, budget: Budget, metrics: Metrics) -> None:
        """Take an open spool."""
        self._append = writer.append
        self._admits = budget.admits if budget.is_limited else None
        self._metrics = metrics

    def record(self, at: datetime, address: str, hit: Fields) -> bool:
        """Hand a hit to the spool unless `address`, never stored here, has used up its budget."""
        if self._admits is not None and not self._admits(address):
            self._metrics.unrecorded["budget"] += 1
            return False
        self._append(at, hit)
        return True
