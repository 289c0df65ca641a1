"""Talking to a tracking server as no browser does: byte by byte, too much, or not at all."""

import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aftersend.collector.config import CollectorConfig
from aftersend.collector.server import serve
from aftersend.collector.worker import Patience, listen
from tests.support.running import comes_true, is_answered
from tests.support.tracking_server import configured, made_catalogue, publish

__all__ = ["Lingering", "lingering"]

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Lingering:
    """A tracking server as a process, and connections to it."""

    config: CollectorConfig
    process: subprocess.Popen[bytes]

    def open(self, data: bytes = b"") -> socket.socket:
        """Open a connection, and send something at once."""
        connection = socket.create_connection(("127.0.0.1", self.config.port), TIMEOUT_S)
        connection.sendall(data)
        return connection

    def ask(self, data: bytes) -> bytes:
        """Send something, and give all that comes until the other side closes."""
        with self.open(data) as connection:
            return read_to_end(connection)

    def stop(self) -> tuple[int, str]:
        """Ask for the end; give the exit status and what was logged."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the other side closes; a connection that stays open fails the test."""
    data = b""
    try:
        while piece := connection.recv(65_536):
            data += piece
    except ConnectionResetError:
        pass  # closed while we were still sending
    return data


@contextmanager
def lingering(
    directory: Path, patience: Patience | None = None, **changes: Any
) -> Iterator[Lingering]:
    """Run a tracking server with little patience until the block ends."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    config = configured(directory, port=port, **changes)
    publish(config, made_catalogue())
    file = directory / "lingering"
    file.write_bytes(pickle.dumps((config, patience)))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.lingering", str(file)], stderr=subprocess.PIPE
    )
    try:
        assert comes_true(lambda: is_answered(f"http://127.0.0.1:{port}/r/test"), 60)
        yield Lingering(config, process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    told, wanted = pickle.loads(Path(sys.argv[1]).read_bytes())
    serve(told, patience=wanted)
