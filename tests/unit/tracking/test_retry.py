"""Lines of messages that become known late: loaded once, or given up."""

from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.model.ids import ServerId
from aftersend.model.run import Counts, StepReport
from aftersend.tracking.load import load
from aftersend.tracking.retry import retry
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import LATE, Visit, World, add_message, keep_lines, make_world

HIT = NaiveHit("", naive.START, 1, 2)
WAITING = Visit(naive.START, "", message_id=LATE, delivery_id=2, url_id=2)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give an instance where one line waits for its message, and one is loaded."""
    world = make_world(tmp_path)
    keep_lines(world, "1", [HIT, WAITING])
    load(world.context([]))
    return world


def tried(world: World) -> StepReport:
    """Do the step, which must add up."""
    report = retry(world.context([]))
    assert report.counts.is_balanced
    return report


def reasons(world: World) -> list[str]:
    """List why lines are rejected."""
    return [row[3] for row in world.rejected()]


def test_a_line_waits_for_its_message(world: World) -> None:
    """While nobody knows the message, the line stays as it is and is counted no second time."""
    before = world.lake.rejected.load().to_pyarrow_table().to_pylist()
    world.clock.advance(3600)

    report = tried(world)

    assert Counts() == report.counts
    assert not report.is_warning
    assert "1 wait on" in report.text
    assert before == world.lake.rejected.load().to_pyarrow_table().to_pylist()


def test_a_line_is_loaded_when_its_message_is_known(world: World) -> None:
    """It is a hit like any other, and no rejected line any more."""
    add_message(world, LATE)

    report = tried(world)

    assert Counts(read=1, loaded=1) == report.counts
    assert ["10x0000000000000001", "10x0000000000000002"] == [hit["log_id"] for hit in world.hits()]
    assert (LATE, 2, 100 + LATE) == tuple(
        world.hits()[1][name] for name in ("message_id", "delivery_id", "recipient_id")
    )
    assert [] == reasons(world)
    assert 2 == world.lake.pointer(ServerId("1"))


def test_a_retry_that_ended_in_between_loads_nothing_twice(world: World) -> None:
    """The hit is there, the line still waits: the next run only takes the line out.

    Mutant killed: hits loaded without a look at their log ids, here and in the lake.
    """

    class Stopped(BaseException):
        pass

    def stop(point: str) -> None:
        if point == "retry:appended":
            raise Stopped

    add_message(world, LATE)
    with pytest.raises(Stopped):
        retry(world.context([], stop))
    assert ["unresolved"] == reasons(world)

    report = tried(world)

    assert Counts(read=1, already=1) == report.counts
    assert 2 == len(world.hits())
    assert [] == reasons(world)


def test_an_old_line_is_given_up_and_told_once(world: World) -> None:
    """After a week it is rejected for good, with the moment of its first rejection.

    Mutant killed: given up without another reason, so told for ever.
    """
    first = world.lake.rejected.load().to_pyarrow_table()["at"].to_pylist()
    world.clock.advance(timedelta(days=7).total_seconds())

    told, again = tried(world), tried(world)
    add_message(world, LATE)
    late = tried(world)

    assert told.is_warning
    assert "1 have waited for 7 days" in told.text
    assert not again.is_warning
    assert Counts() == told.counts == again.counts == late.counts
    assert ["unknown_message"] == reasons(world)
    assert first == world.lake.rejected.load().to_pyarrow_table()["at"].to_pylist()


def test_a_line_may_be_rejected_for_another_reason(tmp_path: Path) -> None:
    """Its message is known by now, but its link is not: it waits no more."""
    world = make_world(tmp_path)
    keep_lines(world, "1", [Visit(naive.START, "", message_id=LATE, delivery_id=2, url_id=77)])
    load(world.context([]))
    add_message(world, LATE)

    report = tried(world)

    assert Counts() == report.counts
    assert ["unknown_url"] == reasons(world)


def test_a_line_behind_the_pointer_is_left_to_loading(tmp_path: Path) -> None:
    """A load that ended before its commit gives it again; a retry before that must not load it.

    Mutant killed: every waiting line tried.
    """

    class Stopped(BaseException):
        pass

    def stop(point: str) -> None:
        if point == "load:rejected":
            raise Stopped

    world = make_world(tmp_path)
    keep_lines(world, "1", [HIT, WAITING])
    with pytest.raises(Stopped):
        load(world.context([], stop))
    add_message(world, LATE)

    early = tried(world)
    load(world.context([]))
    report = tried(world)

    assert Counts() == early.counts
    assert Counts(read=1, loaded=1) == report.counts
    assert 2 == len(world.hits())
