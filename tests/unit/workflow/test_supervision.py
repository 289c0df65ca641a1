"""What people do with workflows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from aftersend.database import audit, workflows
from aftersend.database.engine import Database
from aftersend.errors import Busy, InvalidContent, InvalidInput, InvalidSettings, NotFound
from aftersend.model.enumeration import WorkflowState
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.workflow import supervision
from aftersend.workflow.definition import Occasion, register
from tests.support.small_workflow import NAME, SmallWorkflow

_ALL = ["first", "second", "third"]


@pytest.fixture
def small(database: Database, clock: ManualClock) -> SmallWorkflow:
    """Give a workflow of three steps, at ten, due at eleven."""
    return SmallWorkflow(database, clock)


def _act(small: SmallWorkflow, action: Callable[..., Any], *given: object, **named: object) -> Any:
    return action(small.database, NAME, *given, operator="ann", clock=small.clock, **named)


def _during(
    small: SmallWorkflow, action: Callable[..., Any], **named: object
) -> Callable[[Occasion], StepReport]:
    """Do something to the workflow while a step of it runs, then pass a point."""

    def do(occasion: Occasion) -> StepReport:
        _act(small, action, **named)
        occasion.check()
        return StepReport("Done.")

    return do


def _fail(_occasion: Occasion) -> StepReport:
    raise InvalidContent("no")


def _audited(small: SmallWorkflow) -> list[tuple[str, str]]:
    with small.database.read() as connection:
        entries = audit.entries(connection, entity="workflow", name=NAME)
    return [(entry.action, entry.operator) for entry in reversed(entries)]


def _journal(small: SmallWorkflow) -> list[str]:
    return [line.text for line in reversed(supervision.journal(small.database, NAME))]


def test_a_pause_lets_the_activity_end_and_resuming_goes_on_behind_it(small: SmallWorkflow) -> None:
    """Nothing is done twice and nothing is left out, and the hour that follows does all.

    Killed by: a pause that ends the activity; by resuming at the first.
    """
    small.instead["second"] = _during(small, supervision.pause)
    result = small.run()
    seen = small.seen
    del small.instead["second"]
    while_paused = small.look()
    _act(small, supervision.resume)
    resumed = small.look()
    small.clock.advance(3600)

    assert (result.state, small.done[:2]) == ("stopped", ["first", "second"])
    assert (seen.state, seen.row.resume_at) == (WorkflowState.PAUSED, "third")
    assert (while_paused, resumed, small.look()) == ([], ["third"], _ALL)
    assert _audited(small) == [("pause", "ann"), ("resume", "ann")]


def test_a_stop_ends_the_run_at_its_next_point(small: SmallWorkflow) -> None:
    """The run is closed as stopped; started again, the next run begins with the first activity."""
    small.instead["second"] = _during(small, supervision.stop)
    result = small.run()
    seen = small.seen
    small.clock.advance(7200)
    while_stopped = small.look()
    del small.instead["second"]
    _act(small, supervision.start)

    assert (result.state, result.failure, small.done[:1]) == ("stopped", None, ["first"])
    assert (seen.state, seen.is_failed, seen.row.request) == (WorkflowState.FINISHED, False, "")
    assert (while_stopped, small.look()) == ([], _ALL)
    assert "The run was ended as somebody asked." in _journal(small)


def test_an_unconditional_stop_waits_for_nobody(small: SmallWorkflow) -> None:
    """The run counts as ended at once; it finds that out before its next effect."""
    states: list[tuple[bool, str]] = []

    def do(occasion: Occasion) -> StepReport:
        _act(small, supervision.stop, is_unconditional=True)
        states.append((small.seen.is_running, small.seen.row.lease_owner))
        occasion.check()
        return StepReport("Done.")

    small.instead["second"] = do
    result = small.run()

    last = small.seen.last
    assert last is not None
    assert (states, result.state, small.done) == ([(False, "")], "stopped", ["first"])
    assert (last.state, last.error) == (
        "stopped",
        "The run was stopped unconditionally by ann.",
    )
    assert _audited(small) == [("stop-unconditionally", "ann")]
    assert "The run was ended without asking it." in _journal(small)


def test_a_restart_ends_the_run_and_runs_anew_at_once(small: SmallWorkflow) -> None:
    """The hour is not waited for, and the schedule goes on as it was."""
    small.instead["second"] = _during(small, supervision.restart)
    result = small.run()
    del small.instead["second"]

    assert (result.state, small.done) == ("stopped", ["first"])
    assert small.seen.status == "Start as soon as possible"
    assert (small.look(), small.look()) == (_ALL, [])
    assert small.seen.next_at == small.clock.now().replace(hour=11)


def test_a_restart_after_a_failure_begins_with_the_first(small: SmallWorkflow) -> None:
    """Start resumes at the activity that failed, restart does all of them (spec §5)."""
    small.instead["second"] = _fail
    small.run()
    assert small.seen.row.resume_at == "second"
    del small.instead["second"]
    _act(small, supervision.restart)

    assert (small.seen.is_failed, small.look()) == (False, _ALL)


def test_starting_after_a_failure_resumes_there_and_then_does_what_was_missed(
    small: SmallWorkflow,
) -> None:
    """The rest of the run that failed comes first, then one run makes up for the hours.

    Killed by: a rest that counts as the run of its hour.
    """
    small.instead["second"] = _fail
    small.clock.advance(3600)
    small.look()
    del small.instead["second"]
    small.clock.advance(2 * 3600)
    _act(small, supervision.start)

    assert (small.look(), small.look(), small.look()) == (["second", "third"], _ALL, [])
    assert [occasion.is_scheduled for occasion in small.occasions] == [True, False, True]


def test_the_rest_of_a_run_has_not_seen_what_is_new(small: SmallWorkflow) -> None:
    """Data are up to the last run that looked for new lines, not up to one that did the rest."""
    small.run()
    before = small.clock.now()
    small.clock.advance(600)
    small.instead["second"] = _fail
    small.run()
    del small.instead["second"]
    _act(small, supervision.resume)
    assert small.look() == ["second", "third"]

    with small.database.read() as connection:
        assert workflows.last_finished(connection, NAME) == before


def test_waking_runs_once_though_it_is_paused(small: SmallWorkflow) -> None:
    """What is pending is executed now; the workflow stays paused, and the run tells who asked."""
    _act(small, supervision.pause)
    _act(small, supervision.wake)
    done = small.look(), small.look()

    last = small.seen.last
    assert last is not None
    assert done == (_ALL, [])
    assert (small.seen.state, last.started_by) == (WorkflowState.PAUSED, "ann")
    assert not small.occasions[0].is_scheduled


def test_a_running_or_stopped_workflow_is_not_woken(small: SmallWorkflow) -> None:
    """Nothing else is pending while it runs, and nothing while it is stopped."""
    errors: list[type] = []

    def do(_occasion: Occasion) -> StepReport:
        with pytest.raises(Busy) as caught:
            _act(small, supervision.wake)
        errors.append(caught.type)
        return StepReport("Done.")

    small.instead["first"] = do
    small.run()
    _act(small, supervision.stop)

    assert errors == [Busy]
    with pytest.raises(InvalidInput, match="is stopped: start it"):
        _act(small, supervision.wake)


def test_a_pause_is_taken_back(small: SmallWorkflow) -> None:
    """Paused and resumed while an activity runs, the run goes on to its end."""

    def do(occasion: Occasion) -> StepReport:
        _act(small, supervision.pause)
        asked = small.seen.status
        _act(small, supervision.resume)
        occasion.check()
        return StepReport(asked)

    small.instead["first"] = do
    result = small.run()

    assert (result.state, small.done) == ("finished", _ALL)
    assert "Pause requested" in _journal(small)


@pytest.mark.parametrize("action", [supervision.pause, supervision.resume])
def test_a_stopped_workflow_is_neither_paused_nor_resumed(
    small: SmallWorkflow, action: Callable[..., None]
) -> None:
    """Stopped is stopped, and nothing of the attempt is written down."""
    _act(small, supervision.stop)
    with pytest.raises(InvalidInput, match="is stopped"):
        _act(small, action)

    assert _audited(small) == [("stop", "ann")]


def test_doing_what_is_done_is_not_audited(small: SmallWorkflow) -> None:
    """Starting a started workflow changes nothing, so nothing is told."""
    _act(small, supervision.start)
    _act(small, supervision.resume)

    assert _audited(small) == []


def test_who_ran_a_workflow_by_hand_is_known(small: SmallWorkflow) -> None:
    """The run, the journal and the audit trail name who asked for it."""
    small.run(operator="bob")

    last = small.seen.last
    assert last is not None
    assert (last.started_by, _audited(small)) == ("bob", [("run", "bob")])
    assert any("is being run for bob" in text for text in _journal(small))


def test_history_is_purged_but_for_what_data_are_up_to(small: SmallWorkflow) -> None:
    """The last run that finished stays: freshness is told from it."""
    for _ in range(3):
        small.run()
        small.clock.advance(60)
    with small.database.read() as connection:
        before = workflows.last_finished(connection, NAME)
    count = _act(small, supervision.purge_history)

    with small.database.read() as connection:
        assert workflows.last_finished(connection, NAME) == before
    assert len(supervision.runs(small.database, NAME)) == 1
    assert count > 2
    assert _journal(small) == ["The workflow was freed of its history by ann."]
    assert _audited(small) == [("purge-history", "ann")]


def test_errors_are_ignored_until_there_are_too_many_in_a_row(small: SmallWorkflow) -> None:
    """With the policy ignore it stays started, and is paused by the third; a success forgets.

    Killed by: not setting `errors` back to 0.
    """
    _act(small, supervision.set_error_policy, "ignore", errors_max=3)
    seen = []
    for instead in (_fail, _fail, None, _fail, _fail, _fail):
        small.instead = {"second": instead} if instead else {}
        small.clock.advance(3600)
        small.look()
        seen.append((small.seen.state, small.seen.is_failed, small.seen.row.errors))

    started, paused = WorkflowState.STARTED, WorkflowState.PAUSED
    assert seen == [
        (started, True, 1),
        (started, True, 2),
        (started, False, 0),
        (started, True, 1),
        (started, True, 2),
        (paused, True, 3),
    ]
    assert [alarm.is_paused for alarm in small.alarms] == [False, False]


def test_errors_are_ignored_for_ever(small: SmallWorkflow) -> None:
    """0 errors in a row are none that pause."""
    _act(small, supervision.set_error_policy, "ignore", errors_max=0)
    small.instead["first"] = _fail
    for _ in range(5):
        small.clock.advance(3600)
        small.look()

    assert (small.seen.state, small.seen.row.errors) == (WorkflowState.STARTED, 5)


def test_the_alarm_is_raised_once(small: SmallWorkflow) -> None:
    """A workflow that stays failed is told of once; one that fails anew, again."""
    small.instead["second"] = _fail
    small.run()
    small.run()
    told = [(alarm.activity, alarm.error, alarm.is_paused) for alarm in small.alarms]
    _act(small, supervision.resume)
    small.run()

    assert told == [("second", "no", True)]
    assert len(small.alarms) == 2


def test_what_an_operator_sets_the_settings_do_not_change(small: SmallWorkflow) -> None:
    """A schedule of one's own stays at the next start; that of the settings can be taken again."""
    _act(small, supervision.set_schedule, "daily 04:00")
    register(small.database, [small.declaration], clock=small.clock)
    own = small.seen
    _act(small, supervision.set_schedule, small.schedule, is_own=False)
    register(small.database, [small.declaration], clock=small.clock)

    tomorrow = small.clock.now() + timedelta(days=1)
    assert (own.schedule, own.row.is_schedule_own) == ("daily 04:00", True)
    assert own.next_at == tomorrow.replace(hour=4)
    assert (small.seen.schedule, small.seen.row.is_schedule_own) == ("0 * * * *", False)
    assert _audited(small) == [("schedule", "ann")] * 2


