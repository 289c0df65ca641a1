"""A small instance with something of everything that the cleanup removes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, insert, select, update

from aftersend.database import audit, deliveries, schema, workflows
from aftersend.database.audit import AuditEntry
from aftersend.database.deliveries import Check, Exclusion
from aftersend.database.operators import Operator
from aftersend.database.workflows import JournalLine
from aftersend.maintenance import cleanup
from aftersend.maintenance.context import Context, Task
from aftersend.model.enumeration import DeliveryState, FailureReason, Severity
from aftersend.model.ids import DeliveryId, RecipientId
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SystemEntropy
from aftersend.settings import PurgeSettings
from aftersend.tracking import consolidate
from aftersend.web.sessions import SessionStore
from tests.support.tracking import World, make_visited_world, story_sources

__all__ = ["FIGURES", "cleaner", "count", "figures", "full_world", "purge", "simulate", "task"]

FIGURES = (
    schema.delivery_indicator,
    schema.delivery_log_stats,
    schema.delivery_rule_stats,
    schema.tracking_stats,
)
_FOR_EVER = {
    name: 0
    for name in PurgeSettings.model_fields
    if name.endswith("_days") and name != "lake_files_days"
}


def cleaner(
    world: World, passing: Callable[[str], None] = lambda _point: None, /, **days: int
) -> Context:
    """Give the cleanup what it needs; what `days` does not name is kept for ever."""
    for name in ("sending", "sessions"):
        (world.directory / name).mkdir(exist_ok=True)
    settings = PurgeSettings().model_copy(update={**_FOR_EVER, "batch_rows": 2, **days})
    return Context(
        database=world.database,
        lake=world.lake,
        clock=world.clock,
        settings=settings,
        recompute=partial(consolidate.recompute, world.context([])),
        seen_versions=lambda: (),
        sending=world.directory / "sending",
        sessions=world.directory / "sessions",
        passing=passing,
    )


def task(name: str) -> Task:
    """Give a task of the cleanup."""
    return next(each for each in cleanup.TASKS if each.name == name)


def purge(context: Context) -> Mapping[str, StepReport]:
    """Do all tasks of the cleanup in their order."""
    return {each.name: each.do(context) for each in cleanup.TASKS}


def simulate(context: Context) -> Mapping[str, StepReport]:
    """Tell what all tasks of the cleanup would do."""
    return {each.name: each.simulate(context) for each in cleanup.TASKS}


def figures(world: World) -> dict[str, list[Any]]:
    """List all figures of all deliveries, but for when they were computed and whether frozen."""
    left_out = ("computed_at", "lake_version", "is_frozen")
    found = {}
    with world.database.read() as connection:
        for table in FIGURES:
            columns = [each for each in table.columns if each.name not in left_out]
            query = select(*columns).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in connection.execute(query)]
    return found


def count(world: World, table: Table) -> int:
    """Count the rows of a table."""
    with world.database.read() as connection:
        query = select(func.count()).select_from(table)
        return int(connection.execute(query).scalar_one())


def full_world(directory: Path) -> World:
    """Make an instance with hits, messages, and all else that is kept for a time."""
    world = make_visited_world(directory)
    world.run(story_sources())
    _end_deliveries(world)
    world.run([])
    at = world.clock.now()
    with world.database.write() as connection:
        for number in (1, 2, 3):
            owner = DeliveryId(number)
            found = Check(Severity.INFO, "rule", "text")
            deliveries.add_checks(connection, owner, [found] * number)
            excluded = Exclusion(RecipientId(7), "x@example.com", FailureReason.DOUBLE)
            deliveries.add_exclusions(connection, owner, [excluded] * number, at=at)
            audit.write(connection, AuditEntry(at, "delivery", str(number), "create", "ada"))
        _add_history(connection, at)
    _add_files(cleaner(world))
    return world


def _end_deliveries(world: World) -> None:
    at = world.clock.now()
    with world.database.write() as connection:
        connection.execute(
            update(schema.delivery)
            .where(schema.delivery.c.contact_at.is_not(None))
            .values(ended_at=at, analysed_at=at, state=DeliveryState.FINISHED)
        )


def _add_history(connection: Any, at: datetime) -> None:
    workflows.add(connection, name="tracking", label="Tracking", schedule="0 * * * *", next_at=at)
    for state in ("finished", "failed", "finished", "failed", "running"):
        row = {"workflow": "tracking", "started_at": at, "state": state}
        connection.execute(insert(schema.workflow_run).values(row))
        line = JournalLine("tracking", at, "load", Severity.INFO, "text")
        workflows.write_line(connection, line)


def _add_files(context: Context) -> None:
    clock = ManualClock(context.clock.now())
    for hours in (1, 24 * 10_000):
        store = SessionStore(context.sessions, clock, SystemEntropy(), hours)
        store.open(Operator(1, "ada", "stamp"))
    for name in ("1.ledger", "1.lock", "99.answers"):
        (context.sending / name).touch()
