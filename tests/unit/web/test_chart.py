"""Opens and clicks over time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.database.activity import Period
from aftersend.model.enumeration import UrlType
from aftersend.web.chart import BARS_MAX, bars

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARIS, KOLKATA = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")


def _opens(*starts: datetime) -> list[Period]:
    return [Period(start, UrlType.OPEN, 1) for start in sorted(starts)]


def test_nothing_gives_no_bars() -> None:
    """Without hits there are neither times nor series."""
    assert bars([], UTC, period_s=300) == {"times": [], "series": [], "step": ""}


@pytest.mark.parametrize(
    ("hours", "step"),
    [(1, "5 minutes"), (10, "15 minutes"), (60, "hour"), (24 * 60, "day"), (24 * 300, "week")],
)
def test_bars_are_as_long_as_the_whole_allows(hours: int, step: str) -> None:
    """The longer the time, the longer the bars."""
    drawn = bars(_opens(START, START + timedelta(hours=hours)), UTC, period_s=300)

    assert drawn["step"] == step
    assert len(drawn["times"]) <= BARS_MAX


def test_bars_without_hits_are_drawn_as_well() -> None:
    """Time goes on where nothing happens."""
    drawn = bars(_opens(START, START + timedelta(minutes=15)), UTC, period_s=300)

    assert drawn["times"] == ["03-01 12:00", "03-01 12:05", "03-01 12:10", "03-01 12:15"]
    assert drawn["series"][0]["values"] == [1, 0, 0, 1]
    assert drawn["series"][1]["values"] == [0, 0, 0, 0]


def test_bars_are_no_shorter_than_what_was_consolidated() -> None:
    """Counts by the hour are not drawn by the minute."""
    drawn = bars(_opens(START, START + timedelta(hours=2)), UTC, period_s=3600)

    assert drawn["step"] == "hour"


def test_days_are_those_of_the_zone() -> None:
    """A hit at 23:30 UTC belongs to the next day in Paris."""
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    drawn = bars(_opens(late, late + timedelta(days=10)), PARIS, period_s=300)

    assert drawn["times"][0] == "2026-03-02"


def test_hours_are_those_of_the_zone() -> None:
    """Where clocks are half an hour off, bars begin on the local hour."""
    drawn = bars(_opens(START, START + timedelta(hours=30)), KOLKATA, period_s=300)

    assert drawn["times"][0] == "03-01 17:00"


def test_a_short_day_keeps_its_hits() -> None:
    """On the day when clocks go forward, 23 hours make one day."""
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    hours = [midnight + timedelta(hours=hour) for hour in range(23 + 24 * 5)]
    drawn = bars(_opens(*hours), PARIS, period_s=300)

    assert drawn["times"][0] == "2026-03-29"
    assert drawn["series"][0]["values"] == [23, 24, 24, 24, 24, 24]


@given(
    st.lists(st.integers(0, 60 * 24 * 900), min_size=1, max_size=30),
    st.sampled_from([UTC, PARIS, KOLKATA]),
    st.sampled_from([60, 300, 3600, 86_400]),
)
def test_no_hit_is_lost(minutes: list[int], tz: ZoneInfo, period_s: int) -> None:
    """Whatever the span, the zone and the period, bars add up to the hits.

    Killed: a range that ends before the last bar; a floor that forgets the offset of the zone.
    """
    drawn = bars(_opens(*(START + timedelta(minutes=m) for m in minutes)), tz, period_s=period_s)

    assert sum(drawn["series"][0]["values"]) == len(minutes)
    assert len(drawn["times"]) == len(set(drawn["times"]))
