"""Child processes that never outlive us, and are started again when they fall."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from aftersend.errors import Transient
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["Supervisor", "spawn", "stop_on_signals"]

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS_MAX = 15.0
_RESTARTS_MAX = 5
_RESTARTS_WITHIN_S = 60.0
# Who falls for the first time is started again at once; who falls again may need the world to mend.
_PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0)


def spawn(arguments: Sequence[str], *, descriptors: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start a process that gets SIGTERM when we are gone, however we went.

    `descriptors` are open files of ours that it has too, under the same numbers.
    """
    return subprocess.Popen(  # noqa: S603
        arguments,
        pass_fds=descriptors,
        preexec_fn=partial(_end_with_parent, os.getpid()),  # noqa: PLW1509
    )


@dataclass(slots=True)
class Supervisor:
    """Keeps named processes alive until told to stop.

    Limits: 5 new starts a minute for each, with growing pauses; then it gives up, because something
        is wrong for good.
    """

    commands: Mapping[str, Sequence[str]]
    clock: Clock
    descriptors: Sequence[int] = ()
    part: str = "up"
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _restarts: dict[str, list[float]] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Start all of them."""
        for name, command in self.commands.items():
            self._running[name] = spawn(command, descriptors=self.descriptors)

    def look_after(self) -> None:
        """Start again who has fallen.

        Raises:
            Transient: one falls again and again.
        """
        for name, process in self._running.items():
            code = process.poll()
            if code is None:
                continue
            if name not in self._due:
                self._due[name] = self._next_start(name, code)
            if self.clock.monotonic() >= self._due[name]:
                del self._due[name]
                logger(self.part).warning("started again", process=name, exit_code=code)
                command = self.commands[name]
                self._running[name] = spawn(command, descriptors=self.descriptors)

    def has_ended(self, name: str) -> bool:
        """Tell whether a process is gone at this moment."""
        return self._running[name].poll() is not None

    def process_id(self, name: str) -> int:
        """Tell the id of a process, also of one that has just ended."""
        return self._running[name].pid

    def stop(self) -> None:
        """Ask all to end, wait for them, and end by force who does not."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = self.clock.monotonic() + _STOP_SECONDS_MAX
        for process in self._running.values():
            try:
                process.wait(max(0.0, until - self.clock.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _next_start(self, name: str, code: int) -> float:
        """Tell when a fallen process is to be started again, and count it."""
        now = self.clock.monotonic()
        recent = [at for at in self._restarts.get(name, []) if now - at < _RESTARTS_WITHIN_S]
        if len(recent) >= _RESTARTS_MAX:
            raise Transient(f"The process {name} falls again and again (exit status {code}).")
        self._restarts[name] = [*recent, now]
        return now + _PAUSES_S[len(recent)]


def stop_on_signals(stop: Event) -> None:
    """Set `stop` when this process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())


def _end_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before it could be noticed
        os._exit(1)
