"""Who clicked with what on which day."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings

from aftersend.lake.agent_days import agent_days
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.clock import ManualClock
from tests.support import naive
from tests.support.naive import START, NaiveHit, hit_lists


def lake_of(directory: Path, hits: Sequence[NaiveHit]) -> Lake:
    """Put hits into a lake; link n was followed with user agent n % 2 + 1."""
    lake = Lake.open(str(directory / "lake"), options={}, clock=ManualClock(START))
    rows = naive.table(hits)
    agents = pa.array([hit.url_id % 2 + 1 for hit in hits], pa.int64())
    rows = rows.set_column(rows.schema.get_field_index("agent_id"), "agent_id", agents)
    deliveries = {DeliveryId(hit.delivery_id) for hit in hits}
    lake.append(rows, server=ServerId("1"), last=len(hits) or 1, deliveries=deliveries)
    return lake


@settings(max_examples=6, deadline=None)
@given(hits=hit_lists())
def test_days_are_those_of_a_naive_count(
    tmp_path_factory: pytest.TempPathFactory, hits: list[NaiveHit]
) -> None:
    """Visitors are different recipients and pages clicks, by day and agent, of clicks that count.

    Mutants killed: clicks counted as visitors; visitors of the day added up over user agents.
    """
    hits = [replace(hit, log_id=f"10x{at:016X}") for at, hit in enumerate(hits, start=1)]
    lake = lake_of(tmp_path_factory.mktemp("days"), hits)
    verdicts = naive.classify(hits)
    clicks: defaultdict[tuple[date, int], list[int]] = defaultdict(list)
    for hit in hits:
        if hit.url_type == 1 and verdicts[hit.log_id][2]:
            clicks[hit.at.date(), hit.url_id % 2 + 1].append(hit.message_id)

    rows = agent_days(lake, Rules(), lake.days())

    people = defaultdict[date, set[int]](set)
    for (day, _), found in clicks.items():
        people[day].update(found)
    assert {
        (row["day"], row["agent_id"]): (row["visitors"], row["pages"], row["visitors_of_the_day"])
        for row in rows
    } == {
        (day, agent): (len(set(found)), len(found), len(people[day]))
        for (day, agent), found in clicks.items()
    }
    for day in lake.days():
        alone = agent_days(lake, Rules(), [day])
        assert sorted(map(str, alone)) == sorted(str(row) for row in rows if row["day"] == day)


def test_a_day_without_clicks_has_no_rows(tmp_path: Path) -> None:
    """Opens alone tell of nobody who clicked."""
    lake = lake_of(tmp_path, [NaiveHit("10x1", START, 1, 1)])

    assert [] == agent_days(lake, Rules(), [START.date()])


def test_a_burst_across_midnight_is_one_burst(tmp_path: Path) -> None:
    """What happened the day before makes a click a machine's, and the other way round.

    Mutants killed: hits of the day alone classified; clicks counted that do not count.
    """
    midnight = START.replace(hour=0, minute=0) + timedelta(days=1)
    moments = [(-300, 2), (-300_000, 3), (200, 3), (900_000, 2)]
    hits = [
        NaiveHit(f"10x{at:016X}", midnight + timedelta(milliseconds=ms), 1, url_id)
        for at, (ms, url_id) in enumerate(moments, start=1)
    ]
    lake = lake_of(tmp_path, sorted(hits, key=lambda hit: hit.log_id))

    rows = [agent_days(lake, Rules(), [midnight.date() - timedelta(days=back)]) for back in (1, 0)]

    assert [[(3 % 2 + 1, 1)], [(2 % 2 + 1, 1)]] == [
        [(row["agent_id"], row["pages"]) for row in each] for each in rows
    ]
