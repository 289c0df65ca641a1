"""Time as an argument."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aftersend.platform.clock import ManualClock, SystemClock

START = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)


def test_the_system_clock_is_in_utc_and_goes_on() -> None:
    """Wall times are aware and in UTC; the monotonic one never goes back."""
    clock = SystemClock()
    first, second = clock.monotonic(), clock.monotonic()

    assert clock.now().tzinfo is UTC
    assert first <= second


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    """Both of its times move together, and only by hand."""
    clock = ManualClock(START)
    before = clock.monotonic()

    assert clock.now() == clock.now() == START

    clock.advance(1.5)

    assert clock.now() == START + timedelta(seconds=1.5)
    assert clock.monotonic() - before == 1.5

    clock.set(START)

    assert clock.now() == START


def test_a_manual_clock_takes_utc_only() -> None:
    """A time of another zone is a mistake of the caller."""
    with pytest.raises(AssertionError):
        ManualClock(START.astimezone(timezone(timedelta(hours=1))))
    with pytest.raises(AssertionError):
        ManualClock(START).set(START.replace(tzinfo=None))