def test_a_schedule_runs_so_many_times(small: SmallWorkflow) -> None:
    """Runs by hand do not count; after the last one there is no next time.

    Killed by: counting each run; by counting none.
    """
    _act(small, supervision.set_schedule, "several every 1h 00:00-23:00 times 2")
    small.run()
    hours = []
    for _ in range(4):
        small.clock.advance(3600)
        hours.append(small.look())

    assert hours == [_ALL, _ALL, [], []]
    assert small.seen.next_at is None


def test_what_cannot_be_set_is_refused(small: SmallWorkflow) -> None:
    """Nothing is changed or written down by what makes no sense."""
    for error, action, given in (
        (InvalidSettings, supervision.set_schedule, ["sometimes"]),
        (InvalidInput, supervision.set_schedule, ["once 2020-01-01T10:00"]),
        (InvalidInput, supervision.set_error_policy, ["hope"]),
        (InvalidInput, supervision.set_history_days, [-1]),
    ):
        with pytest.raises(error):
            _act(small, action, *given)
    with pytest.raises(NotFound):
        supervision.start(small.database, "other", operator="ann", clock=small.clock)

    assert (_audited(small), small.seen.schedule) == ([], "0 * * * *")


def test_history_days_are_kept(small: SmallWorkflow) -> None:
    """The number stands in the row, the change in the audit trail."""
    _act(small, supervision.set_history_days, 7)

    assert (small.seen.row.history_days, _audited(small)) == (7, [("history", "ann")])
