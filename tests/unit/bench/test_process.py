"""Processor time of a process and its descendants."""

import os
import subprocess
import sys

from bench.process import cpu_seconds, free_port, running


def test_descendants() -> None:
    """A child's time is counted with its parent's, and a stranger's is not."""
    burn = "import sys\nfor _ in range(5_000_000): pass\nprint(1, flush=True)\nsys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin
    assert child.stdout
    with child.stdin, child.stdout:
        child.stdout.readline()
        own, whole = cpu_seconds(child.pid), cpu_seconds(os.getpid())
    child.wait()

    assert 0.02 < own < whole


def test_running() -> None:
    """A server is given once it answers, and is gone afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]

    with running(command, ready_url=f"http://127.0.0.1:{port}/") as pid:
        os.kill(pid, 0)

    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
