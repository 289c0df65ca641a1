"""How far a run has come, and what it would do."""

import pytest

from aftersend.database import audit, workflows
from aftersend.database.engine import Database
from aftersend.errors import InvalidContent
from aftersend.model.run import Counts, StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow import engine, supervision
from aftersend.workflow.definition import Definition, Occasion
from aftersend.workflow.engine import RunResult
from aftersend.workflow.owner import Owner
from tests.support.small_workflow import NAME, SmallStep, SmallWorkflow


@pytest.fixture
def small(database: Database, clock: ManualClock) -> SmallWorkflow:
    """Give a workflow of three steps."""
    return SmallWorkflow(database, clock)


def test_progress_is_written_once_a_second(small: SmallWorkflow) -> None:
    """Whoever watches sees activity, done and total; a step may tell as often as it likes.

    Killed by: writing each time; by never writing again.
    """
    seen: list[tuple[str, int, int]] = []

    def do(occasion: Occasion) -> StepReport:
        for done in range(1, 6):
            occasion.telling(done, 5)
            last = small.seen.last
            assert last is not None
            seen.append((last.activity, last.done, last.total))
            small.clock.advance(0.5)
        return StepReport("Done.")

    small.instead["second"] = do
    small.run()

    assert seen == [("second", done, 5) for done in (1, 1, 3, 3, 5)]
    last = small.seen.last
    assert last is not None
    assert (last.activity, last.done, last.total) == ("third", 0, 0)


def _simulate(small: SmallWorkflow, *steps: SmallStep) -> RunResult:
    definition: Definition[Occasion] = Definition(
        small.declaration,
        steps,
        small.definition.context,  # type: ignore[arg-type]
        small.definition.guard,  # type: ignore[arg-type]
    )
    return engine.run(
        small.database,
        definition,
        clock=small.clock,
        owner=Owner.current(),
        is_simulated=True,
        operator="ann",
    )


def _never(_occasion: Occasion) -> StepReport:
    raise AssertionError("a simulation did something")


def test_a_simulation_tells_and_does_nothing(small: SmallWorkflow) -> None:
    """Steps tell what they would do; one that cannot is left out; the workflow stays as it was.

    Killed by: doing the step; by a simulation that counts as the run of its hour.
    """
    small.clock.advance(3600)
    before = small.seen.row
    counts = Counts(read=2, loaded=2)
    tells = SmallStep("first", _never, lambda _: StepReport("Would load 2 lines.", counts))
    result = _simulate(small, tells, SmallStep("second", _never))

    lines = reversed(supervision.journal(small.database, NAME, run=result.run_id))
    assert (result.state, result.counts.read) == ("finished", 2)
    assert [line.text for line in lines][1:3] == [
        "Would load 2 lines.",
        "Left out: this activity cannot be simulated.",
    ]
    assert small.seen.row == before
    with small.database.read() as connection:
        assert workflows.last_finished(connection, NAME) is None
        (entry,) = audit.entries(connection, entity="workflow")
    assert (entry.action, entry.operator) == ("simulate", "ann")
    assert small.look() == ["first", "second", "third"]


def test_a_simulation_that_fails_pauses_nothing(small: SmallWorkflow) -> None:
    """What went wrong stands in its run; the workflow is not failed."""

    def fail(_occasion: Occasion) -> StepReport:
        raise InvalidContent("no")

    before = small.seen.row
    result = _simulate(small, SmallStep("first", _never, fail))

    assert (result.state, small.seen.row) == ("failed", before)
