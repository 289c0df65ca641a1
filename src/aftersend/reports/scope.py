"""What a report is about."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from aftersend.database import figures, user_agents, workflows
from aftersend.database.engine import Database
from aftersend.database.figures import DeliveryFigures
from aftersend.lake.machines import Rules
from aftersend.lake.measure import MEASURES
from aftersend.model.ids import DeliveryId
from aftersend.settings import Settings

__all__ = ["Scope", "as_of", "chosen", "rules_of"]

_TRACKING = "tracking"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which deliveries, which of their hits, and what counts.

    `deliveries`: none named means all that were begun to be sent, in the period if there is one.
    `since`, `until`: of every delivery only the hits from `since` on and before `until` count.
    `is_all_hits`: machines, suspects and repeats count, too; seed addresses never do.
    `rules`: by which the others are told from people; those of an instance: `rules_of`.
    """

    deliveries: Collection[DeliveryId] | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_all_hits: bool = False
    rules: Rules = field(default_factory=Rules)

    @property
    def is_consolidated(self) -> bool:
        """Tell whether what consolidation wrote down answers; else the hits must be read."""
        return self.since is None and self.until is None and not self.is_all_hits


def rules_of(database: Database, settings: Settings) -> Rules:
    """Give the rules about machines of an instance, with its windows and its user agents."""
    with database.read() as connection:
        agents = user_agents.by_rule(connection)
    return Rules.of(
        settings.machines, open_repeat_s=settings.tracking.dedup_open_period_s, agents=agents
    )


def chosen(connection: Connection, scope: Scope) -> list[DeliveryFigures]:
    """Give the deliveries of a scope with their counters.

    Raises:
        NotFound: one that is named does not exist.
    """
    reactions = tuple(MEASURES)
    if scope.deliveries is None:
        return figures.contacted(
            connection, since=scope.since, until=scope.until, reactions=reactions
        )
    return figures.of_deliveries(connection, sorted(scope.deliveries), reactions=reactions)


def as_of(
    connection: Connection, deliveries: Collection[DeliveryFigures], *, is_consolidated: bool = True
) -> datetime | None:
    """Tell up to when every hit is in the figures: when the last finished run of Tracking began.

    Where none has finished, when the figures were computed; where that never was, none. Where hits
    wait to be counted, when the earliest of them may have happened, or else when the figures were
    computed that do without them: unless the hits themselves were read, not what consolidation
    wrote down.
    """
    at = workflows.last_finished(connection, _TRACKING)
    computed = [one.computed_at for one in deliveries if one.computed_at is not None]
    at = at or max(computed, default=None)
    waits = [one for one in deliveries if one.pending and is_consolidated]
    waiting = [one.pending_from or one.computed_at for one in waits]
    return min((moment for moment in (at, *waiting) if moment is not None), default=None)
