"""Finding runs that nobody works on any more."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import LeaseRequest
from aftersend.model.enumeration import WorkflowState
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow import supervision
from aftersend.workflow.definition import Occasion
from aftersend.workflow.owner import Owner
from aftersend.workflow.scheduler import WATCHDOG_SECONDS
from aftersend.workflow.watchdog import look
from tests.support.small_workflow import NAME, SmallWorkflow

_ALL = ["first", "second", "third"]
_ELSEWHERE = replace(Owner.current(), host="web2", kernel="other", pid=4711)
_DEAD = replace(Owner.current(), start=1)

_VICTIM = """
import sys
from datetime import UTC, datetime
from threading import Event
from aftersend.database.engine import Database, open_engine
from aftersend.platform.clock import ManualClock
from tests.support.small_workflow import SmallWorkflow

def wait(_occasion):
    print("waiting", flush=True)
    Event().wait()

clock = ManualClock(datetime(2026, 1, 1, 10, 0, tzinfo=UTC))
small = SmallWorkflow(Database(open_engine(sys.argv[1])), clock)
small.instead["second"] = wait
small.run(operator="bob")
"""


@pytest.fixture
def small(database: Database, clock: ManualClock) -> SmallWorkflow:
    """Give a workflow of three steps, at ten, due at eleven."""
    return SmallWorkflow(database, clock)


def _leave(small: SmallWorkflow, owner: Owner) -> int:
    """Begin a run and go away; its lease holds for five minutes."""
    now = small.clock.now()
    with small.database.write() as connection:
        run_id = workflows.open_run(connection, NAME, now)
        until = now + timedelta(seconds=300)
        request = LeaseRequest(NAME, f"{owner}/{run_id}", now, until, "", False)
        assert workflows.take_lease(connection, request)
    return run_id


def _states(small: SmallWorkflow) -> list[str]:
    return [run.state for run in reversed(supervision.runs(small.database, NAME))]


def test_a_run_by_hand_that_was_killed_is_made_up_for(small: SmallWorkflow) -> None:
    """SIGKILL a real process in the middle: within 30 seconds the run is closed and done again.

    Killed by: a watchdog that looks only at workflows that are due.
    """
    command = [sys.executable, "-c", _VICTIM, str(small.database.engine.url)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "waiting\n"
        while_alive = small.look(), _states(small)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        done = small.look()

    assert while_alive == ([], ["running"])
    assert done == _ALL
    assert _states(small) == ["failed", "finished"]
    assert small.seen.next_at == small.clock.now().replace(hour=11)


def test_a_lease_that_ran_out_is_waited_for_to_the_second(small: SmallWorkflow) -> None:
    """A machine that cannot be seen is given its time, and no second more."""
    run_id = _leave(small, _ELSEWHERE)
    found = []
    for seconds in (299, 1, 0):
        small.clock.advance(seconds)
        found.append(look(small.database, clock=small.clock, owner=Owner.current()))

    assert found == [[], [run_id], []]
    assert small.look() == _ALL


def test_the_scheduler_looks_every_thirty_seconds(small: SmallWorkflow) -> None:
    """Not at each glance: a look asks the system about processes."""
    scheduler = small.scheduler
    scheduler.run_pending()
    _leave(small, _DEAD)
    seen = []
    for seconds in (WATCHDOG_SECONDS - 1, 1):
        small.clock.advance(seconds)
        scheduler.run_pending()
        seen.append(list(small.done))

    assert seen == [[], _ALL]


def test_what_kills_every_run_is_left_to_the_schedule(small: SmallWorkflow) -> None:
    """The first broken run is made up for at once, the second one in a row is not.

    Killed by: making it due each time.
    """
    _leave(small, _DEAD)
    look(small.database, clock=small.clock, owner=Owner.current())
    first = small.seen.status
    _leave(small, _DEAD)
    with small.database.write() as connection:
        workflows.change(connection, NAME, request="")
    look(small.database, clock=small.clock, owner=Owner.current())
    second = small.seen.status

    assert (first, second) == ("Start as soon as possible", "Started")
    assert small.look() == []


def test_a_paused_workflow_is_not_run_again(small: SmallWorkflow) -> None:
    """Its broken run is closed, and that is all; resumed, it waits for its hour."""
    supervision.pause(small.database, NAME, operator="ann", clock=small.clock)
    run_id = _leave(small, _DEAD)
    found = look(small.database, clock=small.clock, owner=Owner.current())
    supervision.resume(small.database, NAME, operator="ann", clock=small.clock)

    assert (found, small.look(), _states(small)) == ([run_id], [], ["failed"])
    assert (small.seen.state, small.seen.row.lease_owner) == (WorkflowState.STARTED, "")


def test_a_run_that_lives_is_left_alone(small: SmallWorkflow) -> None:
    """While one process works, an older run that was left is closed, and the living one goes on."""

    def do(_occasion: Occasion) -> StepReport:
        with small.database.write() as connection:
            workflows.open_run(connection, NAME, small.clock.now())
        closed = look(small.database, clock=small.clock, owner=Owner.current())
        return StepReport(f"{len(closed)}")

    small.instead["second"] = do
    result = small.run()

    assert result.state == "finished"
    assert _states(small) == ["finished", "failed"]
