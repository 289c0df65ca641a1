"""A tracking server inside another process: for the self-test, simulations and tests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from aftersend.collector.app import Collector
from aftersend.collector.config import CollectorConfig
from aftersend.collector.worker import Worker, listen
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy, SystemEntropy

__all__ = ["running"]

_LOOPBACK: Final = "127.0.0.1"
_DRAIN_SECONDS: Final = 5.0


@contextmanager
def running(config: CollectorConfig, clock: Clock, entropy: Entropy | None = None) -> Iterator[str]:
    """Serve on a free port of the loopback while the block runs; give the base URL.

    Host and port of `config` do not matter. With a clock that stands still, everything happens at
    the moment it shows; a catalogue file that is replaced without the clock moving on by a second
    is noticed only when it was published through the server itself.

    Raises:
        Busy: another tracking server has the spool.
        Exception: whatever a request met that should not be; told at the end of the block.
    """
    collector = Collector(config, clock, entropy or SystemEntropy())
    collector.open()
    try:
        listener = listen(_LOOPBACK, 0)
        thread = _Thread(Worker(collector, listener))
        port = listener.getsockname()[1]
        thread.start()
        try:
            yield f"http://{_LOOPBACK}:{port}"
        finally:
            thread.stop()
    finally:
        collector.close()
    if collector.faults:
        raise collector.faults[0]


@dataclass(slots=True)
class _Thread:
    """The event loop of a worker, in a thread of its own."""

    worker: Worker
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Accept connections."""
        self.thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the worker and its loop."""
        assert self.thread is not None, "stop follows start"
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self.worker.run(self.stopping, drain_seconds=_DRAIN_SECONDS))
