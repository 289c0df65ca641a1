"""Several tracking servers on one port, started as an administrator does."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from aftersend import app, settings
from aftersend.collector.config import CollectorConfig, configured, server_ids_from
from aftersend.collector.snapshot import pid_of
from aftersend.model.ids import ServerId
from aftersend.platform.entropy import SystemEntropy
from tests.support.running import comes_true, free_port, is_answered
from tests.support.tracking_server import made_catalogue, publish

__all__ = ["WorkerSet"]

_START_SECONDS = 60


@dataclass(slots=True)
class WorkerSet:
    """An instance and the command `collector --workers N` in it; `start` may be said again.

    What `kill` does makes it one that load tests can use: it kills one server after the other, or,
    when it `is_gentle`, asks all of them to end.
    """

    instance: Path
    workers: int = 2
    host: str = "127.0.0.1"
    is_gentle: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    killed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.instance.exists():
            app.init(self.instance, entropy=SystemEntropy())
        publish(self.config, made_catalogue())

    @property
    def config(self) -> CollectorConfig:
        """Tell what the first of them is told."""
        loaded = settings.load(self.instance)
        first = ServerId("1")
        server_ids = server_ids_from(first, self.workers)
        return configured(
            self.instance, loaded, server_id=first, port=self.port, server_ids=server_ids
        )

    @property
    def url(self) -> str:
        """Tell where they answer."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def spools(self) -> list[Path]:
        """List the spools of all."""
        config = self.config
        return [config.spool_of(each) for each in config.server_ids]

    @property
    def process_ids(self) -> list[int]:
        """List the processes that serve, in the order of their ids; 0 for one that is not ready."""
        run = self.instance / "var" / "run"
        return [pid_of(run, each) for each in self.config.server_ids]

    def start(self) -> None:
        """Start what does not run, and wait until all of them are ready."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                self.command,
                stderr=subprocess.PIPE,
                env=os.environ | {"AFTERSEND_COLLECTOR__HOST": self.host} | self.environment,
            )
        assert comes_true(lambda: self.is_ready, _START_SECONDS), self.process.poll()

    @property
    def command(self) -> list[str]:
        """Give the command that starts all of them."""
        options = ["--port", str(self.port), "--workers", str(self.workers), "--server-id", "1"]
        here = ["--instance", str(self.instance)]
        return [sys.executable, "-m", "aftersend", "collector", *here, *options]

    @property
    def is_ready(self) -> bool:
        """Tell whether all are there, none of them killed, and one answers."""
        pids = self.process_ids
        are_there = all(pid and Path(f"/proc/{pid}").exists() for pid in pids)
        is_new = not set(pids) & set(self.killed)
        return are_there and is_new and is_answered(f"{self.url}/r/test")

    def kill(self) -> None:
        """End one of them by force, each in its turn; or all of them in order."""
        if self.is_gentle:
            assert self.stop()[0] == 0, "they end in order"
            return
        pid = self.process_ids[len(self.killed) % self.workers]
        self.killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ask for the end; give the exit status and what was logged."""
        assert self.process is not None, "stop follows start"
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()

    def close(self) -> None:
        """Leave nobody behind."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
