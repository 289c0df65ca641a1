"""Runs that somebody starts from a page."""

from threading import Event

import pytest

from aftersend.errors import Busy, Transient
from aftersend.model.run import Counts
from aftersend.web.runner import Runner
from aftersend.workflow.engine import RunResult


def _result(name: str, failure: Transient | None = None) -> RunResult:
    return RunResult(name, 1, "failed" if failure else "finished", Counts(), 0.0, failure)


def test_a_run_goes_on_in_the_background() -> None:
    """Starting a run comes back at once; while it runs, a second one is refused."""
    may_end = Event()

    def run(name: str, _operator: str) -> RunResult:
        assert may_end.wait(10)
        return _result(name)

    runner = Runner(run)
    runner.start("tracking")
    assert runner.is_running("tracking")
    assert not runner.is_running("other")
    with pytest.raises(Busy, match="tracking is running"):
        runner.start("tracking")
    may_end.set()
    runner.close()

    assert not runner.is_running("tracking")
    assert runner.problem("tracking") == ""


def test_a_run_that_failed_says_why() -> None:
    """Both a failure that is told and one that is raised reach the page."""
    told = Runner(lambda name, _operator: _result(name, Transient("The tracking server is away.")))
    told.start("tracking")
    told.close()

    def refuse(_: str, _operator: str) -> RunResult:
        raise Busy("Somebody else runs it.")

    raised = Runner(refuse)
    raised.start("tracking")
    raised.close()

    assert told.problem("tracking") == "The tracking server is away."
    assert raised.problem("tracking") == "Somebody else runs it."


def test_a_fault_of_ours_does_not_vanish() -> None:
    """A run that breaks says so, without inner workings."""

    def run(_: str, _operator: str) -> RunResult:
        raise ZeroDivisionError("inner workings")

    runner = Runner(run)
    runner.start("tracking")
    runner.close()

    assert "fault in Aftersend" in runner.problem("tracking")
    assert "inner workings" not in runner.problem("tracking")
