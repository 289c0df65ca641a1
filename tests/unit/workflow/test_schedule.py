"""When a workflow runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.errors import InvalidSettings
from aftersend.workflow.schedule import Schedule, parse

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SCANNED = 20 * 1440
_NEW_YEAR = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class _Case:
    """The text of a schedule, and a naive answer to whether a minute is one of its moments."""

    text: str
    is_moment: Callable[[datetime], bool]


_quarters = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
_dates = st.dates(date(2026, 1, 1), date(2026, 3, 31))
_weekdays = st.sets(st.integers(0, 6), min_size=1)


def _named(numbers: set[int]) -> str:
    return ",".join(_DAYS[number] for number in sorted(numbers))


@st.composite
def _listed(draw: st.DrawFn) -> _Case:
    hours = draw(st.sets(st.integers(0, 23), min_size=1, max_size=4))
    text = f"several {','.join(f'{hour:02}:00' for hour in hours)}"
    if not draw(st.booleans()):
        return _Case(text, lambda at: at.hour in hours and at.minute == 0)
    days = draw(_weekdays)
    return _Case(
        f"{text} on {_named(days)}",
        lambda at: at.hour in hours and at.minute == 0 and at.weekday() in days,
    )


@st.composite
def _stepped(draw: st.DrawFn) -> _Case:
    first, last = sorted(draw(st.tuples(st.integers(0, 1424), st.integers(0, 1424))))
    step = draw(st.integers(15, 300))

    def is_moment(at: datetime) -> bool:
        minute = at.hour * 60 + at.minute
        return first <= minute <= last and (minute - first) % step == 0

    span = f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"
    return _Case(
        f"several every {step}m {span} on mon-wed,sun",
        lambda at: is_moment(at) and at.weekday() in (0, 1, 2, 6),
    )


@st.composite
def _daily(draw: st.DrawFn) -> _Case:
    clock = draw(_quarters)
    return _Case(f"daily {clock:%H:%M}", lambda at: at.time() == clock)


@st.composite
def _weekly(draw: st.DrawFn) -> _Case:
    clock, days = draw(_quarters), draw(_weekdays)
    return _Case(
        f"weekly {_named(days)} {clock:%H:%M}",
        lambda at: at.time() == clock and at.weekday() in days,
    )


@st.composite
def _monthly(draw: st.DrawFn) -> _Case:
    clock, day = draw(_quarters), draw(st.integers(1, 32))

    def is_moment(at: datetime) -> bool:
        is_last = (at + timedelta(days=1)).month != at.month
        return at.time() == clock and (is_last if day == 32 else at.day == day)

    return _Case(f"monthly {'last' if day == 32 else day} {clock:%H:%M}", is_moment)


@st.composite
def _once(draw: st.DrawFn) -> _Case:
    clock, day = draw(_quarters), draw(_dates)
    moment = datetime.combine(day, clock, UTC)
    return _Case(f"once {moment:%Y-%m-%dT%H:%M}", lambda at: at == moment)


@st.composite
def _cron(draw: st.DrawFn) -> _Case:
    minute, hour, day = draw(st.tuples(st.integers(0, 59), st.integers(0, 23), st.integers(0, 6)))
    return _Case(
        f"{minute} {hour} * * {_DAYS[day]}",
        lambda at: (at.minute, at.hour, at.weekday()) == (minute, hour, day),
    )


@st.composite
def _cases(draw: st.DrawFn) -> _Case:
    kinds = [_listed(), _stepped(), _daily(), _weekly(), _monthly(), _once(), _cron()]
    case = draw(st.one_of(kinds))
    since, until = draw(st.none() | _dates), draw(st.none() | _dates)
    text = case.text
    text += f" from {since}" if since else ""
    text += f" until {until}" if until else ""

    def is_moment(at: datetime) -> bool:
        is_valid = (since or date.min) <= at.date() <= (until or date.max)
        return is_valid and case.is_moment(at)

    return _Case(text, is_moment)


def _understood(text: str) -> Schedule | None:
    """Give the schedule; none for one that is empty or too hasty."""
    try:
        return parse(text)
    except InvalidSettings as error:
        if "no such moment" in str(error) or "more often" in str(error):
            return None
        raise


@settings(deadline=None)
@given(_cases(), st.datetimes(datetime(2025, 12, 30), datetime(2026, 4, 2)))  # noqa: DTZ001
def test_the_next_moment_is_the_one_that_a_scan_finds(case: _Case, at: datetime) -> None:
    """Minute by minute through 20 days, the first that fits is the next; none is none.

    Killed by: giving the moment that `at` is; by leaving out the day of `until`.
    """
    now = at.replace(tzinfo=UTC)
    schedule = _understood(case.text)
    if schedule is None:
        return
    minute = now.replace(second=0, microsecond=0)
    scanned = (minute + timedelta(minutes=step) for step in range(1, _SCANNED))
    found = next((moment for moment in scanned if case.is_moment(moment)), None)
    told = schedule.next_after(now)

    if told is not None and told > minute + timedelta(minutes=_SCANNED - 1):
        assert found is None
    else:
        assert told == found


@given(_cases(), st.datetimes(datetime(2025, 12, 1), datetime(2026, 4, 2)))  # noqa: DTZ001
def test_moments_are_later_in_order_and_apart(case: _Case, at: datetime) -> None:
    """Each next moment is later than the one before, by the shortest gap at least.

    Killed by: a gap of the first two moments.
    """
    schedule = _understood(case.text)
    if schedule is None:
        return
    now, gap = at.replace(tzinfo=UTC), schedule.shortest_gap()
    moments: list[datetime] = []
    for _ in range(12):
        following = schedule.next_after(moments[-1] if moments else now)
        if following is None:
            break
        moments.append(following)

    assert all(moment > now for moment in moments)
    assert all(later - earlier >= gap for earlier, later in pairwise(moments))
    assert all(case.is_moment(moment) for moment in moments)


@given(st.datetimes(datetime(2025, 12, 1), datetime(2026, 4, 2)))  # noqa: DTZ001
def test_cron_text_means_what_it_always_meant(at: datetime) -> None:
    """The words of cron are cronsim's; validity only cuts them."""
    now = at.replace(tzinfo=UTC)

    assert parse("*/20 3,4 1-15 * *").next_after(now) == next(CronSim("*/20 3,4 1-15 * *", now))


