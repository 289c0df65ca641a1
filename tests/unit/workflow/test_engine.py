"""Running a workflow once."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from sqlalchemy.exc import OperationalError

from aftersend.database.engine import Database
from aftersend.errors import (
    Busy,
    Corruption,
    InvalidContent,
    InvalidInput,
    NotFound,
    Transient,
)
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import Counts, StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow import engine
from aftersend.workflow.definition import Declaration, Definition, register
from aftersend.workflow.engine import RunResult
from aftersend.workflow.owner import Owner
from aftersend.workflow.supervision import journal, overview, pause, resume, runs

_DECLARATION = Declaration("tracking", "Tracking", "0 * * * *")


@dataclass(frozen=True)
class _Step:
    name: str
    label: str
    do: Callable[[list[str]], StepReport]
    simulate: Callable[[list[str]], StepReport] | None = None


@dataclass(frozen=True)
class _Workflow:
    """A workflow made of functions, and what it runs on."""

    database: Database
    clock: ManualClock

    def define(self, *steps: Callable[[list[str]], StepReport]) -> Definition[list[str]]:
        named = [_Step(f"step{n}", f"Step {n}", do) for n, do in enumerate(steps, 1)]
        register(self.database, [_DECLARATION], clock=self.clock)
        return Definition(_DECLARATION, named, lambda: nullcontext([]))

    def run(self, *steps: Callable[[list[str]], StepReport], is_forced: bool = True) -> RunResult:
        return engine.run(
            self.database,
            self.define(*steps),
            clock=self.clock,
            owner=Owner.current(),
            is_forced=is_forced,
        )

    def told(self) -> list[tuple[str, Severity, str]]:
        lines = reversed(journal(self.database, "tracking"))
        return [(line.activity, line.severity, line.text) for line in lines][1:]


@pytest.fixture
def workflow(database: Database, clock: ManualClock) -> _Workflow:
    """Give a workflow that is due in an hour."""
    return _Workflow(database, clock)


def _raises(error: BaseException) -> Callable[[list[str]], StepReport]:
    def do(_context: list[str]) -> StepReport:
        raise error

    return do


def _load(_context: list[str]) -> StepReport:
    counts = Counts(read=10, loaded=7, already=2, rejected={"shape": 1}, deliveries=3)
    return StepReport("Loaded 7 of 10 lines.", counts)


def test_steps_are_done_in_order_with_the_context(workflow: _Workflow) -> None:
    """Each step sees what the one before left in the context."""
    seen: list[tuple[str, ...]] = []

    def note(context: list[str]) -> StepReport:
        seen.append(tuple(context))
        context.append(f"{len(context)}")
        return StepReport("Done.")

    workflow.run(note, note, note)

    assert seen == [(), ("0",), ("0", "1")]


def test_a_run_adds_up_and_is_written_down(workflow: _Workflow) -> None:
    """The counts of all steps stand in the result, in the run's row and in the journal."""

    def consolidate(_context: list[str]) -> StepReport:
        workflow.clock.advance(2.5)
        return StepReport("Nothing to warn of, but we do.", is_warning=True)

    result = workflow.run(_load, consolidate)

    total = Counts(read=10, loaded=7, already=2, rejected={"shape": 1}, deliveries=3)
    row = runs(workflow.database, "tracking")[0]
    lines = journal(workflow.database, "tracking", run=result.run_id)
    assert (result.state, result.counts, result.seconds) == ("finished", total, 2.5)
    assert (row.state, row.counts, row.seconds, row.error) == ("finished", total, 2.5, "")
    assert row.ended_at == workflow.clock.now()
    assert workflow.told()[1:] == [
        ("step1", Severity.INFO, "Loaded 7 of 10 lines."),
        ("step2", Severity.WARNING, "Nothing to warn of, but we do."),
        (
            "run",
            Severity.INFO,
            "The workflow is finished: 10 lines read, 7 loaded, 2 loaded before, 1 rejected.",
        ),
    ]
    assert lines[1].details["seconds"] == 2.5
    assert lines[2].details["rejected"] == {"shape": 1}


