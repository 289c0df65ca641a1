"""What a tracking server counts while it works; told by ``/metrics`` and ``/health``."""

from collections import Counter

__all__ = ["Metrics"]


class Metrics:
    """Plain counts, so that a click pays for one addition.

    `requests` is by kind and answer, `unrecorded` by reason: hits that were answered and left out.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self.requests: Counter[tuple[str, str]] = Counter()
        self.unrecorded: Counter[str] = Counter()
