"""A steady load of hits, each told apart by its cookie, and a workflow that never rests.

`python -m tests.support.soak DIRECTORY SECONDS` runs the Tracking workflow of an instance every so
many seconds until its standard input is closed, once more after that, and prints one JSON line a
run: its counts and the memory of the process.
"""

import json
import socket
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from select import select
from threading import Event
from time import monotonic

from aftersend.app import open_instance, run_workflow

__all__ = ["Load", "resident_bytes", "source_id"]

CONNECTIONS = 8
_TIMEOUT_S = 5.0
_BREATH_S = 0.02
_HEAD_BYTES_MAX = 4096


def source_id(number: int) -> str:
    """Spell the cookie of hit `number`, in the form of a UUID of version 4."""
    return str(uuid.UUID(int=number, version=4))


@dataclass(slots=True)
class Load:
    """Asks for `paths` in turn, `rate` hits a second, on connections that stay open.

    `answered` has a place for every hit that was asked: 1 when its answer arrived whole.
    """

    port: int
    paths: Sequence[str]
    rate: int
    answered: bytearray = field(default_factory=bytearray)
    _sockets: list[socket.socket | None] = field(
        default_factory=lambda: [None] * CONNECTIONS, init=False
    )

    def run(self, stop: Event) -> None:
        """Ask until `stop` is set; what cannot be asked in time is asked late, not left out."""
        begun = monotonic()
        while not stop.is_set():
            due = begun + len(self.answered) / self.rate
            if (ahead := due - monotonic()) > 0:
                stop.wait(ahead)
            self._round(stop)
        for place in range(CONNECTIONS):
            self._close(place)

    def _round(self, stop: Event) -> None:
        asked = [(place, self._ask(place, stop)) for place in range(CONNECTIONS)]
        for place, number in asked:
            if number is not None:
                self._take(place, number)

    def _ask(self, place: int, stop: Event) -> int | None:
        connection = self._sockets[place] or self._connect(place, stop)
        if connection is None:
            return None
        number = len(self.answered)
        self.answered.append(0)
        path = self.paths[number % len(self.paths)]
        head = f"GET {path} HTTP/1.1\r\nHost: t\r\nUser-Agent: soak\r\n"
        try:
            connection.sendall(f"{head}Cookie: uuid230={source_id(number)}\r\n\r\n".encode())
        except OSError:
            self._close(place)
        return number

    def _take(self, place: int, number: int) -> None:
        connection = self._sockets[place]
        if connection is None:
            return
        try:
            status = _answer(connection)
        except OSError:
            self._close(place)
            return
        assert status in (200, 302), status
        self.answered[number] = 1

    def _connect(self, place: int, stop: Event) -> socket.socket | None:
        try:
            self._sockets[place] = socket.create_connection(("127.0.0.1", self.port), _TIMEOUT_S)
        except OSError:
            stop.wait(_BREATH_S)
        return self._sockets[place]

    def _close(self, place: int) -> None:
        if (connection := self._sockets[place]) is not None:
            connection.close()
            self._sockets[place] = None


def resident_bytes(pid: int) -> int:
    """Tell how much memory of its own a process has touched."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel tells the memory of every process")


def _answer(connection: socket.socket) -> int:
    """Read one whole answer and give its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        assert len(data) <= _HEAD_BYTES_MAX, "our heads are short"
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += _received(connection)
    return int(head.split()[1])


def _received(connection: socket.socket) -> bytes:
    part = connection.recv(_HEAD_BYTES_MAX)
    if not part:
        raise ConnectionResetError("the server is gone")
    return part


def _collect(directory: Path, seconds: float) -> None:
    opened = open_instance(directory)
    is_going_on = True
    while is_going_on:
        is_going_on = not select([sys.stdin], [], [], seconds)[0]
        counts = run_workflow(opened, "tracking").counts
        memory = resident_bytes(int(Path("/proc/self").readlink().name))
        sys.stdout.write(json.dumps({**asdict(counts), "memory": memory}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        _collect(Path(sys.argv[1]), float(sys.argv[2]))
