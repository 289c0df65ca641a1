"""When a workflow runs: cron text, in UTC.

``minute hour day month weekday``, e.g. ``0 * * * *``: every hour on the hour.
Source: spec §5 (Schedule).
"""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from cronsim import CronSim, CronSimError

from aftersend.errors import InvalidSettings

__all__ = ["GAP_MIN", "check", "next_after", "shortest_gap"]

GAP_MIN: Final = timedelta(minutes=15)
"""More often than this is not advised."""

_SOME_SUNDAY: Final = datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)
_MOMENTS_LOOKED_AT: Final = 1500
"""Enough to see a whole day of a schedule that runs each minute."""


def check(text: str, *, setting: str) -> None:
    """Refuse what is not a cron text, or one that names no moment; `setting` is where it stands.

    Raises:
        InvalidSettings: the sentence says what is wrong and gives an example.
    """
    try:
        next(CronSim(text, _SOME_SUNDAY))
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "no such moment ever comes"
        raise InvalidSettings(
            f'{setting}: "{text}" is not a schedule ({reason}); write cron text in UTC, for example'
            ' "0 * * * *" for every hour.'
        ) from error


def next_after(text: str, at: datetime) -> datetime:
    """Give the first moment of a checked schedule that lies after `at`.

    >>> next_after("0 * * * *", datetime(2026, 1, 1, 10, 0, tzinfo=UTC)).isoformat()
    '2026-01-01T11:00:00+00:00'
    """
    moment: datetime = next(CronSim(text, at))
    return moment


def shortest_gap(text: str) -> timedelta:
    """Tell how close two moments of a checked schedule can come.

    >>> shortest_gap("*/5 8-18 * * *")
    datetime.timedelta(seconds=300)
    """
    moments = islice(CronSim(text, _SOME_SUNDAY), _MOMENTS_LOOKED_AT)
    return min((later - earlier for earlier, later in pairwise(moments)), default=timedelta.max)