def test_a_run_that_does_not_add_up_fails(workflow: _Workflow) -> None:
    """A line that was read and is nowhere fails the run and pauses the workflow."""
    result = workflow.run(lambda _: StepReport("Lost one.", Counts(read=3, loaded=2)))

    assert isinstance(result.failure, Corruption)
    assert str(result.failure) == (
        f"run {result.run_id} of the workflow tracking: 3 lines were read, but 2 loaded, 0 loaded"
        " before and 0 rejected make 2."
    )
    assert overview(workflow.database, "tracking").state is WorkflowState.PAUSED


def test_an_error_pauses_the_workflow_and_shows(workflow: _Workflow) -> None:
    """What would fail again stops the workflow; the journal and the run say why."""
    result = workflow.run(_load, _raises(InvalidContent("no")), _raises(AssertionError()))

    seen = overview(workflow.database, "tracking")
    assert (result.state, str(result.failure)) == ("failed", "no")
    assert (seen.state, seen.is_failed) == (WorkflowState.PAUSED, True)
    assert seen.last is not None
    assert (seen.last.state, seen.last.error, seen.last.counts.read) == ("failed", "no", 10)
    assert [line[:2] for line in workflow.told()[-2:]] == [
        ("step2", Severity.ERROR),
        ("run", Severity.WARNING),
    ]
    with pytest.raises(InvalidContent):
        result.check()


def test_a_step_may_fail_with_what_it_has_done(workflow: _Workflow) -> None:
    """Its counts are in the run, its sentence is an error, and the steps behind it are not done."""
    done: list[str] = []

    def fail(_context: list[str]) -> StepReport:
        counts = Counts(read=3, loaded=1, rejected={"shape": 2})
        failure = InvalidInput("Too much is damaged.")
        return StepReport("Loaded 1 of 3.", counts, failure=failure, details={"gaps": 4})

    def never(_context: list[str]) -> StepReport:
        done.append("step3")
        return StepReport("Done.")

    result = workflow.run(_load, fail, never)

    total = Counts(read=13, loaded=8, already=2, rejected={"shape": 3}, deliveries=3)
    row = overview(workflow.database, "tracking")
    lines = journal(workflow.database, "tracking", run=result.run_id)
    assert (result.state, result.counts, done) == ("failed", total, [])
    assert (row.state, row.is_failed) == (WorkflowState.PAUSED, True)
    assert ("step2", Severity.ERROR, "Loaded 1 of 3.") in workflow.told()
    assert [4] == [line.details["gaps"] for line in lines if "gaps" in line.details]


@pytest.mark.parametrize(
    "error",
    [Transient("The server is away."), OperationalError("x", {}, Exception("The server is away."))],
)
def test_a_world_that_is_wrong_for_now_is_tried_again(
    workflow: _Workflow, error: Exception
) -> None:
    """A transient error fails the run; the workflow stays started and its next run clears it."""
    failed = workflow.run(_raises(error))
    seen = overview(workflow.database, "tracking")
    finished = workflow.run(_load)

    assert isinstance(failed.failure, Transient)
    assert "The server is away." in str(failed.failure)
    assert (seen.state, seen.is_failed) == (WorkflowState.STARTED, True)
    assert finished.state == "finished"
    assert not overview(workflow.database, "tracking").is_failed


def test_a_fault_of_ours_is_written_down_and_goes_on_up(workflow: _Workflow) -> None:
    """A bug closes its run as failed, pauses the workflow, gives back the lease, and is raised."""
    with pytest.raises(ZeroDivisionError):
        workflow.run(_raises(ZeroDivisionError("division by zero")))

    seen = overview(workflow.database, "tracking")
    assert (seen.state, seen.is_failed, seen.is_running) == (WorkflowState.PAUSED, True, False)
    assert seen.last is not None
    assert seen.last.error == "A fault in Aftersend: ZeroDivisionError: division by zero"
    assert workflow.run(_load).state == "finished"


