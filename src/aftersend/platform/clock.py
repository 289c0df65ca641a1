"""Time as an argument."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Tell the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The clock of this machine; nothing is called in between, because every hit looks at it."""

    now = staticmethod(partial(datetime.now, UTC))  # noqa: TID251 - the one place
    monotonic = staticmethod(time.monotonic)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved: a month takes a second."""

    at: datetime

    def __post_init__(self) -> None:
        assert self.at.tzinfo is UTC, "times are aware and in UTC"

    def now(self) -> datetime:
        """Tell the time it was set to."""
        return self.at

    def monotonic(self) -> float:
        """Tell the same time in seconds."""
        return self.at.timestamp()

    def set(self, at: datetime) -> None:
        """Move to `at`."""
        assert at.tzinfo is UTC, "times are aware and in UTC"
        self.at = at

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self.at += timedelta(seconds=seconds)
