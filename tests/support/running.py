"""A whole instance, started as its owner starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from threading import Event

import httpx

__all__ = ["Running", "comes_true", "free_port", "is_answered", "is_listening", "up"]

_START_SECONDS = 60
_STOP_SECONDS = 30
_READY = b"Stop with Ctrl-C."


@dataclass(frozen=True, slots=True)
class Running:
    """Where the parts of a started instance answer, and the process that holds them."""

    instance: Path
    app_url: str
    collector_url: str
    process: subprocess.Popen[bytes]

    @property
    def outbox(self) -> list[Path]:
        """List the messages that the sink has kept, in the order of arrival."""
        return sorted((self.instance / "var" / "outbox").glob("*.eml"))

    def children(self, command: str) -> list[int]:
        """List the processes that it started and whose command line holds a word."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in pids if command in Path(f"/proc/{one}/cmdline").read_text()]

    def answers(self, url: str) -> bool:
        """Tell whether an address answers within `_START_SECONDS`."""
        return comes_true(lambda: is_answered(url), _START_SECONDS)

    def are_gone(self, pids: list[int]) -> bool:
        """Tell whether processes end within `_STOP_SECONDS`."""
        return comes_true(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), _STOP_SECONDS
        )


def free_port() -> int:
    """Find a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def up(instance: Path) -> Iterator[Running]:
    """Run `aftersend up --smtp-sink` until the block ends; all its processes end with it."""
    port, collector_port = free_port(), free_port()
    arguments = ["--port", str(port), "--collector-port", str(collector_port), "--smtp-sink"]
    process = subprocess.Popen(
        [sys.executable, "-m", "aftersend", "up", "--instance", str(instance), *arguments],
        stderr=subprocess.PIPE,
    )
    try:
        _wait_until_ready(process)
        yield Running(
            instance,
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{collector_port}",
            process,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_STOP_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    seen = b""
    while _READY not in seen:
        readable, _, _ = select([process.stderr], [], [], _START_SECONDS)
        piece = os.read(process.stderr.fileno(), 4096) if readable else b""
        assert piece, f"the instance did not start: {seen.decode(errors='replace')}"
        seen += piece


def comes_true(is_so: Callable[[], bool], seconds: int) -> bool:
    """Tell whether something comes true within some seconds."""
    for _ in range(seconds * 20):
        if is_so():
            return True
        Event().wait(0.05)
    return False


def is_answered(url: str) -> bool:
    """Tell whether an address answers well, once."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on a port of this machine."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