def test_a_number_of_runs_comes_to_an_end() -> None:
    """After so many runs there is no next one.

    Killed by: counting one run more.
    """
    schedule = parse("daily 04:00 times 2")

    assert schedule.next_after(_NEW_YEAR, runs=1) == datetime(2026, 1, 2, 4, 0, tzinfo=UTC)
    assert schedule.next_after(_NEW_YEAR, runs=2) is None


def test_what_is_over_names_no_moment() -> None:
    """A time that has passed is a schedule, and has no next moment."""
    assert parse("once 2025-12-31T10:00").next_after(_NEW_YEAR) is None
    assert parse("daily 04:00 until 2026-01-01").next_after(_NEW_YEAR) is None


def test_validity_includes_its_days() -> None:
    """Midnight of the first day is in, and the whole last day."""
    schedule = parse("daily 00:00 from 2026-02-01 until 2026-02-01")

    assert schedule.next_after(_NEW_YEAR) == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_last_day_is_that_of_each_month() -> None:
    """Long months, short ones, and February with and without its 29th.

    Killed by: the 28th.
    """
    schedule = parse("monthly last 02:00")
    days = []
    for year in (2026, 2028):
        moment: datetime | None = datetime(year, 1, 1, tzinfo=UTC)
        for _ in range(4):
            assert moment is not None
            moment = schedule.next_after(moment)
            days.append(moment and (moment.month, moment.day))

    assert days == [(1, 31), (2, 28), (3, 31), (4, 30), (1, 31), (2, 29), (3, 31), (4, 30)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Wrong number of fields"),
        ("61 * * * *", "Bad minute"),
        ("hourly", "Wrong number of fields"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("several 08:00,08:14", "it runs more often than every 15 minutes"),
        ("several 23:55,00:05", "it runs more often than every 15 minutes"),
        ("several every 14m 08:00-18:00", "it runs more often than every 15 minutes"),
        ("several every 30m 18:00-08:00", "the second time comes before the first"),
        ("several every day 08:00", 'after "every" come a number of minutes and two times'),
        ("several", 'here stands times such as "08:00,12:00"'),
        ("daily 24:00", '"24:00" is no time such as 08:00'),
        ("weekly lun 05:00", '"lun" is no day; days are mon, tue, wed, thu, fri, sat, sun'),
        ("monthly 32 02:00", '"32" is no day of a month'),
        ("monthly ³ 02:00", '"³" is no day of a month'),
        ("once 2026-02-30T10:00", '"2026-02-30" is no date such as 2026-12-31'),
        ("daily 04:00 until soon", '"soon" is no date such as 2026-12-31'),
        ("daily 04:00 times 0", '"0" is no number of runs'),
        ("daily 04:00 times 2 times 3", '"times" stands there twice'),
        ("daily 04:00 from 2026-02-01 until 2026-01-01", "no such moment ever comes"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, reason: str) -> None:
    """The sentence has the setting, the text, what is wrong and an example."""
    with pytest.raises(InvalidSettings) as caught:
        parse(text, setting="tracking.schedule")

    assert str(caught.value).startswith(
        f'tracking.schedule: "{text}" is not a schedule ({reason}); write words such as'
    )
    assert str(caught.value).endswith('"0 * * * *" for every hour.')


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("* * * * *", 1),
        ("0,10 8 * * *", 10),
        ("0 * * * *", 60),
        ("several 08:00,12:00,12:30", 30),
        ("several 23:50,00:05", 15),
        ("monthly 31 02:00", 31 * 1440),
    ],
)
def test_the_shortest_gap_is_found(text: str, minutes: int) -> None:
    """The gap is that of the closest two moments of a day or night, not of the first two."""
    assert parse(text).shortest_gap() == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 * * * *", "At the start of every hour UTC"),
        ("several 12:00,08:00 on mon-fri", "At 08:00 and 12:00 UTC, Monday to Friday"),
        ("several every 30m 08:00-18:00", "Every 30 minutes from 08:00 to 18:00 UTC, every day"),
        (
            "several every 1h 08:00-18:00 on sat,sun",
            "Every 1 hour from 08:00 to 18:00 UTC, Saturday and Sunday",
        ),
        ("Daily 04:00", "Every day at 04:00 UTC"),
        ("weekly fri-mon 05:00", "Every Monday, Friday, Saturday and Sunday at 05:00 UTC"),
        ("monthly 25 02:00", "Every month on day 25 at 02:00 UTC"),
        ("monthly last 02:00 times 1", "Every month on its last day at 02:00 UTC, one time"),
        ("once 2026-12-01T10:00", "Once, on 2026-12-01 at 10:00 UTC"),
        (
            "daily 04:00 times 1000 from 2026-01-01 until 2026-12-31",
            "Every day at 04:00 UTC, from 2026-01-01, until 2026-12-31, 1,000 times",
        ),
    ],
)
def test_a_schedule_is_said_in_words(text: str, words: str) -> None:
    """People read when it runs, not how that is spelled."""
    assert parse(text).describe() == words
