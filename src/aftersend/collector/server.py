"""A process that is a tracking server."""

import asyncio
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Final

from aftersend.collector.app import Collector
from aftersend.collector.config import CollectorConfig
from aftersend.collector.worker import Patience, Worker, listen
from aftersend.errors import Busy, Transient
from aftersend.platform import telemetry
from aftersend.platform.clock import Clock, SystemClock
from aftersend.platform.entropy import Entropy, SystemEntropy

__all__ = ["place_of", "serve"]

_DRAIN_SECONDS: Final = 5.0
_FILES_MAX: Final = 65_536
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def serve(
    config: CollectorConfig,
    *,
    listener: socket.socket | None = None,
    patience: Patience | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is under way, sync and return.

    `listener` is a socket that listens already, perhaps shared with other processes.

    Raises:
        Busy: the port or the server id is in use.
        Transient: the address cannot be listened on, or a folder cannot be used.
    """
    telemetry.configure(is_json=not sys.stderr.isatty())
    _allow_many_files()
    has_told = listener is not None
    listener = listener or listen(config.host, config.port)
    collector = Collector(config, clock or SystemClock(), entropy or SystemEntropy())
    # Who asks for the end while the spool is being opened is heard once the loop can end in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        collector.open()
    except BaseException as error:
        listener.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        raise _told(error, config) from error
    if not has_told:
        telemetry.logger("collector").info("listening", address=place_of(listener, config.host))
    try:
        has_drained = asyncio.run(_serve(Worker(collector, listener, patience)))
    finally:
        collector.close()
    if not has_drained:
        # Threads of the HTTP server still hold connections; the interpreter cannot end below them.
        telemetry.logger("collector").warning("connections were cut", after_seconds=_DRAIN_SECONDS)
        sys.stderr.flush()
        os._exit(0)


def place_of(listener: socket.socket, host: str) -> str:
    """Spell the address that a socket listens on.

    >>> from aftersend.collector.worker import listen
    >>> with listen("127.0.0.1", 0) as taken:
    ...     place_of(taken, "::1").replace(str(taken.getsockname()[1]), "8081")
    'http://[::1]:8081'
    """
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def _told(error: BaseException, config: CollectorConfig) -> BaseException:
    """Say why the server cannot start, where an administrator can do something about it."""
    if isinstance(error, Busy):
        return Busy(
            f"Server id {config.server_id} is in use by another tracking server, which holds"
            f" {config.spool_directory}; choose another id."
        )
    if isinstance(error, OSError):
        place = error.filename or config.spool_directory
        return Transient(f"The tracking server cannot use {place}: {error.strerror}.")
    return error


async def _serve(worker: Worker) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the end is under way
            loop.call_soon_threadsafe(stop.set)

    for number in _ENDING:
        # Not by the loop, which forgets them when it closes: told again while the rest is being
        # closed, we would fall.
        signal.signal(number, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    return await worker.run(stop, drain_seconds=_DRAIN_SECONDS)


def _allow_many_files() -> None:
    """Let connections, not the usual limit of 1024 files, be what is bounded."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(_FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
