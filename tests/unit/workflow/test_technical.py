"""The technical workflows that there are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from aftersend.database import schema
from aftersend.database.engine import Database
from aftersend.errors import Busy
from aftersend.lake.table import Lake
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.settings import TrackingSettings
from aftersend.tracking.steps import Context
from aftersend.workflow import engine
from aftersend.workflow.definition import Definition, register
from aftersend.workflow.owner import Owner
from aftersend.workflow.technical import TRACKING, technical


@pytest.fixture
def context(database: Database, clock: ManualClock, tmp_path: Path) -> Context:
    """Give what a run of Tracking without any tracking server works with."""
    return Context(
        database=database,
        lake=Lake.open(str(tmp_path / "lake"), options={}, clock=clock),
        sources=(),
        inbox=tmp_path / "inbox",
        clock=clock,
        settings=TrackingSettings(),
    )


def test_tracking_is_declared_with_its_settings() -> None:
    """Schedule and lease come from the settings; the steps are done in their order."""
    (tracking,) = technical(TrackingSettings(schedule="30 * * * *", lease_s=77))

    assert (tracking.name, tracking.label) == (TRACKING, "Tracking")
    assert (tracking.schedule, tracking.lease_s) == ("30 * * * *", 77)
    assert [step.name for step in tracking.steps] == [
        "download",
        "load",
        "attribute",
        "consolidate",
    ]


def test_tracking_runs_though_there_is_nothing_to_do(
    database: Database, clock: ManualClock, context: Context
) -> None:
    """An instance that nobody has visited yet has a run that finishes."""
    (tracking,) = technical(TrackingSettings())
    register(database, [tracking], clock=clock)
    result = engine.run(
        database, tracking, context=context, clock=clock, owner=Owner.current(), is_forced=True
    )
    result.check()

    assert (result.state, result.counts.read) == ("finished", 0)


def test_a_run_that_lost_its_lease_stops_before_its_next_effect(
    database: Database, clock: ManualClock, context: Context
) -> None:
    """Between two lasting effects of one step the run finds that another has taken over."""
    (tracking,) = technical(TrackingSettings())
    passed: list[str] = []

    def do(given: Context) -> StepReport:
        given.passing("load:begun")
        passed.append("first effect")
        _take_over(database)
        given.passing("load:appended")
        passed.append("second effect")
        return StepReport("Done.")

    definition = Definition(TRACKING, "Tracking", "0 * * * *", [_Step(do)], guard=tracking.guard)
    register(database, [definition], clock=clock)
    result = engine.run(
        database, definition, context=context, clock=clock, owner=Owner.current(), is_forced=True
    )

    assert isinstance(result.failure, Busy)
    assert passed == ["first effect"]


class _Step:
    name = "step"
    label = "Step"

    def __init__(self, do: Callable[[Context], StepReport]) -> None:
        self.do = do


def _take_over(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(schema.workflow).values(lease_owner="web2:k:1:1/99"))
