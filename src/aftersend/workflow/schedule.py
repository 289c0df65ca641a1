"""When a workflow runs, in UTC: cron text, or one of five kinds in words.

==========================================  ========================================================
``0 * * * *``                               cron: minute, hour, day, month, weekday
``several 08:00,12:00 on mon-fri``          several times a day, at these, on chosen days
``several every 30m 08:00-18:00``           several times a day, between two times, both included
``daily 04:00``                             every day
``weekly mon,thu 05:00``                    on some days of each week
``monthly 25 02:00``, ``monthly last …``    on a day of each month that has it, or on its last one
``once 2026-12-01T10:00``                   a single time
==========================================  ========================================================

Each may end in ``from DATE``, ``until DATE`` (both included) and ``times N``. Words may be in any
case. Source: spec §5 (Schedule).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from typing import Final, Protocol

from cronsim import CronSim, CronSimError

from aftersend.errors import InvalidSettings
from aftersend.workflow.days import Days, every_day, month_day, read_days, weekdays

__all__ = ["GAP_MIN", "Schedule", "parse"]

GAP_MIN: Final = timedelta(minutes=15)
"""More often than this is not advised in cron text, and refused in words."""

_SOME_SUNDAY: Final = datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)
_MOMENTS_LOOKED_AT: Final = 1500
"""Enough to see a whole day of a schedule that runs each minute."""
_DAYS_LOOKED_AT: Final = 800
"""Enough to see a February of 28 days, and one of 29."""
_DAYS_BETWEEN_MAX: Final = 70
"""No day of the week or the month is farther away than this from the next one."""
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_EVERY: Final = re.compile(r"([1-9]\d{0,3})(m|h)")
_SPAN: Final = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")
_TAILS: Final = ("from", "until", "times")


class _Plan(Protocol):
    """Moments without end, and words for them."""

    @property
    def is_cron(self) -> bool: ...

    def after(self, at: datetime) -> Iterator[datetime]:
        """Give the moments later than `at`, in order."""
        ...

    def describe(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """A text that was understood; without `since`, `until` and `times` it goes on for ever."""

    text: str
    plan: _Plan
    since: date | None = None
    until: date | None = None
    times: int | None = None

    def next_after(self, at: datetime, *, runs: int = 0) -> datetime | None:
        """Give the first moment that lies after `at`, if any; `runs` were begun before.

        >>> parse("0 * * * *").next_after(datetime(2026, 1, 1, 10, 0, tzinfo=UTC)).isoformat()
        '2026-01-01T11:00:00+00:00'
        """
        if self.times is not None and runs >= self.times:
            return None
        if self.since is not None:
            # A moment at midnight of that day is one.
            at = max(at, _midnight(self.since) - timedelta(microseconds=1))
        moment = next(self.plan.after(at), None)
        if moment is None or (self.until is not None and moment.date() > self.until):
            return None
        return moment

    def shortest_gap(self) -> timedelta:
        """Tell how close two moments can come.

        >>> parse("*/5 8-18 * * *").shortest_gap()
        datetime.timedelta(seconds=300)
        """
        end = _SOME_SUNDAY + timedelta(days=_DAYS_LOOKED_AT)
        near = takewhile(lambda moment: moment < end, self.plan.after(_SOME_SUNDAY))
        moments = islice(near, _MOMENTS_LOOKED_AT)
        return min((later - earlier for earlier, later in pairwise(moments)), default=timedelta.max)

    @property
    def is_hasty(self) -> bool:
        """Tell whether it runs more often than is advised."""
        return self.shortest_gap() < GAP_MIN

    def describe(self) -> str:
        """Say it in words.

        >>> parse("weekly mon,thu 05:00 until 2026-12-31").describe()
        'Every Monday and Thursday at 05:00 UTC, until 2026-12-31'
        """
        parts = [self.plan.describe()]
        parts += [f"from {self.since}"] if self.since else []
        parts += [f"until {self.until}"] if self.until else []
        if self.times is not None:
            parts.append("one time" if self.times == 1 else f"{self.times:,} times")
        return ", ".join(parts)


def parse(text: str, *, setting: str = "schedule") -> Schedule:
    """Understand the text of a schedule; `setting` is where it stands.

    Raises:
        InvalidSettings: it is none, names no moment, or is too hasty; the sentence says what is
            wrong and gives examples.
    """
    try:
        schedule = _read(text)
        _check(schedule)
    except (CronSimError, ValueError) as error:
        raise InvalidSettings(
            f'{setting}: "{text}" is not a schedule ({error}); write words such as "daily 04:00" or'
            ' "several every 30m 08:00-18:00 on mon-fri", or cron text in UTC, for example'
            ' "0 * * * *" for every hour.'
        ) from error
    return schedule


@dataclass(frozen=True, slots=True)
class _Cron:
    text: str
    is_cron = True

    def after(self, at: datetime) -> Iterator[datetime]:
        return CronSim(self.text, at)

    def describe(self) -> str:
        words: str = CronSim(self.text, _SOME_SUNDAY).explain()
        return f"{words} UTC"


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Times of days; `words` say which."""

    days: Days
    times: tuple[time, ...]
    words: str
    is_cron = False

    def after(self, at: datetime) -> Iterator[datetime]:
        day = at.date()
        while day < date.max:
            if self.days(day):
                moments = (datetime.combine(day, clock, UTC) for clock in self.times)
                yield from (moment for moment in moments if moment > at)
            day += timedelta(days=1)

    def describe(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class _Once:
    moment: datetime
    is_cron = False

    def after(self, at: datetime) -> Iterator[datetime]:
        return iter([self.moment] if self.moment > at else [])

    def describe(self) -> str:
        return f"Once, on {self.moment:%Y-%m-%d} at {self.moment:%H:%M} UTC"


def _read(text: str) -> Schedule:
    words = text.lower().split()
    tails: dict[str, str] = {}
    while len(words) > 2 and words[-2] in _TAILS:
        value, name = words.pop(), words.pop()
        if name in tails:
            raise ValueError(f'"{name}" stands there twice')
        tails[name] = value
    kind = words[0] if words else ""
    read = _KINDS.get(kind)
    plan = read(words[1:]) if read else _Cron(" ".join(words))
    if read is None:
        next(iter(plan.after(_SOME_SUNDAY)), None)
    since, until = (_date(tails[name]) if name in tails else None for name in ("from", "until"))
    return Schedule(" ".join(text.split()), plan, since, until, _times(tails.get("times")))


def _check(schedule: Schedule) -> None:
    # A moment in the past is one: what is over is a schedule still.
    if schedule.next_after(_at_first(schedule)) is None:
        raise ValueError("no such moment ever comes")
    if not schedule.plan.is_cron and schedule.is_hasty:
        minutes = GAP_MIN.total_seconds() // 60
        raise ValueError(f"it runs more often than every {minutes:.0f} minutes")


def _several(words: list[str]) -> _Plan:
    days: Days = every_day
    where = "every day"
    if len(words) > 2 and words[-2] == "on":
        chosen = read_days(words[-1])
        days, where = weekdays(chosen.numbers), chosen.words
        words = words[:-2]
    if len(words) == 3 and words[0] == "every":
        every, span = _EVERY.fullmatch(words[1]), _SPAN.fullmatch(words[2])
        if not (every and span):
            raise ValueError('after "every" come a number of minutes and two times')
        minutes = int(every[1]) * (60 if every[2] == "h" else 1)
        first, last = _time(span[1]), _time(span[2])
        times = tuple(_stepped(first, last, minutes))
        if not times:
            raise ValueError("the second time comes before the first")
        pace = f"{every[1]} {'hour' if every[2] == 'h' else 'minute'}{'s' * (every[1] != '1')}"
        text = f"Every {pace} from {first:%H:%M} to {last:%H:%M} UTC, {where}"
        return _Calendar(days, times, text)
    (listed,) = _only(words, 'times such as "08:00,12:00"')
    times = tuple(sorted({_time(one) for one in listed.split(",")}))
    named = _joined([f"{one:%H:%M}" for one in times])
    return _Calendar(days, times, f"At {named} UTC, {where}")


def _daily(words: list[str]) -> _Plan:
    (clock,) = _only(words, 'a time such as "04:00"')
    at = _time(clock)
    return _Calendar(every_day, (at,), f"Every day at {at:%H:%M} UTC")


def _weekly(words: list[str]) -> _Plan:
    listed, clock = _only(words, 'days and a time such as "mon,thu 05:00"', 2)
    chosen, at = read_days(listed), _time(clock)
    return _Calendar(weekdays(chosen.numbers), (at,), f"Every {chosen.words} at {at:%H:%M} UTC")


def _monthly(words: list[str]) -> _Plan:
    listed, clock = _only(words, 'a day and a time such as "25 02:00" or "last 02:00"', 2)
    at = _time(clock)
    if listed == "last":
        return _Calendar(month_day(None), (at,), f"Every month on its last day at {at:%H:%M} UTC")
    if not (listed.isdecimal() and listed.isascii() and 1 <= int(listed) <= 31):
        raise ValueError(f'"{listed}" is no day of a month')
    day = int(listed)
    return _Calendar(month_day(day), (at,), f"Every month on day {day} at {at:%H:%M} UTC")


def _once(words: list[str]) -> _Plan:
    (text,) = _only(words, 'a moment such as "2026-12-01T10:00"')
    day, _, clock = text.partition("t")
    return _Once(datetime.combine(_date(day), _time(clock), UTC))


_KINDS: Final = {
    "several": _several,
    "daily": _daily,
    "weekly": _weekly,
    "monthly": _monthly,
    "once": _once,
}


def _stepped(first: time, last: time, minutes: int) -> Iterator[time]:
    for minute in range(first.hour * 60 + first.minute, last.hour * 60 + last.minute + 1, minutes):
        yield time(minute // 60, minute % 60)


def _only(words: list[str], wanted: str, count: int = 1) -> list[str]:
    if len(words) != count:
        raise ValueError(f"here stand {wanted}" if count > 1 else f"here stands {wanted}")
    return words


def _time(text: str) -> time:
    if not _TIME.fullmatch(text):
        raise ValueError(f'"{text}" is no time such as 08:00')
    return time.fromisoformat(text)


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f'"{text}" is no date such as 2026-12-31') from None


def _times(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii() and 0 < int(text) < 1_000_000):
        raise ValueError(f'"{text}" is no number of runs')
    return int(text)


def _joined(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _at_first(schedule: Schedule) -> datetime:
    """Give a moment before the first one that this schedule ever had."""
    if isinstance(schedule.plan, _Once):
        return schedule.plan.moment - timedelta(minutes=1)
    if schedule.since is not None:
        return _midnight(schedule.since) - timedelta(minutes=1)
    if schedule.until is not None:
        return _midnight(schedule.until) - timedelta(days=_DAYS_BETWEEN_MAX)
    return _SOME_SUNDAY
