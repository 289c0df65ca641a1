"""One run at a time, with real processes."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Event

import pytest

from aftersend.database import workflows
from aftersend.database.engine import Database, open_engine
from aftersend.database.workflows import LeaseRequest
from aftersend.errors import Busy
from aftersend.model.enumeration import Severity, WorkflowState
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock, SystemClock
from aftersend.workflow import engine
from aftersend.workflow.definition import Declaration, Definition, register
from aftersend.workflow.engine import RunResult
from aftersend.workflow.lease import Lease
from aftersend.workflow.owner import Owner
from aftersend.workflow.supervision import journal, overview, runs

_TURNS = 12
_WAIT_S = 60


@dataclass(frozen=True)
class _Step:
    do: Callable[[Path], StepReport]
    name: str = "step"
    label: str = "Step"
    simulate: Callable[[Path], StepReport] | None = None


_DECLARATION = Declaration("tracking", "Tracking", "0 * * * *")


def _definition(*steps: Callable[[Path], StepReport], folder: Path = Path()) -> Definition[Path]:
    return Definition(_DECLARATION, [_Step(do) for do in steps], lambda: nullcontext(folder))


def _url(database: Database) -> str:
    return str(database.engine.url)


def _alone(folder: Path) -> StepReport:
    """Enter a room for one; fail if somebody is in it."""
    room = os.open(folder / "room", os.O_CREAT | os.O_EXCL)
    Event().wait(0.002)
    os.close(room)
    (folder / "room").unlink()
    return StepReport("Alone.")


def _wait_for_ever(folder: Path) -> StepReport:
    (folder / "waiting").touch()
    Event().wait()
    return StepReport("Never.")


def _race(url: str, folder: Path) -> None:
    database = Database(open_engine(url))
    done = 0
    while done < _TURNS:
        try:
            result = _run(database, _alone, folder)
        except Busy:
            Event().wait(0.001)
            continue
        result.check()
        done += 1


def _run(database: Database, do: Callable[[Path], StepReport], folder: Path) -> RunResult:
    return engine.run(
        database,
        _definition(do, folder=folder),
        clock=SystemClock(),
        owner=Owner.current(),
        is_forced=True,
    )


def _run_url(url: str, folder: Path) -> None:
    _run(Database(open_engine(url)), _wait_for_ever, folder)


def _start(target: Callable[[str, Path], None], database: Database, folder: Path) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=target, args=(_url(database), folder), daemon=True
    )
    process.start()
    return process


def test_racing_processes_never_run_at_once(database: Database, tmp_path: Path) -> None:
    """Three processes that want the same workflow all get their turns, one at a time.

    Killed by: an UPDATE that takes the lease whoever has it.
    """
    register(database, [_DECLARATION], clock=SystemClock())
    racers = [_start(_race, database, tmp_path) for _ in range(3)]
    for racer in racers:
        racer.join(_WAIT_S)

    states = Counter(run.state for run in runs(database, "tracking"))
    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    assert states == {"finished": 3 * _TURNS}


def test_after_a_kill_the_next_run_takes_over_at_once(database: Database, tmp_path: Path) -> None:
    """SIGKILL leaves a lease and an open run; the next run takes the one and closes the other."""
    register(database, [_DECLARATION], clock=SystemClock())
    victim = _start(_run_url, database, tmp_path)
    _until((tmp_path / "waiting").exists)
    with pytest.raises(Busy) as caught:
        _run(database, _alone, tmp_path)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(_WAIT_S)
    result = _run(database, _alone, tmp_path)

    broken = runs(database, "tracking")[1]
    warnings = journal(database, "tracking", severity=Severity.WARNING)
    assert f" UTC by process {victim.pid} on {os.uname().nodename}; wait" in str(caught.value)
    assert str(caught.value).startswith("The workflow tracking is being run since ")
    assert result.state == "finished"
    assert (broken.state, broken.error) == (
        "failed",
        "The run broke off: its process ended or fell silent.",
    )
    assert [line.text for line in warnings] == [
        f"Run {broken.id} broke off; this run does what it left undone."
    ]


def test_a_second_kill_waits_for_the_schedule(database: Database, clock: ManualClock) -> None:
    """Who takes over moves the next time at once: what kills every run is not tried all day."""
    register(database, [_DECLARATION], clock=clock)
    clock.advance(3600)
    _leave_running(database, clock)
    seen: list[object] = []

    def look(_folder: Path) -> StepReport:
        seen.append(overview(database, "tracking").next_at)
        return StepReport("Looked.")

    engine.run(database, _definition(look), clock=clock, owner=Owner.current()).check()

    assert seen == [clock.now().replace(hour=12)]


def _leave_running(database: Database, clock: ManualClock) -> None:
    dead = replace(Owner.current(), start=1)
    with database.write() as connection:
        run_id = workflows.open_run(connection, "tracking", clock.now())
        until = clock.now() + timedelta(seconds=300)
        request = LeaseRequest("tracking", f"{dead}/{run_id}", clock.now(), until, "", False)
        assert workflows.take_lease(connection, request)


def test_a_silent_run_elsewhere_is_waited_for_until_its_lease_runs_out(
    database: Database, clock: ManualClock
) -> None:
    """A holder on another machine cannot be seen: its time decides, to the second."""
    register(database, [_DECLARATION], clock=clock)
    elsewhere = replace(Owner.current(), host="web2", kernel="other", pid=4711)
    us = Owner.current()
    outcomes: list[str] = []

    def try_now(_folder: Path) -> StepReport:
        for seconds in (299, 1):
            clock.advance(seconds)
            try:
                outcomes.append(run(us).state)
            except Busy as error:
                outcomes.append(str(error))
        return StepReport("Tried.")

    def run(owner: Owner, *steps: Callable[[Path], StepReport]) -> RunResult:
        return engine.run(
            database,
            _definition(*steps),
            clock=clock,
            owner=owner,
            is_forced=True,
        )

    lost = run(elsewhere, try_now, _fail_if_reached)

    last = overview(database, "tracking")
    assert outcomes == [
        "The workflow tracking is being run since 2026-01-01 10:00:00 UTC by process 4711 on web2;"
        " wait until it has ended.",
        "finished",
    ]
    assert isinstance(lost.failure, Busy)
    assert str(lost.failure) == (
        "Another run of the workflow tracking has taken over, because this one gave no sign of"
        " life for too long."
    )
    assert (last.state, last.is_failed) == (WorkflowState.STARTED, False)
    assert [run.state for run in runs(database, "tracking")] == ["finished", "failed"]


def _fail_if_reached(_folder: Path) -> StepReport:
    raise AssertionError("a step began without the lease")


def test_two_runs_of_one_process_are_two_owners(database: Database, tmp_path: Path) -> None:
    """A run started inside a run of the same process is refused like any other."""
    register(database, [_DECLARATION], clock=SystemClock())

    def again(folder: Path) -> StepReport:
        with pytest.raises(Busy):
            _run(database, _alone, folder)
        return StepReport("Refused.")

    assert _run(database, again, tmp_path).state == "finished"


def test_a_heartbeat_keeps_the_lease_of_a_long_step(database: Database, clock: ManualClock) -> None:
    """While a step works, the lease is renewed behind its back."""
    register(database, [_DECLARATION], clock=clock)
    lease = Lease(database, "tracking", "us/1", 0.03, clock)
    with database.write() as connection:
        request = LeaseRequest("tracking", lease.text, clock.now(), clock.now(), "", False)
        assert workflows.take_lease(connection, request)
    expected = clock.now() + timedelta(seconds=0.03)

    def is_renewed() -> bool:
        with database.read() as connection:
            return workflows.find(connection, "tracking").lease_until == expected

    with lease.kept():
        _until(is_renewed)

    assert is_renewed()


def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(_WAIT_S * 100):
        if is_so():
            return
        Event().wait(0.01)
    raise AssertionError("waited in vain")
