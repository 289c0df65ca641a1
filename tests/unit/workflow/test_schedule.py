"""When a workflow runs."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.errors import InvalidSettings
from aftersend.workflow import schedule


def test_the_default_schedule_is_every_hour_on_the_hour() -> None:
    """After ten sharp comes eleven sharp: a moment never follows itself."""
    at = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)

    assert schedule.next_after("0 * * * *", at) == datetime(2026, 1, 1, 11, 0, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_the_next_moment_lies_ahead(at: datetime) -> None:
    """The next moment is later than now and at most an hour away.

    Killed by: giving the hour that `at` lies in.
    """
    now = at.replace(tzinfo=UTC)
    gap = schedule.next_after("0 * * * *", now) - now

    assert timedelta(0) < gap <= timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "61 * * * *", "hourly", "0 0 30 2 *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """A text that names no moment is refused with the setting, the text and an example."""
    with pytest.raises(InvalidSettings) as caught:
        schedule.check(text, setting="tracking.schedule")

    assert str(caught.value).startswith(f'tracking.schedule: "{text}" is not a schedule (')
    assert str(caught.value).endswith('"0 * * * *" for every hour.')


@pytest.mark.parametrize(
    ("text", "minutes"), [("* * * * *", 1), ("0,10 8 * * *", 10), ("0 * * * *", 60)]
)
def test_the_shortest_gap_is_found(text: str, minutes: int) -> None:
    """The gap is that of the closest two moments of a day, not of the first two."""
    assert schedule.shortest_gap(text) == timedelta(minutes=minutes)
