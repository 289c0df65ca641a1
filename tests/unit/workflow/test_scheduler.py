"""Running workflows when they are due."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event, Thread
from typing import Self

import pytest

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import LeaseRequest
from aftersend.errors import InvalidContent, Transient
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow.definition import Declaration, Definition, register
from aftersend.workflow.owner import Owner
from aftersend.workflow.scheduler import Scheduler, due
from aftersend.workflow.supervision import overview, pause, resume


@dataclass(frozen=True)
class _Step:
    do: Callable[[list[str]], StepReport]
    name: str = "step"
    label: str = "Step"
    simulate: Callable[[list[str]], StepReport] | None = None


@dataclass(frozen=True)
class _Jobs:
    """A scheduler of one workflow that notes the hour of each run."""

    scheduler: Scheduler
    clock: ManualClock
    hours: list[str]

    def pass_hours(self, *hours: float) -> list[str]:
        for count in hours:
            self.clock.advance(count * 3600)
            self.scheduler.run_pending()
        return self.hours


@pytest.fixture
def jobs(database: Database, clock: ManualClock) -> _Jobs:
    """Give a scheduler at ten o'clock."""
    hours: list[str] = []
    return _jobs(database, clock, hours, lambda: hours.append(f"{clock.now():%d %H:%M}"))


def _no_context() -> AbstractContextManager[list[str]]:
    return nullcontext([])


def _jobs(
    database: Database, clock: ManualClock, hours: list[str], note: Callable[[], None]
) -> _Jobs:
    def do(_context: list[str]) -> StepReport:
        note()
        return StepReport("Done.")

    declaration = Declaration("tracking", "Tracking", "0 * * * *")
    definition = Definition(declaration, [_Step(do)], _no_context)
    register(database, [declaration], clock=clock)
    scheduler = Scheduler(database, [definition], clock, Owner.current())
    return _Jobs(scheduler, clock, hours)


def test_a_workflow_runs_every_hour(jobs: _Jobs) -> None:
    """It runs when its hour has come, and not before."""
    assert jobs.pass_hours(0.5, 0.5, 0.5, 0.5) == ["01 11:00", "01 12:00"]


def test_looking_often_runs_nothing_twice(jobs: _Jobs) -> None:
    """A second look at the same moment finds nothing due."""
    assert jobs.pass_hours(1, 0, 0) == ["01 11:00"]


def test_missed_hours_are_made_up_for_once(jobs: _Jobs) -> None:
    """After a night without scheduler there is one run, then the schedule goes on."""
    assert jobs.pass_hours(10.5, 0, 0.4, 0.1) == ["01 20:30", "01 21:00"]


def test_a_paused_workflow_is_not_due(jobs: _Jobs, database: Database) -> None:
    """Nothing runs while it is paused; resumed, what was missed is made up for at once."""
    pause(database, "tracking", operator="ann", clock=jobs.clock)
    while_paused = list(jobs.pass_hours(2.5))
    resume(database, "tracking", operator="ann", clock=jobs.clock)

    assert while_paused == []
    assert due(database, jobs.clock) == ["tracking"]
    assert jobs.pass_hours(0) == ["01 12:30"]


def test_a_transient_failure_is_tried_again_next_hour(
    database: Database, clock: ManualClock
) -> None:
    """A run that failed for now is not repeated before its next time, and is then."""
    jobs = _jobs(database, clock, [], _raising(Transient("away")))
    results = []
    for _ in range(4):
        clock.advance(1800)
        results.append([result.state for result in jobs.scheduler.run_pending()])

    assert results == [[], ["failed"], [], ["failed"]]


def test_a_lasting_failure_is_not_tried_again(database: Database, clock: ManualClock) -> None:
    """A workflow that failed for good waits for a person."""
    jobs = _jobs(database, clock, [], _raising(InvalidContent("no")))
    clock.advance(3600)
    states = [result.state for result in jobs.scheduler.run_pending()]
    clock.advance(3600)

    assert states == ["failed"]
    assert due(database, clock) == []


def test_a_fault_of_ours_does_not_end_the_scheduler(
    database: Database, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug in one workflow is logged and pauses it; the scheduler looks on."""
    jobs = _jobs(database, clock, [], _raising(ZeroDivisionError()))
    clock.advance(3600)
    results = jobs.scheduler.run_pending()

    assert results == []
    assert overview(database, "tracking").is_failed
    assert "run broke off" in capsys.readouterr().out


def test_what_could_not_begin_is_tried_again_after_a_while(
    database: Database, clock: ManualClock
) -> None:
    """While another machine runs it, the scheduler asks again after ten seconds, not each one."""
    jobs = _jobs(database, clock, [], lambda: None)
    asked: list[int] = []
    elsewhere = replace(Owner.current(), host="web2", kernel="other")

    class Noting(Owner):
        def knows_dead(self, other: Self) -> bool:
            asked.append(int(clock.now().timestamp()) % 3600)
            return super().knows_dead(other)

    us = Owner.current()
    scheduler = Scheduler(
        database,
        jobs.scheduler.definitions,
        clock,
        Noting(us.host, us.kernel, us.pid, us.start),
    )
    clock.advance(3600)
    with database.write() as connection:
        until = clock.now() + timedelta(seconds=300)
        request = LeaseRequest("tracking", f"{elsewhere}/7", clock.now(), until, "", False)
        assert workflows.take_lease(connection, request)
    for _ in range(12):
        scheduler.run_pending()
        clock.advance(1)

    assert sorted(set(asked)) == [0, 10]


def test_the_loop_ends_when_told(jobs: _Jobs) -> None:
    """Set the event, and the loop runs what is due no more and comes back."""
    stop = Event()
    jobs.clock.advance(3600)
    thread = Thread(target=jobs.scheduler.loop, args=(stop,))
    thread.start()
    for _ in range(500):
        if jobs.hours:
            break
        Event().wait(0.01)
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    assert jobs.hours == ["01 11:00"]


def _raising(error: Exception) -> Callable[[], None]:
    def note() -> None:
        raise error

    return note
