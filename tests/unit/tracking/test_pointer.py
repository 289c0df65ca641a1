"""Pointers: shown, and moved without a hit lost or doubled."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.database import audit, workflows
from aftersend.errors import Busy, InvalidInput, NotFound
from aftersend.model.enumeration import WorkflowState
from aftersend.model.ids import ServerId
from aftersend.model.logline import log_id
from aftersend.model.run import Counts
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.tracking.pointer import Moved, move, pointers
from aftersend.tracking.rejected import repair
from aftersend.tracking.retry import retry
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import NaiveHit
from tests.support.tracking import (
    LATE,
    FakeSource,
    World,
    add_message,
    line,
    make_world,
    story_sources,
)

ONE = ServerId("1")
HIT = NaiveHit("", naive.START, 1, 2)


def rested(directory: Path) -> World:
    """Make an instance whose workflow is paused."""
    world = make_world(directory)
    with world.database.write() as connection:
        if not workflows.every(connection):
            workflows.add(
                connection,
                name="tracking",
                label="Tracking",
                schedule="0 * * * *",
                next_at=world.clock.now(),
            )
        workflows.change(connection, "tracking", state=WorkflowState.PAUSED.value)
    return world


def loaded(world: World, sources: list[FakeSource]) -> Counts:
    """Download and load, and try what waits again."""
    context = world.context(sources)
    download(context)
    counts = load(context).counts + retry(context).counts
    assert counts.is_balanced
    return counts


def moved(world: World, number: int, server: str = "1", *, is_skipping: bool = False) -> Moved:
    """Move a pointer."""
    to = log_id(ServerId(server), number)
    return move(
        world.context([]), ServerId(server), to, operator="cli:ada", is_skipping=is_skipping
    )


def lasting(world: World) -> dict[str, Any]:
    """Give hits and rejected lines."""
    return {"hits": world.hits(), "rejected": world.rejected()}


def test_pointers_of_all_servers_are_shown(tmp_path: Path) -> None:
    """Of those that have hits, and of those that were only ever asked."""
    world = rested(tmp_path)
    loaded(world, [*story_sources(), FakeSource(ServerId("3"), [])])
    (world.inbox / "3").mkdir()

    found = pointers(world.lake, world.inbox)

    assert [
        ("1", 21, "10x0000000000000015", 21),
        ("2", 8, "20x0000000000000008", 8),
        ("3", 0, "30x0000000000000000", 0),
    ] == [(each.server, each.number, each.log_id, each.highest) for each in found]


@settings(max_examples=examples(8), deadline=None)
@given(data=st.data())
def test_a_pointer_moved_back_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Moved back anywhere, any number of times, and run again: the same lake.

    Mutant killed: hits not looked for by their log ids.
    """
    world = rested(tmp_path_factory.mktemp("moved"))
    world.load_lines_max = data.draw(st.integers(1, 12))
    loaded(world, story_sources())
    before = lasting(world)
    for _ in range(data.draw(st.integers(1, 3))):
        server = data.draw(st.sampled_from("12"))
        moved(world, data.draw(st.integers(0, world.lake.pointer(ServerId(server)))), server)
        sources = story_sources(data.draw(st.integers(1, 5)))
        count = data.draw(st.integers(2, 40))
        loaded(world, [replace(each, lines=each.lines[:count]) for each in sources])
        assert before == lasting(world)

    loaded(world, story_sources())

    assert before == lasting(world)
    assert [21, 8] == [each.number for each in pointers(world.lake, world.inbox)]


def test_lines_that_come_again_count_as_loaded_before(tmp_path: Path) -> None:
    """Good ones and rejected ones; and no number is missing."""
    world = rested(tmp_path)
    first = loaded(world, story_sources())
    moved(world, 0)
    moved(world, 0, "2")

    context = world.context(story_sources())
    download(context)
    report = load(context)

    assert Counts(read=first.read, already=first.read) == report.counts
    assert {} == report.details


def test_what_a_server_has_no_more_is_not_missing(tmp_path: Path) -> None:
    """Moved back further than its spool reaches, numbers that were dealt with are no gap.

    Mutant killed: all numbers behind the pointer wanted.
    """
    world = rested(tmp_path)
    lines = [(number, line(HIT, "1", number)) for number in range(1, 10)]
    loaded(world, [FakeSource(ONE, lines[:7])])
    before = lasting(world)
    moved(world, 0)

    context = world.context([FakeSource(ONE, lines[4:7])])
    download(context)
    report = load(context)

    assert {} == report.details
    assert before == lasting(world)