def test_ctrl_c_ends_the_run_but_pauses_nothing(workflow: _Workflow) -> None:
    """Who stops the process did not break the workflow."""
    with pytest.raises(KeyboardInterrupt):
        workflow.run(_raises(KeyboardInterrupt()))

    seen = overview(workflow.database, "tracking")
    assert (seen.state, seen.is_failed, seen.is_running) == (WorkflowState.STARTED, True, False)


def test_a_paused_workflow_runs_only_by_force(workflow: _Workflow) -> None:
    """Execute now works while it is paused, and leaves it paused; a scheduled run is refused."""
    workflow.define(_load)
    pause(workflow.database, "tracking", operator="ann", clock=workflow.clock)
    workflow.clock.advance(3600)
    with pytest.raises(InvalidInput) as caught:
        workflow.run(_load, is_forced=False)
    forced = workflow.run(_load)

    assert str(caught.value) == "The workflow tracking is paused: resume it, or execute it now."
    assert forced.state == "finished"
    assert overview(workflow.database, "tracking").state is WorkflowState.PAUSED
    assert len(runs(workflow.database, "tracking")) == 1


def test_resuming_forgets_the_failure(workflow: _Workflow) -> None:
    """A resumed workflow is started and no longer flagged."""
    workflow.run(_raises(InvalidContent("no")))
    resume(workflow.database, "tracking", operator="ann", clock=workflow.clock)

    seen = overview(workflow.database, "tracking")
    assert (seen.state, seen.is_failed) == (WorkflowState.STARTED, False)
    assert workflow.told()[-1] == ("operator", Severity.INFO, "The workflow was resumed by ann.")


def test_a_run_that_is_not_due_is_refused(workflow: _Workflow) -> None:
    """Of two schedulers that saw it due, the second finds it done."""
    workflow.define(_load)
    workflow.clock.advance(3600)
    first = workflow.run(_load, is_forced=False)
    with pytest.raises(Busy) as caught:
        workflow.run(_load, is_forced=False)

    assert first.state == "finished"
    assert str(caught.value) == "The workflow tracking is not due: somebody has just run it."


def test_an_unknown_workflow_is_not_found(workflow: _Workflow) -> None:
    """What was never registered cannot be run."""
    declaration = Declaration("other", "Other", "0 * * * *")
    unknown: Definition[None] = Definition(declaration, (), nullcontext)
    with pytest.raises(NotFound):
        engine.run(workflow.database, unknown, clock=workflow.clock, owner=Owner.current())


def test_a_forced_run_leaves_the_next_hour_alone(workflow: _Workflow) -> None:
    """Executing now at ten does not put off eleven."""
    workflow.run(_load)

    assert overview(workflow.database, "tracking").next_at == workflow.clock.now().replace(hour=11)


def test_an_hour_that_passes_during_a_run_is_made_up_for(workflow: _Workflow) -> None:
    """A run from eleven to half past twelve is followed by one, at once, for twelve."""
    workflow.define(_load)
    workflow.clock.advance(3600)

    def slow(_context: list[str]) -> StepReport:
        workflow.clock.advance(5400)
        return StepReport("Slow.")

    workflow.run(slow, is_forced=False)
    then = overview(workflow.database, "tracking").next_at
    workflow.run(_load, is_forced=False)

    assert then is not None
    assert then.hour == 12
    assert overview(workflow.database, "tracking").next_at == then.replace(hour=13)


def test_a_run_that_finished_has_nothing_to_raise(workflow: _Workflow) -> None:
    """`check` passes for a finished run."""
    result = workflow.run(_load)
    result.check()

    assert result.failure is None
