"""Load on a tracking server that is killed again and again, and a note of who was answered."""

import http.client
import itertools
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from aftersend.collector.config import CollectorConfig
from aftersend.model.token import KeyRing
from tests.support.tracking_server import DELIVERY, SHOP, spelled

__all__ = ["Answered", "Killable", "Server", "hammer"]

_TIMEOUT_S = 5.0
_BREATH_S = 0.005
_START_TRIES_MAX = 4000


@dataclass(frozen=True, slots=True, order=True)
class Answered:
    """A hit whose answer has arrived whole; no two have the same message."""

    message_id: int
    url_id: int


class Killable(Protocol):
    """A tracking server that can be killed and started again on the same port and spool."""

    @property
    def config(self) -> CollectorConfig:
        """Tell where it listens."""
        ...

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ...

    def kill(self) -> None:
        """End it in the middle of whatever it does, and wait until it is gone."""
        ...


@dataclass(slots=True)
class Server:
    """A tracking server as a process, see `tests.support.tracking_server`."""

    config: CollectorConfig
    file: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        self.file.write_bytes(pickle.dumps(self.config))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.tracking_server", str(self.file)],
            stdout=subprocess.DEVNULL,
        )
        _wait_until_it_answers(self.config)

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM; give the exit status."""
        assert self.process is not None, "stop follows start"
        self.process.terminate()
        return self.process.wait(30)


def hammer(
    server: Killable, *, kills: int, seed: int, clients: int = 4, delivery_id: int = DELIVERY
) -> list[Answered]:
    """Click and open from several threads while the server is killed `kills` times.

    In the end it runs, and every answered hit was given back. A hit without an answer may have been
    stored or not; nothing is asked twice.
    """
    chance = random.Random(seed)
    load = _Load(server.config.port, server.config.keys, delivery_id)
    threads = [Thread(target=load.run, args=(first,)) for first in range(1, clients + 1)]
    server.start()
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            load.stop.wait(chance.uniform(0, 0.3))
            server.kill()
            server.start()
        load.stop.wait(0.1)
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()
    return sorted(load.answered)


@dataclass(slots=True)
class _Load:
    """What the client threads share."""

    port: int
    keys: KeyRing
    delivery_id: int
    stop: Event = field(default_factory=Event)
    messages: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    answered: list[Answered] = field(default_factory=list)

    def run(self, number: int) -> None:
        """Ask on one connection after the other until told to stop."""
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
            with suppress(OSError, http.client.HTTPException):
                while not self.stop.is_set():
                    self._ask(connection, next(self.messages))
            connection.close()
            self.stop.wait(_BREATH_S * number)

    def _ask(self, connection: http.client.HTTPConnection, message_id: int) -> None:
        url_id = 1 if message_id % 3 == 0 else SHOP
        token = spelled(url_id, delivery_id=self.delivery_id, message_id=message_id, keys=self.keys)
        connection.request("GET", f"/r/{token}{'.gif' if url_id == 1 else ''}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (200 if url_id == 1 else 302), answer.status
        self.answered.append(Answered(message_id, url_id))


def _wait_until_it_answers(config: CollectorConfig) -> None:
    pause = Event()
    for _ in range(_START_TRIES_MAX):
        connection = http.client.HTTPConnection("127.0.0.1", config.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/r/test")
            connection.getresponse().read()
        except OSError:
            pause.wait(_BREATH_S)
        else:
            return
        finally:
            connection.close()
    raise AssertionError("the tracking server did not start")
