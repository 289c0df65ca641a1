"""Opens and clicks over time, in bars that are few enough to read.

Bars are as long as the whole allows: minutes, an hour, a day or a week, in the time zone of the
pages. Their sum is the sum of what they are made of, on days that have 23 or 25 hours too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from aftersend.database.activity import Period
from aftersend.model.enumeration import UrlType

__all__ = ["BARS_MAX", "bars"]

BARS_MAX: Final = 72


@dataclass(frozen=True, slots=True)
class _Step:
    """A length of bars: where the bar of a moment begins, the bar after one, and its label."""

    seconds: int
    floor: Callable[[datetime, tzinfo], datetime | date]
    after: Callable[[Any], Any]
    label: Callable[[Any, tzinfo], str]


def bars(periods: Sequence[Period], tz: tzinfo, *, period_s: int) -> dict[str, Any]:
    """Gather `periods` of consolidation, each `period_s` seconds long, into bars.

    Shape: ``times``, a label a bar; ``series``, each with ``name``, ``color`` and ``values``, one
        number a bar; ``step``, how long a bar is, in words.
    """
    if not periods:
        return {"times": [], "series": [], "step": ""}
    step = _chosen([period.start for period in periods], period_s)
    counts = {kind: Counter[Any]() for kind in (UrlType.OPEN, UrlType.EMAIL_CLICK)}
    for period in periods:
        counts[period.type][step.floor(period.start, tz)] += period.count
    times = list(_range(step, periods, tz))
    return {
        "step": _words(step.seconds),
        "times": [step.label(time, tz) for time in times],
        "series": [
            {"name": name, "color": color, "values": [counts[kind][time] for time in times]}
            for kind, name, color in (
                (UrlType.OPEN, "Opens", "--after-open"),
                (UrlType.EMAIL_CLICK, "Clicks", "--after-click"),
            )
        ],
    }


def _chosen(starts: Sequence[datetime], period_s: int) -> _Step:
    span_s = (max(starts) - min(starts)).total_seconds()
    possible = [step for step in _steps() if step.seconds >= period_s]
    fitting = (step for step in possible if span_s / step.seconds < BARS_MAX - 1)
    return next(fitting, possible[-1] if possible else _steps()[-1])


def _range(step: _Step, periods: Sequence[Period], tz: tzinfo) -> Iterable[Any]:
    time = step.floor(min(period.start for period in periods), tz)
    last: Any = step.floor(max(period.start for period in periods), tz)
    while time <= last:
        yield time
        time = step.after(time)


def _steps() -> list[_Step]:
    return [
        *(_clock_step(minutes) for minutes in (5, 15, 60)),
        _Step(86_400, _day, lambda day: day + timedelta(days=1), _day_label),
        _Step(604_800, _week, lambda day: day + timedelta(weeks=1), _day_label),
    ]


def _clock_step(minutes: int) -> _Step:
    length = timedelta(minutes=minutes)

    def floor(at: datetime, tz: tzinfo) -> datetime:
        # In zones half an hour off, hours begin at half past by UTC.
        offset = at.astimezone(tz).utcoffset() or timedelta()
        since = at - datetime.min.replace(tzinfo=UTC) + offset
        return at - since % length

    return _Step(minutes * 60, floor, lambda at: at + length, _clock_label)


def _clock_label(at: datetime, tz: tzinfo) -> str:
    return at.astimezone(tz).strftime("%m-%d %H:%M")


def _day(at: datetime, tz: tzinfo) -> date:
    return at.astimezone(tz).date()


def _week(at: datetime, tz: tzinfo) -> date:
    day = _day(at, tz)
    return day - timedelta(days=day.weekday())


def _day_label(day: date, _: tzinfo) -> str:
    return day.isoformat()


def _words(seconds: int) -> str:
    return {86_400: "day", 604_800: "week", 3_600: "hour"}.get(seconds, f"{seconds // 60} minutes")
