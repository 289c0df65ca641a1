"""How often somebody may try a password."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from aftersend.platform.clock import Clock

__all__ = ["FAILURES_MAX", "WINDOW_S", "Attempts"]

FAILURES_MAX: Final = 10
WINDOW_S: Final = 60.0
_KEYS_MAX: Final = 10_000


@dataclass(slots=True)
class Attempts:
    """Failures of the last minute, by client address; shared by the threads of one app."""

    clock: Clock
    _failures: dict[str, deque[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def may_try(self, key: str) -> bool:
        """Tell whether `key` has failures left."""
        with self._lock:
            return len(self._recent(key)) < FAILURES_MAX

    def note_failure(self, key: str) -> None:
        """Remember one failure of `key`."""
        with self._lock:
            failures = self._recent(key)
            failures.append(self.clock.monotonic())
            self._failures[key] = failures
            if len(self._failures) > _KEYS_MAX:
                # Dicts keep the order of arrival: the oldest key goes first.
                del self._failures[next(iter(self._failures))]

    def _recent(self, key: str) -> deque[float]:
        failures = self._failures.get(key, deque())
        oldest = self.clock.monotonic() - WINDOW_S
        while failures and failures[0] <= oldest:
            failures.popleft()
        return failures