def test_a_late_line_that_was_loaded_comes_again(tmp_path: Path) -> None:
    """It is no rejected line any more, so its log id must tell."""
    world = rested(tmp_path)
    loaded(world, story_sources())
    add_message(world, LATE)
    assert 2 == loaded(world, []).loaded
    before = lasting(world)

    moved(world, 0)
    loaded(world, story_sources())

    assert before == lasting(world)


def test_a_repaired_line_comes_again(tmp_path: Path) -> None:
    """Its damaged bytes are no rejected line again, because it was loaded.

    Mutant killed: damaged lines that come again are looked for by place only.
    """
    world = rested(tmp_path)
    broken = line(HIT, "1", 2).replace(b"2026-", b"2O26-")
    source = FakeSource(ONE, [(1, line(HIT, "1", 1)), (None, broken), (3, line(HIT, "1", 3))])
    loaded(world, [source])
    repair(world.context([]), line(HIT, "1", 2))
    before = lasting(world)

    moved(world, 0)
    loaded(world, [source])

    assert before == lasting(world)


def test_purged_hits_do_not_come_back(tmp_path: Path) -> None:
    """Lines of days whose raw hits were removed are known, though the lake has them no more."""
    world = rested(tmp_path)
    loaded(world, story_sources())
    first_kept = (naive.START + timedelta(days=30)).date()
    table = world.lake.hits.load()
    world.lake.hits.commit(table, [], transaction=("purge", first_kept.toordinal()), metadata={})
    before = lasting(world)
    moved(world, 0)

    counts = loaded(world, story_sources())

    assert 0 == counts.loaded
    assert before == lasting(world)


def test_a_pointer_moves_forward_only_when_it_is_meant(tmp_path: Path) -> None:
    """The numbers between are never asked for; moved back, they are."""
    world = rested(tmp_path)
    lines = [(number, line(HIT, "1", number)) for number in range(1, 10)]
    loaded(world, [FakeSource(ONE, lines[:2])])

    with pytest.raises(InvalidInput, match="4 numbers would never be asked for"):
        moved(world, 6)
    assert 4 == moved(world, 6, is_skipping=True).skipped
    assert 3 == loaded(world, [FakeSource(ONE, lines)]).loaded
    moved(world, 1)
    assert 4 == loaded(world, [FakeSource(ONE, lines)]).loaded

    assert [log_id(ONE, number) for number in range(1, 10)] == [
        hit["log_id"] for hit in world.hits()
    ]


def test_what_waits_is_put_aside(tmp_path: Path) -> None:
    """Files of the inbox would leave a hole behind the new pointer; their bytes are kept.

    Mutant killed: the inbox left as it is.
    """
    world = rested(tmp_path)
    loaded(world, [FakeSource(ONE, story_sources()[0].lines[:6])])
    download(world.context(story_sources()[:1]))
    waiting = {path.name for path in world.inbox.rglob("*.lines")}

    moved(world, 1)
    loaded(world, story_sources()[:1])

    assert waiting
    assert {f"{name}.aside" for name in waiting} == {
        path.name for path in world.inbox.rglob("*.aside")
    }
    other = rested(tmp_path / "other")
    loaded(other, story_sources()[:1])
    assert other.hits() == world.hits()


def test_a_pointer_rests_while_the_workflow_does_not(tmp_path: Path) -> None:
    """Only of a paused or stopped workflow, which nobody runs."""
    world = rested(tmp_path)
    loaded(world, story_sources())
    for columns, error in (
        ({"state": WorkflowState.STARTED.value}, InvalidInput),
        ({"state": WorkflowState.PAUSED.value, "lease_owner": "host:1/1"}, Busy),
    ):
        with world.database.write() as connection:
            workflows.change(connection, "tracking", **columns)
        with pytest.raises(error):
            moved(world, 1)

    assert 21 == world.lake.pointer(ONE)


def test_only_pointers_of_known_servers_move(tmp_path: Path) -> None:
    """A log id names its server; a server that was never read has no pointer."""
    world = rested(tmp_path)
    loaded(world, story_sources())

    with pytest.raises(NotFound):
        moved(world, 0, "9")
    for text in ("20x0000000000000001", "1", "10x00000000000000zz", "10xFFFFFFFFFFFFFFFF"):
        with pytest.raises(InvalidInput):
            move(world.context([]), ONE, text, operator="")


def test_a_move_is_written_down(tmp_path: Path) -> None:
    """Who, when, from where to where."""
    world = rested(tmp_path)
    loaded(world, story_sources())

    moved(world, 4)

    with world.database.read() as connection:
        (entry,) = audit.entries(connection, entity="pointer")
    assert ("1", "move", "cli:ada") == (entry.name, entry.action, entry.operator)
    assert {
        "from": "10x0000000000000015",
        "to": "10x0000000000000004",
        "skipped": 0,
    } == entry.details
