"""Child processes that never outlive us, and are started again when they fall."""

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from aftersend.errors import Transient
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["Supervisor", "spawn", "stop_on_signals"]

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS_MAX = 15.0
_RESTARTS_MAX = 5
_RESTARTS_WITHIN_S = 60.0


def spawn(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that gets SIGTERM when we are gone, however we went."""
    return subprocess.Popen(arguments, preexec_fn=_end_with_parent)  # noqa: PLW1509, S603


@dataclass(slots=True)
class Supervisor:
    """Keeps named processes alive until told to stop.

    Limits: 5 new starts a minute for each; then it gives up, because something is wrong for good.
    """

    commands: Mapping[str, Sequence[str]]
    clock: Clock
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _restarts: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> None:
        """Start all of them."""
        for name, command in self.commands.items():
            self._running[name] = spawn(command)

    def look_after(self) -> None:
        """Start again who has fallen.

        Raises:
            Transient: one falls again and again.
        """
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                self._count_restart(name, code)
                logger("up").warning("started again", process=name, exit_code=code)
                self._running[name] = spawn(self.commands[name])

    def has_ended(self, name: str) -> bool:
        """Tell whether a process is gone at this moment."""
        return self._running[name].poll() is not None

    def stop(self) -> None:
        """Ask all to end, wait for them, and end by force who does not."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _count_restart(self, name: str, code: int) -> None:
        now = self.clock.monotonic()
        recent = [at for at in self._restarts.get(name, []) if now - at < _RESTARTS_WITHIN_S]
        if len(recent) >= _RESTARTS_MAX:
            raise Transient(f"The process {name} falls again and again (exit status {code}).")
        self._restarts[name] = [*recent, now]


def stop_on_signals(stop: Event) -> None:
    """Set `stop` when this process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
