"""Whatever life does to the Tracking workflow: replay, crash and order change no figure.

Each machine lives random lives of a small instance (`tests.support.tracking_life`) and ends each
with a run by hand; then every line must be accounted for, each hit be in the lake once, and every
consolidated figure be what the reference computes hit by hit.
"""

import shutil
from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from aftersend.lake import late
from aftersend.lake.compaction import compact
from aftersend.model.ids import ServerId
from aftersend.tracking import inbox
from aftersend.tracking.steps import POINTS
from tests.support.effort import examples
from tests.support.tracking_life import KNOWN, SERVERS, Life, shot

# A life takes seconds: what fails is shown as it was found, not made smaller for minutes.
_QUICK = settings(
    max_examples=examples(6),
    stateful_step_count=5,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
_DEEP = settings(_QUICK, max_examples=40, stateful_step_count=20)


class Stopped(BaseException):
    """A run that ends here."""


class Replay(Life):
    """Everything is read twice: files by accident, lines after a pointer was moved back."""

    @rule()
    def read_the_same_files_again(self) -> None:
        """Files that were loaded come back; nothing that lasts changes."""
        copy = self.directory / "copy"

        def keep(point: str) -> None:
            if point == "load:begun":
                shutil.copytree(self.world.inbox, copy, dirs_exist_ok=True)

        self.world.inbox.mkdir(exist_ok=True)
        self.run(passing=keep)
        before = self.lasting()
        lines = sum(path.read_bytes().count(b"\n") for path in copy.rglob("*.lines"))
        shutil.copytree(copy, self.world.inbox, dirs_exist_ok=True)
        shutil.rmtree(copy)
        again = self.run(down=SERVERS)

        assert (again.read, again.already) == (lines, lines)
        assert self.lasting() == before

    @rule(server=st.sampled_from(SERVERS), back=st.integers(1, 12))
    def move_the_pointer_back(self, server: str, back: int) -> None:
        """Lines that were loaded come again; those in the lake are known by their log ids."""
        lake = self.world.lake
        pointer = lake.pointer(ServerId(server))
        inbox.put_aside(self.world.inbox, ServerId(server))
        late.move_pointer(lake, ServerId(server), number=max(0, pointer - back), known=pointer)

    @rule()
    def run_by_hand(self) -> None:
        """Read on."""
        self.settle()

    def lasting(self) -> Any:
        """Give all that lasts, but for when it was done."""
        return self.world.hits(), self.world.rejected(), self.figures()


class Crash(Life):
    """Runs end anywhere."""

    @rule(point=st.sampled_from(POINTS), time=st.integers(1, 3), lines_max=st.integers(1, 9))
    def end_at(self, point: str, time: int, lines_max: int) -> None:
        """End a run at a moment between two lasting effects."""
        passed: Counter[str] = Counter()

        def stop(each: str) -> None:
            passed[each] += 1
            if each == point and passed[each] == time:
                raise Stopped

        try:
            self.run(passing=stop, lines_max=lines_max)
        except Stopped:
            return

    @rule(is_scheduled=st.booleans())
    def run_whole(self, is_scheduled: bool) -> None:
        """Let a run come to its end."""
        self.run(is_scheduled=is_scheduled)


class Order(Life):
    """Lines come late, shuffled, server by server, piece by piece."""

    @rule(
        down=st.sampled_from(("", *SERVERS, SERVERS)),
        upto=st.integers(0, 12),
        lines_max=st.integers(1, 9),
        load_lines_max=st.integers(1, 12),
        is_scheduled=st.booleans(),
    )
    def run_in_part(
        self, down: str, upto: int, lines_max: int, load_lines_max: int, is_scheduled: bool
    ) -> None:
        """Read some of what was written."""
        self.world.load_lines_max = load_lines_max
        self.run(down=down, upto=upto, lines_max=lines_max, is_scheduled=is_scheduled)

    @rule()
    def compute_anew(self) -> None:
        """Recompute everything."""
        self.recompute()

    @rule()
    def join_files(self) -> None:
        """Join the small files of the lake."""
        compact(self.world.lake.hits, before=date(2026, 2, 1))


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_twice_is_once() -> None:
    """Lines and files that come again change nothing.

    Mutant killed: hits behind a pointer that was moved back are appended whatever their log ids.
    """
    run_state_machine_as_test(Replay, settings=_QUICK)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_stopped_anywhere_is_not_stopped() -> None:
    """Runs that end anywhere are made good by the next one; the life below is one of them."""
    run_state_machine_as_test(Crash, settings=_QUICK)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_late_or_shuffled_is_the_same() -> None:
    """Figures are those of the hits, whenever they came; the life below is one of them."""
    run_state_machine_as_test(Order, settings=_QUICK)


def test_a_run_that_ends_before_its_figures_is_made_good() -> None:
    """Hits are in the lake, figures are not yet: the next run counts them.

    Mutant killed: the version of the lake is noted before the figures.
    """
    life = Crash()
    life.write([("1", shot(KNOWN[0], 0, 2)), ("2", shot(KNOWN[1], 5, 1))])
    life.end_at(point="consolidate:counted", time=1, lines_max=4)

    life.teardown()


def test_a_burst_that_comes_later_takes_back_an_open_of_an_older_bucket() -> None:
    """The open counts until the other server's lines are read, which say that a scanner made it.

    Mutant killed: buckets are replaced from the earliest new hit on, however far rules reach back.
    """
    life = Order()
    life.write([("1", shot(KNOWN[0], 118, 1)), ("1", shot(KNOWN[3], 118, 1))])
    life.run()
    life.write([("2", shot(KNOWN[0], 125, 2)), ("2", shot(KNOWN[0], 125.5, 3))])

    life.teardown()


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [Replay, Crash, Order])
def test_longer_lives(machine: type[RuleBasedStateMachine]) -> None:
    """What holds for short lives holds for longer ones."""
    run_state_machine_as_test(machine, settings=_DEEP)
