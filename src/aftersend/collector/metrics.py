"""What a tracking server counts while it works; told by ``/metrics`` and ``/health``."""

from collections import Counter, deque
from typing import Final

__all__ = ["Metrics", "SyncTimes"]

_RECENT_SECONDS: Final = 60


class SyncTimes:
    """How long bringing lines onto the disk took: how often, in all, and lately at most."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.count = 0
        self.seconds = 0.0
        self._slowest: deque[tuple[int, float]] = deque(maxlen=_RECENT_SECONDS)

    def add(self, seconds: float, *, now: float) -> None:
        """Note a sync that ended at `now` of a monotonic clock."""
        self.count += 1
        self.seconds += seconds
        second = int(now)
        if self._slowest and self._slowest[-1][0] == second:
            seconds = max(seconds, self._slowest.pop()[1])
        self._slowest.append((second, seconds))

    def slowest(self, *, now: float) -> float:
        """Tell how long the slowest of the last minute took; 0 when there was none."""
        since = now - _RECENT_SECONDS
        return max((each for second, each in list(self._slowest) if second > since), default=0.0)


class Metrics:
    """Plain counts, so that a click pays for one addition.

    `requests` is by kind and answer, `unrecorded` by reason: hits that were answered and left out.
    The two answers that nearly all requests get are counted apart, because a name costs more.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self.redirects = self.pixels = 0
        self.requests: Counter[tuple[str, str]] = Counter()
        self.unrecorded: Counter[str] = Counter()
        self.syncs = SyncTimes()

    @property
    def answers(self) -> dict[tuple[str, str], int]:
        """Tell how many requests there were, by kind and answer; any thread may ask."""
        usual = {("click", "redirect"): self.redirects, ("open", "pixel"): self.pixels}
        # One call, because a click may add a name meanwhile.
        named = dict(self.requests)
        return named | {name: count for name, count in usual.items() if count}
