"""Numbers without lines: noticed, unless damaged lines stand for them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from aftersend.errors import Corruption
from aftersend.model.ids import ServerId
from aftersend.model.run import StepReport
from aftersend.tracking import inbox
from aftersend.tracking.gaps import Gap, sentences
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.load import load
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import World, line, make_world

ONE = ServerId("1")
HIT = NaiveHit("", naive.START, 1, 2)
BAD = b"damaged\n"


def given(world: World, *entries: int | bytes, first: int, last: int) -> None:
    """Put lines of these numbers, and damaged ones, into the inbox as a stretch."""
    data = b"".join(
        entry if isinstance(entry, bytes) else line(HIT, "1", entry) for entry in entries
    )
    inbox.keep(world.inbox, ONE, Stretch(first, last, f"0x{first:016X}.log", 0, data))


def gaps(report: StepReport) -> Sequence[object]:
    """Read the gaps of a report: first, last, missing."""
    found = report.details.get("gaps", [])
    assert isinstance(found, list)
    return [(gap["first"], gap["last"], gap["missing"]) for gap in found]


@pytest.mark.parametrize(
    ("entries", "first", "last", "expected"),
    [
        ((1, 2, 3), 1, 3, []),
        ((1, BAD, 3), 1, 3, []),
        ((BAD, 2, BAD), 1, 3, []),
        ((1, BAD, BAD, 2, 3), 1, 3, []),
        ((1, 3), 1, 3, [(2, 2, 1)]),
        ((3,), 1, 3, [(1, 2, 2)]),
        ((1,), 1, 3, [(2, 3, 2)]),
        ((1, BAD, 5, 9), 1, 9, [(2, 4, 2), (6, 8, 3)]),
        ((4, 5), 4, 5, [(1, 3, 3)]),
        ((1, 1, 3), 1, 3, []),
    ],
)
def test_missing_numbers_are_told(
    tmp_path: Path,
    entries: Sequence[int | bytes],
    first: int,
    last: int,
    expected: Sequence[tuple[int, int, int]],
) -> None:
    """Each number between the pointer and the last one has a line, a damaged one, or is missing.

    Mutant killed: damaged lines explain nothing.
    """
    world = make_world(tmp_path)
    given(world, *entries, first=first, last=last)

    report = load(world.context([]))

    assert expected == gaps(report)
    missing = sum(gap[2] for gap in expected)
    assert (f"has no lines for {missing} numbers" in report.text) is bool(expected)
    assert report.is_warning or not expected


def test_a_gap_is_told_once(tmp_path: Path) -> None:
    """The next run begins behind it."""
    world = make_world(tmp_path)
    given(world, 1, 4, first=1, last=4)
    load(world.context([]))
    given(world, 5, first=5, last=5)

    assert [] == gaps(load(world.context([])))


def test_many_gaps_are_told_by_the_first_few() -> None:
    """A journal line stays a sentence."""
    found = [Gap(ONE, 2 * n, 2 * n + (n == 1), 1 + (n == 1)) for n in range(1, 8)]

    (text,) = sentences(found)

    assert text == (
        "Tracking server 1 has no lines for 8 numbers: 10x0000000000000002 to 10x0000000000000003,"
        " 10x0000000000000004, 10x0000000000000006, 10x0000000000000008, 10x000000000000000A"
        " and 2 more."
    )


def limited(world: World, rejected_max: int) -> StepReport:
    """Load with a limit of damaged lines."""
    context = world.context([])
    settings = context.settings.model_copy(update={"rejected_max": rejected_max})
    object.__setattr__(context, "settings", settings)
    return load(context)


@pytest.mark.parametrize(("rejected_max", "is_failed"), [(1, True), (2, False), (0, False)])
def test_too_much_damage_fails_the_step(tmp_path: Path, rejected_max: int, is_failed: bool) -> None:
    """Beyond the limit the step fails, with all that it has loaded; 0 is no limit.

    Mutant killed: the limit itself is too much.
    """
    world = make_world(tmp_path)
    given(world, 1, BAD, BAD, 4, first=1, last=4)

    report = limited(world, rejected_max)

    assert is_failed is isinstance(report.failure, Corruption)
    assert (4, 2, {"fields": 2}) == (
        report.counts.read,
        report.counts.loaded,
        report.counts.rejected,
    )
    assert 4 == world.lake.pointer(ONE)


def test_what_lies_behind_the_limit_is_loaded_by_the_next_run(tmp_path: Path) -> None:
    """The run ends where too much was damaged; each run begins to count anew."""
    world = make_world(tmp_path)
    world.load_lines_max = 2
    given(world, 1, BAD, first=1, last=2)
    given(world, 3, BAD, first=3, last=4)
    given(world, 5, BAD, first=5, last=6)

    first, second = limited(world, 1), limited(world, 1)

    assert (2, True) == (first.counts.loaded, first.failure is not None)
    assert (1, None) == (second.counts.loaded, second.failure)
    assert 6 == world.lake.pointer(ONE)


def test_what_outsiders_send_is_no_damage(tmp_path: Path) -> None:
    """Hits of unknown messages and links, which anybody can bring about, pause nothing.

    Mutant killed: every rejected line counts.
    """
    world = make_world(tmp_path)
    strange = [line(HIT, "1", number, message_id=99) for number in (1, 2)]
    strange += [line(HIT, "1", number, url_id=99) for number in (3, 4)]
    given(world, *strange, first=1, last=4)

    report = limited(world, 1)

    assert {"unresolved": 2, "unknown_url": 2} == report.counts.rejected
    assert report.failure is None
