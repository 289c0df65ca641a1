"""Days that a schedule chooses: of the week, or of the month."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeAlias

__all__ = ["Chosen", "Days", "every_day", "month_day", "read_days", "weekdays"]

Days: TypeAlias = Callable[[date], bool]
"""Tells whether a day is one of those that were chosen."""

_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT: Final = tuple(name[:3].lower() for name in _NAMES)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Days of the week, Monday 0, and how people call them."""

    numbers: frozenset[int]
    words: str


def every_day(_day: date) -> bool:
    """Choose all days."""
    return True


def weekdays(numbers: frozenset[int]) -> Days:
    """Choose days of the week, Monday 0."""
    return lambda day: day.weekday() in numbers


def month_day(number: int | None) -> Days:
    """Choose a day of the months that have it; None is the last day of each month."""
    if number is None:
        return lambda day: (day + timedelta(days=1)).day == 1
    return lambda day: day.day == number


def read_days(text: str) -> Chosen:
    """Read days of the week, e.g. ``mon,wed-fri``; a range may go over the end of the week.

    >>> read_days("fri-sun").words
    'Friday to Sunday'

    Raises:
        ValueError: a name is none.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, count = _number(first), 1
        if last:
            count = (_number(last) - start) % 7 + 1
        numbers |= {(start + step) % 7 for step in range(count)}
    return Chosen(frozenset(numbers), _words(sorted(numbers)))


def _number(name: str) -> int:
    if name not in _SHORT:
        raise ValueError(f'"{name}" is no day; days are {", ".join(_SHORT)}')
    return _SHORT.index(name)


def _words(numbers: list[int]) -> str:
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and last - first == len(numbers) - 1:
        return f"{_NAMES[first]} to {_NAMES[last]}"
    names = [_NAMES[number] for number in numbers]
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
