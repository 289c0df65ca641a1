"""The thread that brings lines onto the disk, so that no click waits for one."""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from aftersend.collector.metrics import SyncTimes
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger, where
from aftersend.spool import Writer

__all__ = ["Flusher"]

_CLEAN_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 1.0
_CHORE_SECONDS: Final = 1.0


class Flusher:
    """Syncs a spool every `interval_ms`; at 0, whenever an answer waits for it.

    Answers that come in during one sync go out together after the next. About once a second it does
    its `chores`, whose trouble is logged and stops nothing.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        interval_ms: int,
        clock: Clock,
        times: SyncTimes | None = None,
        chores: Sequence[Callable[[], None]] = (),
    ) -> None:
        """Prepare the thread; `start` runs it."""
        self._writer, self._clock = writer, clock
        self._times = times or SyncTimes()
        self._chores = chores
        self._interval = interval_ms / 1000 or _IDLE_SECONDS
        self._pauses = math.ceil(self._interval / _CHORE_SECONDS)
        self._wake = threading.Event()
        self._is_stopping = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._cleaned_at = self._did_chores_at = clock.monotonic()
        self._synced = writer.state.last
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
        pauses = 0
        while not self._is_stopping:
            is_woken = self._wake.wait(self._interval / self._pauses)
            self._wake.clear()
            pauses += 1
            try:
                if is_woken or pauses >= self._pauses:
                    pauses = 0
                    self._flush()
                self._do_chores()
            except Exception as error:  # noqa: BLE001 - this thread lives as long as people click
                kind = type(error).__name__
                logger("collector").error("flushing failed", error=kind, where=where(error))
        self._flush()

    def _flush(self) -> None:
        count = len(self._waiting)  # who comes later waits for the next sync
        last = self._writer.state.last
        begun_at = self._clock.monotonic()
        try:
            self._writer.sync()
        finally:
            for _ in range(count):
                self._waiting.popleft()()
        ended_at = self._clock.monotonic()
        if last != self._synced:  # a sync of nothing says nothing about the disk
            self._synced = last
            self._times.add(ended_at - begun_at, now=ended_at)
        if ended_at - self._cleaned_at >= _CLEAN_SECONDS:
            self._cleaned_at = ended_at
            self._writer.clean()

    def _do_chores(self) -> None:
        now = self._clock.monotonic()
        if now - self._did_chores_at < _CHORE_SECONDS:
            return
        self._did_chores_at = now
        for chore in self._chores:
            chore()
