"""The thread that brings lines onto the disk, so that no click waits for one."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger
from aftersend.spool import Writer

__all__ = ["Flusher"]

_CLEAN_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 1.0


class Flusher:
    """Syncs a spool every `interval_ms`; at 0, whenever an answer waits for it.

    Answers that come in during one sync go out together after the next.
    """

    def __init__(self, writer: Writer, *, interval_ms: int, clock: Clock) -> None:
        """Prepare the thread; `start` runs it."""
        self._writer, self._clock = writer, clock
        self._interval = interval_ms / 1000 or _IDLE_SECONDS
        self._wake = threading.Event()
        self._is_stopping = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._cleaned_at = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="spool-flusher", daemon=True)

    def start(self) -> None:
        """Run until `stop`."""
        self._thread.start()

    def after_sync(self, send: Callable[[], None]) -> None:
        """Call `send` once everything appended so far is on the disk."""
        self._waiting.append(send)
        self._wake.set()

    def stop(self) -> None:
        """Sync once more, send what waits, and end the thread."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(self._interval)
            self._wake.clear()
            try:
                self._flush()
            except Exception:  # noqa: BLE001 - the edge: this thread lives as long as people click
                logger("collector").exception("flushing failed")
        self._flush()

    def _flush(self) -> None:
        count = len(self._waiting)  # who comes later waits for the next sync
        try:
            self._writer.sync()
        finally:
            for _ in range(count):
                self._waiting.popleft()()
        if self._clock.monotonic() - self._cleaned_at >= _CLEAN_SECONDS:
            self._cleaned_at = self._clock.monotonic()
            self._writer.clean()
