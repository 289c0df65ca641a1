"""A client that asks at a fixed rate, whatever the server does.

When a request is due is told by an absolute clock, and its latency runs from that moment, not from
when it could be sent: a server that pauses is charged for everybody who came meanwhile. One
process, one thread, keep-alive connections; a request takes any that is free, and waits where none
is.
"""

import json
import math
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from bench.process import CLIENT_CORE, pin
from bench.wrk import USER_AGENT

__all__ = ["Client", "Outcome", "Pace", "percentile", "run"]

_ANSWER_BYTES_MAX: Final = 65_536
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_WAIT_SECONDS_MAX: Final = 0.05
_GRACE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How many requests a second, for how many seconds, over how many connections."""

    rate: int
    seconds: int
    connections: int
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: answers, due requests that got none, latencies in milliseconds."""

    answers: int
    missing: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def run(url: str, pace: Pace, folder: Path) -> Outcome:
    """Ask a server from the client's core, in a process of its own."""
    listed = folder / "paced-paths"
    listed.write_text("\n".join(pace.paths))
    command = [*pin([CLIENT_CORE]), sys.executable, "-m", "bench.paced", url, str(pace.rate)]
    command += [str(pace.seconds), str(pace.connections), str(listed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(answer.stdout))


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that `share` of all do not exceed.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)] if values else math.nan


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due: float = 0.0
    buffer: bytes = b""


@dataclass(slots=True)
class Client:
    """The loop of one run."""

    url: str
    pace: Pace
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    _free: list[_Connection] = field(default_factory=list)
    _busy: dict[int, _Connection] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Ask what is due until the end, then go on for a little while with what is late."""
        requests = [_request(self.url, path) for path in self.pace.paths]
        self._free = [self._connect() for _ in range(self.pace.connections)]
        waiting: deque[float] = deque()
        count = self.pace.rate * self.pace.seconds
        begin, sent, made_due = perf_counter(), 0, 0
        end = begin + self.pace.seconds
        while (now := perf_counter()) < end + _GRACE_SECONDS and len(self.latencies) < count:
            while made_due < count and (due := begin + made_due / self.pace.rate) <= now:
                waiting.append(due)
                made_due += 1
            while waiting and self._free:
                connection = self._free.pop()
                connection.due = waiting.popleft()
                connection.socket.send(requests[sent % len(requests)])
                self._busy[connection.socket.fileno()] = connection
                sent += 1
            next_due = begin + made_due / self.pace.rate if made_due < count else math.inf
            self._receive(max(0.0, min(next_due - perf_counter(), _WAIT_SECONDS_MAX)))
        return self._outcome(count, max(end, perf_counter()) - begin)

    def _receive(self, seconds: float) -> None:
        ready, _, _ = select.select(self._busy, [], [], seconds)  # it alone waits by microseconds
        now = perf_counter()
        for descriptor in ready:
            connection = self._busy[descriptor]
            received = connection.socket.recv(_ANSWER_BYTES_MAX)
            connection.buffer += received
            if received and not _is_whole(connection.buffer):
                continue
            del self._busy[descriptor]
            if connection.buffer[9:10] not in {b"2", b"3"}:
                self.errors += 1
            self.latencies.append(now - connection.due)
            if not received or b"\r\nconnection: close" in connection.buffer.lower():
                connection.socket.close()
                connection = self._connect()
            connection.buffer = b""
            self._free.append(connection)

    def _connect(self) -> _Connection:
        parts = urlsplit(self.url)
        made = socket.create_connection((parts.hostname, parts.port), timeout=10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Connection(made)

    def _outcome(self, count: int, seconds: float) -> Outcome:
        for connection in (*self._free, *self._busy.values()):
            connection.socket.close()
        return Outcome(
            answers=len(self.latencies),
            missing=count - len(self.latencies),
            errors=self.errors,
            seconds=seconds,
            p50_ms=percentile(self.latencies, 0.5) * 1e3,
            p99_ms=percentile(self.latencies, 0.99) * 1e3,
            max_ms=max(self.latencies, default=math.nan) * 1e3,
        )


def _request(url: str, path: str) -> bytes:
    lines = f"GET {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", f"User-Agent: {USER_AGENT}"
    return "\r\n".join((*lines, "", "")).encode()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(_END)
    if not end:
        return False
    _, _, rest = head.lower().partition(_LENGTH)
    return len(body) >= int(rest.partition(b"\r\n")[0] or 0)


def _main(url: str, rate: str, seconds: str, connections: str, paths: str) -> None:
    listed = Path(paths).read_text().splitlines()
    client = Client(url, Pace(int(rate), int(seconds), int(connections), listed))
    print(json.dumps(asdict(client.run())))


if __name__ == "__main__":
    _main(*sys.argv[1:])
