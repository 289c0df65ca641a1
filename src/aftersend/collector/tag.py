"""Web tags: ``/r/<random>?tagid=…`` told by pages that people came to."""

from typing import Any

from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import Cookies
from aftersend.collector.metrics import Metrics
from aftersend.collector.recorder import Recorder
from aftersend.platform.clock import Clock

__all__ = ["Tags"]


class Tags:
    """Records the visits and transactions that pages tell."""

    def __init__(
        self,
        config: CollectorConfig,
        *,
        clock: Clock,
        cookies: Cookies,
        recorder: Recorder,
        metrics: Metrics,
    ) -> None:
        """Take an open recorder."""
        self._config, self._clock, self._cookies = config, clock, cookies
        self._recorder, self._metrics = recorder, metrics

    def answer(self, scope: Any, proto: Any, *, address: str) -> bool:
        """Answer a request whose query names a tag; False when it names none."""
        raise NotImplementedError
