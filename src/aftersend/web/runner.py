"""Runs that somebody starts from a page: in a thread of their own, one of a name at a time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol

from aftersend.errors import AftersendError, Busy
from aftersend.platform.telemetry import logger

__all__ = ["Runner"]


class Ended(Protocol):
    """What came of a run."""

    def check(self) -> None:
        """Do nothing when it went well.

        Raises:
            AftersendError: why it did not.
        """
        ...


class Runner:
    """Starts what people do not wait for; tells what runs and what went wrong."""

    def __init__(self, run: Callable[[str, str], Ended]) -> None:
        """Start runs with `run`: it takes a name of what is to do, and who asks for it."""
        self._run = run
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="workflow")
        self._runs: dict[str, Future[str]] = {}

    def start(self, name: str, operator: str = "") -> None:
        """Start a run of the workflow `name` for somebody; returns at once.

        Raises:
            Busy: the run that was started before has not ended.
        """
        with self._lock:
            if self.is_running(name):
                raise Busy(f"The workflow {name} is running.")
            self._runs[name] = self._threads.submit(self._go, name, operator)

    def is_running(self, name: str) -> bool:
        """Tell whether a run that was started here has not ended."""
        return name in self._runs and not self._runs[name].done()

    def knows(self, name: str) -> bool:
        """Tell whether a run was started here since the app began."""
        return name in self._runs

    def problem(self, name: str) -> str:
        """Say why the last run that was started here failed; empty when it did not."""
        run = self._runs.get(name)
        return run.result() if run is not None and run.done() else ""

    def close(self) -> None:
        """Wait for what runs, and start nothing more."""
        self._threads.shutdown(wait=True)

    def _go(self, name: str, operator: str) -> str:
        try:
            self._run(name, operator).check()
        except AftersendError as error:
            logger("web").warning("run failed", workflow=name, error=str(error))
            return str(error)
        except Exception:  # noqa: BLE001 - the edge of a thread: nobody else would hear of it
            logger("web").exception("run broke", workflow=name)
            return "The run broke off because of a fault in Aftersend; the server's log says more."
        return ""
