"""A process that is a tracking server."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Final

from aftersend.collector.app import Collector
from aftersend.collector.config import CollectorConfig
from aftersend.collector.worker import Worker, listen
from aftersend.errors import Transient
from aftersend.platform import telemetry
from aftersend.platform.clock import Clock, SystemClock
from aftersend.platform.entropy import Entropy, SystemEntropy

__all__ = ["serve"]

_DRAIN_SECONDS: Final = 5.0
_FILES_MAX: Final = 65_536


def serve(
    config: CollectorConfig, *, clock: Clock | None = None, entropy: Entropy | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is under way, sync and return.

    Raises:
        Busy: the port or the spool is in use.
        Transient: the address cannot be listened on, or a folder cannot be used.
    """
    telemetry.configure(is_json=not sys.stderr.isatty())
    _allow_many_files()
    listener = listen(config.host, config.port)
    collector = Collector(config, clock or SystemClock(), entropy or SystemEntropy())
    try:
        collector.open()
    except OSError as error:
        listener.close()
        raise Transient(
            f"The tracking server cannot use {error.filename or config.spool_directory}:"
            f" {error.strerror}."
        ) from error
    except BaseException:
        listener.close()
        raise
    place = f"[{config.host}]" if ":" in config.host else config.host
    port = listener.getsockname()[1]
    try:
        has_drained = asyncio.run(_serve(Worker(collector, listener), f"{place}:{port}"))
    finally:
        collector.close()
    if not has_drained:
        # Threads of the HTTP server still hold connections; the interpreter cannot end below them.
        telemetry.logger("collector").warning("connections were cut", after_seconds=_DRAIN_SECONDS)
        sys.stderr.flush()
        os._exit(0)


async def _serve(worker: Worker, place: str) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    telemetry.logger("collector").info("listening", address=f"http://{place}")
    return await worker.run(stop, drain_seconds=_DRAIN_SECONDS)


def _allow_many_files() -> None:
    """Let connections, not the usual limit of 1024 files, be what is bounded."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(_FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
