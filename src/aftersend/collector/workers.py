"""Several tracking servers on one port: a process each, and one that keeps them alive.

That one takes the port and hands it to the others, so that a port in use is told at once, and so
that people who arrive while a server falls wait in the queue of the port for the next one. It
answers nobody itself.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.server import place_of
from aftersend.collector.snapshot import path_of, pid_of
from aftersend.collector.worker import listen
from aftersend.errors import Transient
from aftersend.model.ids import ServerId
from aftersend.platform import telemetry
from aftersend.platform.clock import Clock
from aftersend.platform.process import Supervisor, stop_on_signals

__all__ = ["supervise"]

_LOOK_SECONDS: Final = 0.25

Command = Callable[[ServerId, int], Sequence[str]]
"""Gives the command of the server with an id, which finds the port under a descriptor."""


def supervise(config: CollectorConfig, command: Command, clock: Clock) -> None:
    """Keep the servers `config.server_ids` alive until SIGTERM or SIGINT; then let them drain.

    Raises:
        Busy: the port is in use.
        Transient: one cannot start, or falls again and again; the others are ended in order.
    """
    telemetry.configure(is_json=not sys.stderr.isatty())
    assert config.run_directory is not None, "they tell there that they are ready"
    stop = Event()
    stop_on_signals(stop)
    listener = listen(config.host, config.port)
    number = listener.fileno()
    commands = {_name(each): command(each, number) for each in config.server_ids}
    supervisor = Supervisor(commands, clock, descriptors=(number,), part="collector")
    telemetry.logger("collector").info(
        "listening", address=place_of(listener, config.host), servers="".join(config.server_ids)
    )
    for server_id in config.server_ids:  # of a last time, perhaps with the same process ids
        path_of(config.run_directory, server_id).unlink(missing_ok=True)
    try:
        supervisor.start()
        _look_after(supervisor, config.server_ids, config.run_directory, stop)
    finally:
        listener.close()  # nobody is to wait in a queue that is not served any more
        supervisor.stop()


def _look_after(
    supervisor: Supervisor, server_ids: Sequence[ServerId], directory: Path, stop: Event
) -> None:
    starting = set(server_ids)
    while not stop.wait(_LOOK_SECONDS):
        for server_id in sorted(starting):
            if supervisor.process_id(_name(server_id)) == pid_of(directory, server_id):
                starting.remove(server_id)
            elif supervisor.has_ended(_name(server_id)):
                raise Transient(f"The tracking server {server_id} could not start; see above.")
        supervisor.look_after()


def _name(server_id: ServerId) -> str:
    return f"collector {server_id}"
