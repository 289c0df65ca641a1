"""Whose figures wait, and for how long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from aftersend.database import schema
from aftersend.errors import InvalidInput
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.tracking.consolidate import recompute
from aftersend.tracking.steps import STEPS, Context
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import FakeSource, World, make_world, numbered

POINTS = ("consolidate:begun", "consolidate:days", "consolidate:counted", "consolidate:replaced")
DAY_S = 86_400


class Stopped(BaseException):
    """A run that ends here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A world whose figures wait while fewer than half of the hits are new."""

    world: World
    opens: Sequence[NaiveHit]

    def context(self, count: int, *, is_scheduled: bool, **changes: Any) -> Context:
        """Give what a run is given when a server has written the first `count` opens."""
        source = FakeSource(ServerId("1"), list(numbered("1", self.opens[:count])))
        context = self.world.context([source])
        values = {"ignore_percent": 50.0, **changes}
        known = context.settings.model_copy(update=values)
        return replace(context, settings=known, is_scheduled=is_scheduled)

    def run(
        self,
        count: int,
        *,
        is_scheduled: bool = True,
        passing: Callable[[str], None] | None = None,
        **changes: Any,
    ) -> int:
        """Run all steps and tell how many deliveries were computed."""
        context = self.context(count, is_scheduled=is_scheduled, **changes)
        if passing is not None:
            context = replace(context, passing=passing)
        deliveries = 0
        for step in STEPS:
            deliveries += step.do(context).counts.deliveries
        self.world.clock.advance(3600)
        return deliveries

    def row(self) -> Any:
        """Give the indicators of delivery 2."""
        with self.world.database.read() as connection:
            table = schema.delivery_indicator
            return connection.execute(select(table).where(table.c.delivery_id == 2)).one()

    def clicks(self) -> int:
        """Add up the statistics over time of delivery 2."""
        stats = self.world.state()["tracking_stats"]
        return sum(row.total_clicks for row in stats if row.delivery_id == 2)


def scene(directory: Path) -> Scene:
    """Make clicks of a message of delivery 2, an hour apart, each with the time it comes."""
    clicks = [NaiveHit("", naive.START + timedelta(hours=number), 1, 2) for number in range(40)]
    return Scene(make_world(directory), clicks)


def at(number: int) -> datetime:
    """Tell when a click happened."""
    return naive.START + timedelta(hours=number)


def test_few_new_hits_wait_until_they_are_many(tmp_path: Path) -> None:
    """Four hits; then two more, three of seven, and four of eight, which is half.

    What waits is counted nowhere: indicators and statistics over time are of one version.

    Mutants killed: a share of the old hits; waiting hits forgotten when more come.
    """
    here = scene(tmp_path)
    here.run(4)
    begun, seen = here.world.clock.now(), []
    for count in (6, 7, 8):
        computed = here.run(count)
        row = here.row()
        seen.append((computed, row.total_recipient_click, here.clicks(), row.hits, row.pending))
        if count == 6:
            assert (begun, at(4)) == (row.pending_since, row.pending_from)

    assert [(0, 4, 4, 4, 2), (0, 4, 4, 4, 3), (1, 8, 8, 8, 0)] == seen
    assert (None, None) == (here.row().pending_since, here.row().pending_from)


def test_hits_wait_no_longer_than_a_day(tmp_path: Path) -> None:
    """The time counts from when the first of them was found; nothing new is needed then.

    Mutant killed: only deliveries looked at that have new hits.
    """
    here = scene(tmp_path)
    here.run(10)
    found = [here.run(11)]
    here.world.clock.advance(DAY_S - 3601)
    found.append(here.run(11))
    found.append(here.run(11))

    assert ([0, 0, 1], 11, 0) == (found, here.row().total_recipient_click, here.row().pending)


def test_who_asks_does_not_wait(tmp_path: Path) -> None:
    """A run by hand computes what waits and what is new; so does recomputing."""
    here = scene(tmp_path)
    here.run(10)
    here.run(11)
    by_hand = here.run(12, is_scheduled=False)
    counted = here.row().total_recipient_click
    here.run(13)
    waiting = here.row().pending
    recompute(here.world.context([]), [DeliveryId(2)])

    assert (1, 12, 1) == (by_hand, counted, waiting)
    assert (13, 0) == (here.row().total_recipient_click, here.row().pending)
    assert 0 == here.run(13)
    assert (13, 0) == (here.row().hits, here.row().pending)


def test_long_after_its_end_a_delivery_is_computed_on_demand_only(tmp_path: Path) -> None:
    """After validity and its time, hits wait however many and long; without validity they do not.

    Mutant killed: the validity alone ends it.
    """
    here = scene(tmp_path)
    here.run(2)
    with here.world.database.write() as connection:
        connection.execute(update(schema.delivery).values(validity_s=DAY_S))
    within = here.run(20)
    here.world.clock.advance(30 * DAY_S)
    after = [here.run(40), here.run(40)]
    here.world.clock.advance(2 * DAY_S)
    after.append(here.run(40))

    assert (1, [0, 0, 0], 20) == (within, after, here.row().pending)
    with here.world.database.write() as connection:
        connection.execute(update(schema.delivery).values(validity_s=0))
    assert 1 == here.run(40)


def test_nothing_to_wait_for_is_nothing(tmp_path: Path) -> None:
    """0 % brings figures that never wait, and so does a period of 0 seconds."""
    here = scene(tmp_path)
    here.run(10)

    assert 1 == here.run(11, ignore_percent=0.0)
    assert 1 == here.run(12, ignore_period_s=0)


def test_frozen_deliveries_stay_as_they_are(tmp_path: Path) -> None:
    """Not by a run, whoever began it, nor because rules change; named, it is said why not."""
    here = scene(tmp_path)
    here.run(4)
    with here.world.database.write() as connection:
        is_it = schema.delivery_indicator.c.delivery_id == 2
        connection.execute(update(schema.delivery_indicator).where(is_it).values(is_frozen=True))
    before = (here.row(), here.clicks())

    here.run(20)
    here.run(21, is_scheduled=False)
    here.run(21, consolidation_period_s=3600)
    count = recompute(here.world.context([]))
    with pytest.raises(InvalidInput, match=r"^Raw hits were purged, .*: delivery 2\.$"):
        recompute(here.world.context([]), [DeliveryId(1), DeliveryId(2)])

    assert (before, 2) == ((here.row(), here.clicks()), count)


_runs = st.tuples(
    st.integers(0, 6),
    st.sampled_from(["schedule", "schedule", "hand", "recompute"]),
    st.sampled_from([None, *POINTS]),
)


def test_what_is_counted_already_is_not_new(tmp_path: Path) -> None:
    """A run loads a hit and ends; recomputing counts it; the next run finds nothing that waits.

    Mutant killed: hits taken for new that the figures have, because no run has seen them.
    """
    here = scene(tmp_path)
    here.run(10)

    def passing(point: str) -> None:
        if point == "consolidate:begun":
            raise Stopped

    with pytest.raises(Stopped):
        here.run(11, passing=passing)
    recompute(here.world.context([]), [DeliveryId(2)])

    assert 0 == here.run(11)
    assert (11, 0) == (here.row().hits, here.row().pending)


@pytest.mark.long
@settings(max_examples=3, deadline=None)
@example(runs=[(0, "hand", None), (4, "hand", "consolidate:replaced"), (1, "schedule", None)])
@given(runs=st.lists(_runs, min_size=1, max_size=6))
def test_figures_and_what_waits_are_all_there_is(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, str, str | None]]
) -> None:
    """However runs begin and wherever they end: counted and waiting hits are those of the lake."""
    here = scene(tmp_path_factory.mktemp("waiting"))
    count = 1
    here.run(count)
    for more, how, end in runs:
        count += more

        def passing(point: str, end: str | None = end) -> None:
            if point == end:
                raise Stopped

        try:
            if how == "recompute":
                recompute(replace(here.world.context([]), passing=passing), [DeliveryId(2)])
            else:
                here.run(count, is_scheduled=how == "schedule", passing=passing)
        except Stopped:
            pass
    here.run(count)

    row = here.row()
    assert count == row.hits + row.pending
    assert row.hits == row.total_recipient_click == here.clicks()
    assert 2 * row.pending < count
