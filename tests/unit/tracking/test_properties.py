"""What the Tracking workflow keeps whatever happens: replay, crash, order."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aftersend.lake.measure import MEASURES
from aftersend.model.ids import ServerId
from aftersend.model.run import Counts
from aftersend.tracking.steps import POINTS
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import NaiveHit, hit_lists
from tests.support.tracking import (
    STORY,
    STORY_MODE,
    FakeSource,
    World,
    begun_world,
    make_world,
    numbered,
    story_sources,
)


class Stopped(BaseException):
    """A run that ends here."""


def passes(directory: Path) -> tuple[list[str], dict[str, Any]]:
    """Run the story on to its end; give every point that was passed, and what lasts."""
    passed: list[str] = []
    world = begun_world(directory)
    world.run(story_sources(), passed.append)
    return passed, world.state()


def run_to(world: World, sources: Sequence[FakeSource], point: str, time: int) -> None:
    """Run until `point` is passed for the `time`-th time, and end there."""
    left = time

    def stop(passed: str) -> None:
        nonlocal left
        left -= passed == point
        if left == 0:
            raise Stopped

    with pytest.raises(Stopped):
        world.run(sources, stop)


def test_the_story_passes_every_point(tmp_path: Path) -> None:
    """No named moment is left untried by the tests below."""
    passed, _ = passes(tmp_path)

    assert set(POINTS) == set(passed)


def test_a_run_accounts_for_every_line(tmp_path: Path) -> None:
    """Read = loaded + already + rejected, by reason."""
    counts = make_world(tmp_path, STORY_MODE).run(story_sources())

    lines = sum(len(story) for story in STORY.values())
    rejected = {
        "fields": 3,
        "length": 1,
        "unresolved": 2,
        "unknown_url": 1,
        "incomplete_visit": 1,
        "unknown_tag": 1,
    }
    assert Counts(lines, lines - 9, 0, rejected, deliveries=4) == counts


def test_replay_changes_nothing(tmp_path: Path) -> None:
    """The same files loaded again count as loaded before, and nothing that lasts changes.

    Mutant killed: files loaded again whatever the pointer says.
    """
    world = make_world(tmp_path, STORY_MODE)
    kept: list[Path] = []

    def copy(point: str) -> None:
        if point == "load:begun":
            shutil.copytree(world.inbox, tmp_path / "copy", dirs_exist_ok=True)
            kept.extend(world.inbox.rglob("*.lines"))

    first = world.run(story_sources(), copy)
    before = world.state()
    shutil.copytree(tmp_path / "copy", world.inbox, dirs_exist_ok=True)
    again = world.run([])

    assert len(kept) > 3
    assert Counts(read=first.read, already=first.read) == again
    assert before == world.state()


@pytest.mark.long
def test_a_run_that_ends_anywhere_is_made_good_by_the_next(tmp_path: Path) -> None:
    """A run ended at any moment, and the next one, together give what one whole run gives.

    Every moment between two lasting effects is tried, each time that it comes.

    Mutants killed: files removed from the inbox before the commit; the version of the lake noted
    before the statistics; user agents kept after the commit; files removed before the server is
    told.
    """
    passed, expected = passes(tmp_path / "whole")
    begun_world(tmp_path / "begun")
    seen: Counter[str] = Counter()
    for index, point in enumerate(passed):
        seen[point] += 1
        shutil.copytree(tmp_path / "begun", tmp_path / str(index))
        world = make_world(tmp_path / str(index), STORY_MODE)
        sources = story_sources()
        run_to(world, sources, point, seen[point])

        rest = world.run(sources)

        assert expected == world.state(), (point, seen[point])
        assert rest.is_balanced
        assert {source.server: source.acknowledged for source in sources} == {
            ServerId("1"): 21,
            ServerId("2"): 8,
        }, (point, seen[point])


# An example takes seconds: what fails is shown as it was found, not made smaller for minutes.
@settings(
    max_examples=examples(8), deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
@given(data=st.data())
def test_late_and_shuffled_lines_give_the_same_totals(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """However lines spread over servers, runs and requests, the figures are those of the hits.

    Mutants killed: one pointer for all servers; only new hits consolidated; only deliveries that
    were never consolidated; statistics added to; other buckets; buckets replaced from too late on.
    """
    hits = [hit for hit in data.draw(hit_lists()) if hit.url_id != naive.URL_OF_DELIVERY_1]
    split = data.draw(st.lists(st.booleans(), min_size=len(hits), max_size=len(hits)))
    written = {
        server: [
            hit for hit, is_first in zip(hits, split, strict=True) if is_first is (server == "1")
        ]
        for server in "12"
    }
    world = make_world(tmp_path_factory.mktemp("order"))
    for _ in range(data.draw(st.integers(1, 3))):
        world.run(
            [
                FakeSource(
                    ServerId(server),
                    list(numbered(server, story))[: data.draw(st.integers(0, len(story)))],
                    lines_max=data.draw(st.integers(1, 9)),
                    is_down=data.draw(st.booleans()),
                )
                for server, story in written.items()
            ]
        )

    world.run([FakeSource(ServerId(s), list(numbered(s, story))) for s, story in written.items()])

    _assert_figures(world, [hit for server in "12" for hit in _with_ids(server, written[server])])


def _with_ids(server: str, hits: Sequence[NaiveHit]) -> list[NaiveHit]:
    return [
        replace(hit, log_id=f"{server}0x{number:016X}") for number, hit in enumerate(hits, start=1)
    ]


def _assert_figures(world: World, hits: Sequence[NaiveHit]) -> None:
    state = world.state()
    indicators = {row.delivery_id: row._asdict() for row in state["delivery_indicator"]}
    domains = {(row.delivery_id, row.domain): row._asdict() for row in state["delivery_log_stats"]}
    for delivery in set(naive.MESSAGES.values()):
        of_delivery = [hit for hit in hits if hit.delivery_id == delivery]
        expected = naive.measures(of_delivery, MEASURES)
        assert expected == {name: indicators[delivery][name] for name in expected}
    for (delivery, domain), row in domains.items():
        names = ("recipient_open", "recipient_click", "person_click", "opt_out")
        here = [hit for hit in hits if (hit.delivery_id, hit.domain_name) == (delivery, domain)]
        assert naive.measures(here, names) == {name: row[name] for name in names}
    assert naive.buckets(hits, 300) == {
        (row.delivery_id, row.url_id, row.start): row.total_clicks
        for row in state["tracking_stats"]
    }
