"""Days are those of the people who read: field lessons T1 to T3."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aftersend.cli.log import moment
from aftersend.database.activity import Period
from aftersend.errors import InvalidInput
from aftersend.lake.machines import Rules
from aftersend.model.enumeration import UrlType
from aftersend.web.chart import bars
from aftersend.web.display import Zone
from aftersend.web.log_filter import read_filter

PARIS = "Europe/Paris"


def _days_of_page(zone: str, first: str, last: str) -> tuple[datetime | None, datetime | None]:
    """Give the period that a page asks for when both days are chosen in its form."""
    given = {"since": first, "until": last}
    query = read_filter(given, zone=Zone.named(zone), rules=Rules()).query
    return query.since, query.until


def _days_of_command(zone: str, first: str, behind: str) -> tuple[datetime | None, datetime | None]:
    """Give the period of `--since FIRST --until BEHIND --zone ZONE`."""
    return moment(first, zone), moment(behind, zone)


def test_a_hit_in_the_evening_is_of_the_next_day_further_east() -> None:
    """T1: 17:00 UTC is the next local day in UTC+8: in lists, in the chart, in both filters."""
    hit = datetime(2026, 7, 7, 17, tzinfo=UTC)
    zone = Zone.named("Asia/Shanghai")
    later = hit + timedelta(days=10)
    drawn = bars([Period(each, UrlType.OPEN, 1) for each in (hit, later)], zone.tz, period_s=300)

    assert zone.date_time(hit) == "2026-07-08 01:00:00"
    assert drawn["times"][0] == "2026-07-08"
    for since, until in (
        _days_of_page(zone.name, "2026-07-08", "2026-07-08"),
        _days_of_command(zone.name, "2026-07-08", "2026-07-09"),
    ):
        assert since is not None
        assert until is not None
        assert since <= hit < until


@pytest.mark.parametrize(
    ("hit", "is_within"),
    [("2026-07-08T02:23:00Z", True), ("2026-07-07T04:59:59Z", False), ("2026-07-08T05:00Z", False)],
)
def test_a_day_in_chicago_ends_in_the_morning_of_utc(hit: str, is_within: bool) -> None:
    """T2: the report of the 7th includes 02:23Z of the 8th, on pages and on the command line."""
    at = datetime.fromisoformat(hit)
    page = _days_of_page("America/Chicago", "2026-07-07", "2026-07-07")
    assert page == _days_of_command("America/Chicago", "2026-07-07", "2026-07-08")
    assert page[0] is not None
    assert page[1] is not None
    assert (page[0] <= at < page[1]) is is_within


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_the_day_on_which_clocks_change_keeps_its_hits(day: str, hours: int) -> None:
    """T3: it has 23 or 25 bars of an hour, and they add up to its hits."""
    following = f"{datetime.fromisoformat(day) + timedelta(days=1):%Y-%m-%d}"
    since, until = _days_of_page(PARIS, day, day)
    assert since is not None
    assert until is not None
    assert (since, until) == _days_of_command(PARIS, day, following)
    assert until - since == timedelta(hours=hours)

    halves = [since + timedelta(minutes=30 * number) for number in range(2 * hours)]
    # A day before and a day behind make the bars hours.
    around = [since - timedelta(hours=24), *halves, until + timedelta(hours=20)]
    periods = [Period(each, UrlType.OPEN, 3) for each in around]
    drawn = bars(periods, ZoneInfo(PARIS), period_s=300)
    values = drawn["series"][0]["values"]

    assert drawn["step"] == "hour"
    assert values[24 : 24 + hours] == [6] * hours
    assert sum(values) == 3 * len(periods)


def test_a_zone_that_is_none_is_told_in_a_sentence() -> None:
    """A typing error is no traceback."""
    with pytest.raises(InvalidInput, match="There is no time zone 'Mars/Olympus'"):
        moment("2026-07-07", "Mars/Olympus")


def test_a_moment_with_a_zone_keeps_it() -> None:
    """--zone is for those that name none."""
    assert moment("2026-07-07T10:00+02:00", "Asia/Shanghai") == datetime(2026, 7, 7, 8, tzinfo=UTC)
