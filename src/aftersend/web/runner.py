"""Runs that somebody starts from a page: in a thread of their own, one at a time a workflow."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from aftersend.errors import AftersendError, Busy
from aftersend.platform.telemetry import logger
from aftersend.workflow.engine import RunResult

__all__ = ["Runner"]


class Runner:
    """Starts workflows for people who do not wait; tells what runs and what went wrong."""

    def __init__(self, run: Callable[[str], RunResult]) -> None:
        """Start runs with `run`, which takes the workflow's name."""
        self._run = run
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="workflow")
        self._runs: dict[str, Future[str]] = {}

    def start(self, name: str) -> None:
        """Start a run of the workflow `name`; returns at once.

        Raises:
            Busy: the run that was started before has not ended.
        """
        with self._lock:
            if self.is_running(name):
                raise Busy(f"The workflow {name} is running.")
            self._runs[name] = self._threads.submit(self._go, name)

    def is_running(self, name: str) -> bool:
        """Tell whether a run that was started here has not ended."""
        return name in self._runs and not self._runs[name].done()

    def problem(self, name: str) -> str:
        """Say why the last run that was started here failed; empty when it did not."""
        run = self._runs.get(name)
        return run.result() if run is not None and run.done() else ""

    def close(self) -> None:
        """Wait for what runs, and start nothing more."""
        self._threads.shutdown(wait=True)

    def _go(self, name: str) -> str:
        try:
            self._run(name).check()
        except AftersendError as error:
            logger("web").warning("run failed", workflow=name, error=str(error))
            return str(error)
        except Exception:  # noqa: BLE001 - the edge of a thread: nobody else would hear of it
            logger("web").exception("run broke", workflow=name)
            return "The run broke off because of a fault in Aftersend; the server's log says more."
        return ""
