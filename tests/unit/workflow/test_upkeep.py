"""Cleanup and lake maintenance as workflows: run by the engine, mindful of Tracking."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from aftersend.database import schema, statistics, workflows
from aftersend.errors import InvalidInput
from aftersend.lake.vacuum import clean_log, vacuum
from aftersend.maintenance import cleanup
from aftersend.maintenance.context import Context
from aftersend.model.enumeration import Severity
from aftersend.tracking import consolidate
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.workflow import engine
from aftersend.workflow.definition import Declaration, Definition, register
from aftersend.workflow.owner import Owner
from aftersend.workflow.upkeep import guarded, seen_versions
from tests.support.tracking import begun_world, story_sources
from tests.support.upkeep import cleaner, count, full_world

EVER = datetime(2100, 1, 1, tzinfo=UTC)


def test_a_task_that_fails_stops_those_after_it(tmp_path: Path) -> None:
    """Raw hits cannot go: messages stay too, the journal says where it ended, and nothing is lost.

    Mutant killed: going on with the next task.
    """
    world = full_world(tmp_path / "world")
    world.clock.advance(400 * 86_400)

    def refuse(_deliveries: object) -> int:
        raise InvalidInput("No.")

    @contextmanager
    def context() -> Iterator[Context]:
        given = cleaner(world, tracking_logs_days=360, delivery_logs_days=180, rejects_days=180)
        yield replace(given, recompute=refuse)

    declaration = Declaration("cleanup", "Cleanup", "0 4 * * *")
    register(world.database, [declaration], clock=world.clock)
    result = engine.run(
        world.database,
        Definition(declaration, cleanup.TASKS, context, guarded),
        clock=world.clock,
        owner=Owner.current(),
        is_forced=True,
    )

    assert ("failed", "No.") == (result.state, str(result.failure))
    assert (9, 6) == (count(world, schema.message), count(world, schema.exclusion))
    assert 0 < len(world.hits())
    with world.database.read() as connection:
        lines = workflows.journal(
            connection, "cleanup", severity=Severity.INFO, run_id=result.run_id, limit=100
        )
    done = {line.activity for line in lines if line.text.startswith(("Removed", "Nothing"))}
    assert {"deletedDeliveries", "rejects", "jobLogs", "history"} == done


def test_what_tracking_goes_on_from_is_kept(tmp_path: Path) -> None:
    """After the files and the log were cut, the next run still knows what is new.

    Mutant killed: cutting the log without looking at what is consolidated.
    """
    world = begun_world(tmp_path)
    given = world.context(story_sources())
    keep = seen_versions(given)
    rules = consolidate.rules(given)
    with world.database.read() as connection:
        seen = statistics.consolidated_version(connection, rules)
    assert seen in keep
    world.lake.hits.checkpoint()
    download(given)
    load(given)
    told = world.lake.touched_since(seen)
    assert told

    vacuum(world.lake.hits, keep=keep, before=EVER)
    clean_log(world.lake.hits, keep=keep, before=EVER)

    assert told == world.lake.touched_since(seen)
    assert all(world.lake.hits.load_at(version) is not None for version in keep)
