"""Starting programs for a measurement, and what they cost."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

__all__ = ["CLIENT_CORE", "SERVER_CORE", "cpu_seconds", "free_port", "running"]

SERVER_CORE = 0
CLIENT_CORE = min(1, (os.cpu_count() or 1) - 1)

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_START_TRIES_MAX = 600


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], *, ready_url: str, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server on its core until the block ends; give its process id once it answers."""
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(SERVER_CORE), *command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait(process, ready_url)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def cpu_seconds(root: int) -> float:
    """Add up the processor time of a process and all its living descendants, threads included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        ticks[pid] = int(fields[11]) + int(fields[12])
    return sum(ticks[pid] for pid in ticks if _descends(pid, root, parents)) / _TICKS_PER_SECOND


def _descends(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid not in {0, root}:
        pid = parents.get(pid, 0)
    return pid == root


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(_START_TRIES_MAX):
        try:
            urlopen(url, timeout=1).close()
        except OSError:
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"{process.args!r} ended before it answered") from None
        return
    raise RuntimeError(f"{url} does not answer")
