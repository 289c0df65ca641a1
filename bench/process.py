"""Starting programs for a measurement, and what they cost."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

__all__ = [
    "CLIENT_CORE",
    "SERVER_CORE",
    "cores",
    "cpu_seconds",
    "free_port",
    "memory_mib",
    "pin",
    "running",
]

SERVER_CORE = 0
CLIENT_CORE = min(1, (os.cpu_count() or 1) - 1)

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_START_TRIES_MAX = 600


def cores(count: int) -> tuple[int, ...]:
    """Choose cores for a server of `count` processes; the client's only where there are no others.

    >>> cores(1)
    (0,)
    """
    others = [core for core in range(os.cpu_count() or 1) if core != CLIENT_CORE]
    return tuple(others[:count] if count <= len(others) else range(os.cpu_count() or 1))


def memory_mib() -> float:
    """Tell the most memory that this process ever had, in MiB."""
    # Not `getrusage`: it also knows what the process that started us once needed.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    ready_url: str,
    environment: Mapping[str, str] | None = None,
    on: Sequence[int] = (SERVER_CORE,),
) -> Iterator[int]:
    """Run a server on its cores until the block ends; give its process id once it answers."""
    process = subprocess.Popen(
        [*pin(on), *command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait(process, ready_url)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def pin(on: Sequence[int]) -> list[str]:
    """Give what to write before a command so that it runs on some cores only."""
    return ["taskset", "--cpu-list", ",".join(map(str, on))]


def cpu_seconds(*roots: int) -> float:
    """Add up the processor time of processes and all their living descendants, threads included."""
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
    return sum(ticks[pid] for pid in ticks if _descends(pid, roots, parents)) / _TICKS_PER_SECOND


def _descends(pid: int, roots: Sequence[int], parents: Mapping[int, int]) -> bool:
    while pid and pid not in roots:
        pid = parents.get(pid, 0)
    return pid in roots


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
