"""Granian's HTTP worker, used so that a click is answered in the thread that read it.

Granian hands a request to Python in one thread of its own, which usually passes it on to an event
loop in another: two wake-ups and a coroutine for each. A click waits for nothing, so it is answered
right there; only what `App.answer` declines goes on to the event loop. That takes a third off the
CPU time of a request, and needs no second process: whoever kills this one frees port and spool.

Its threads ask the kernel for the shortest turns there are. Their work for a request takes less, so
who computes beside on the same core (the Tracking workflow) keeps its share of it, but no longer
makes a click wait for the end of a turn of milliseconds.

The two threads that a request passes cost each other time: an answer wakes Granian's thread, and
when that one runs at once, it sends this one answer and sleeps until the next one wakes it. So it
is made a little nicer than the thread that answers: what was read is answered first, then sent.

This is the one module that knows Granian's inside (`granian._granian`, written for 2.8; tests tell
when it changes). What it does otherwise is what `granian.server` does for RSGI.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from granian import _granian
from granian.http import HTTP1Settings

from aftersend.errors import Busy, Transient
from aftersend.platform.scheduling import (
    TURN_US_MIN,
    ask_for_turns,
    let_others_first,
)

__all__ = ["BACKLOG", "App", "Patience", "Worker", "listen"]

BACKLOG: Final = 4096
_BUFFER_BYTES_MAX: Final = 64 * 1024
_LOOK_SECONDS: Final = 0.005
_NETWORK_NICE: Final = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the head of a request may take, and how many connections are served at once.

    A connection that is kept open for a next request waits for its head. Who comes when all
    connections are taken waits in the queue of the port.
    """

    head_seconds_max: float = 15.0
    connections_max: int = 16_384


class App(Protocol):
    """What is served. Neither may raise; every request is answered by one of them."""

    def answer(self, scope: Any, proto: Any) -> bool:
        """Answer at once, or tell that it takes longer."""
        ...

    async def administer(self, scope: Any, proto: Any) -> None:
        """Answer in some time."""
        ...


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one. The host ``::`` takes IPv4 too.

    Raises:
        Busy: somebody listens there.
        Transient: this machine has no such address, or we may not use the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        place = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise Busy(f"{place} is in use by another program; choose another port.") from error
        raise Transient(f"{place} cannot be listened on: {error.strerror}.") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    return listener


class Worker:
    """Serves an app on a bound socket, on one event loop, once."""

    def __init__(self, app: App, listener: socket.socket, patience: Patience | None = None) -> None:
        """Prepare; the socket belongs to the worker from now on."""
        self._app, self._listener = app, listener
        self._answer: Callable[[Any, Any], bool] = self._answer_first
        self._patience = patience or Patience()
        self._threads: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, *, drain_seconds: float) -> bool:
        """Accept connections until `stop` is set, then let what is under way come to its end.

        Tell whether it did so within `drain_seconds`.
        """
        self._loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        signal = _granian.WorkerSignal()
        signal.add_cb(lambda: self._loop.call_soon_threadsafe(ended.set))
        before = _thread_ids()
        self._start(signal)
        self._threads = threads = _thread_ids() - before
        await stop.wait()
        signal.set()
        try:
            async with asyncio.timeout(drain_seconds):
                await ended.wait()
                await asyncio.gather(*self._tasks)
                # A thread that comes back to an interpreter that is being torn down would crash it.
                while threads & _thread_ids():  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    def _start(self, signal: Any) -> None:
        self._has_short_turns = ask_for_turns(TURN_US_MIN)  # threads do as those who start them
        worker_class: Any = _granian.RSGIWorker
        holder_class: Any = _granian.SocketHolder
        scheduler_class: Any = _granian.CallbackScheduler
        worker = worker_class(
            1,
            (None, holder_class(self._listener.detach(), False, BACKLOG)),
            None,
            threads=1,
            blocking_threads=1,
            py_threads=1,
            backpressure=self._patience.connections_max,
            http_mode="1",
            http1_opts=HTTP1Settings(
                header_read_timeout=int(self._patience.head_seconds_max * 1000),
                max_buffer_size=_BUFFER_BYTES_MAX,
            ),
            websockets_enabled=False,
        )
        scheduler = scheduler_class(self._loop, self._handle, None, None, None)
        scheduler._schedule_fn = self._handle  # noqa: SLF001 - what calls Python for each request
        worker.serve_str(scheduler, self._loop, signal)

    def _handle(self, watcher: Any) -> None:
        scope, proto = watcher.scope, watcher.proto
        if not self._answer(scope, proto):
            with suppress(RuntimeError):  # the loop is closed: so are we
                self._loop.call_soon_threadsafe(self._begin, scope, proto)

    def _answer_first(self, scope: Any, proto: Any) -> bool:
        """Answer the first request: only now it is known which thread does so."""
        if self._threads:
            self._answer = self._app.answer
            if self._has_short_turns:  # with long ones, who is nice would wait too long for its own
                for thread in self._threads - {str(threading.get_native_id())}:
                    let_others_first(int(thread), _NETWORK_NICE)
        return self._app.answer(scope, proto)

    def _begin(self, scope: Any, proto: Any) -> None:
        task = self._loop.create_task(self._app.administer(scope, proto))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _thread_ids() -> set[str]:
    tasks = Path("/proc/self/task")
    return {path.name for path in tasks.iterdir()} if tasks.is_dir() else set()
