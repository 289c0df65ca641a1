"""How figures and times are spelled."""

from datetime import UTC, datetime, timedelta

import pytest

from aftersend.errors import InvalidSettings
from aftersend.web import display
from aftersend.web.display import Zone

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.6667, "66.67 %"), (3.75, "375.00 %"), (0.0, "0.00 %"), (None, "–"), (12.5, "1,250.00 %")],
)
def test_a_ratio_is_never_clamped(ratio: float | None, expected: str) -> None:
    """Rates above 100 % are legal and shown; no rate at all is a dash, not 0."""
    assert expected == display.percent(ratio)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.4, "59 s"), (3600, "1 h 00 min"), (None, "–")],
)
def test_durations_are_readable(seconds: float | None, expected: str) -> None:
    """Seconds become minutes and hours when there are many."""
    assert expected == display.duration(seconds)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=20), "in a moment"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(days=-2), "2 days ago"),
    ],
)
def test_moments_are_told_from_here(delta: timedelta, expected: str) -> None:
    """How far away a moment is, is told in the largest unit."""
    assert expected == display.relative(NOON + delta, NOON)


def test_an_unknown_zone_is_told() -> None:
    """A misspelt time zone is refused with a sentence that says what to write."""
    with pytest.raises(InvalidSettings, match="there is no time zone Paris"):
        Zone.named("Paris")


def test_utc_is_a_zone() -> None:
    """The default needs nothing installed."""
    assert Zone.named("UTC").date_time(NOON) == "2026-03-01 12:00:00"
