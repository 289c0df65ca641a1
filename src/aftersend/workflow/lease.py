"""One run of a workflow at a time, across threads, processes and machines.

A lease is a row's text and a moment. It is taken by one UPDATE that succeeds only if it is free,
has run out, or belongs to a process of this machine that is dead: so after SIGKILL the next run
takes over at once. A heartbeat renews it while its run lasts. Its text ends with the run's id:
two runs of one process are two owners.

What a lease cannot do: stop a process that slept past its end from finishing the statement it
woke up in. Therefore every step is safe to do twice, and the lake keeps the pointer in its commit.

Source: architecture, "Outgrowing one machine"; spec §5 ("Concurrent runs prevented").
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from aftersend.database import workflows
from aftersend.database.engine import Database
from aftersend.database.workflows import RESTART, STOP, STOPPED, LeaseRequest, Workflow
from aftersend.errors import Busy, InvalidInput
from aftersend.model.enumeration import WorkflowState
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger
from aftersend.workflow.owner import Owner

__all__ = ["Lease", "Stopped", "holder", "take"]

_HEARTBEATS_A_LEASE = 3
_RUNS_LOOKED_AT = 5


class Stopped(Exception):
    """A run has to end because an operator wants it to; `request` is what was asked.

    No `AftersendError`: a step that deals with those of its own must not deal with this one.
    """

    def __init__(self, request: str) -> None:
        """Keep the `request`; empty when the run was ended without asking it."""
        super().__init__(request)
        self.request = request


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a workflow; `text` is what the row says while it is ours."""

    database: Database
    workflow: str
    text: str
    seconds: float
    clock: Clock

    def renew(self) -> str:
        """Make sure that the lease is still ours, and keep it from now on for its full time.

        Gives what an operator asks of the run; empty: nothing.

        Raises:
            Busy: it ran out and another run has taken it.
            Stopped: the run was ended without asking it.
        """
        until = self.clock.now() + timedelta(seconds=self.seconds)
        with self.database.write() as connection:
            request = workflows.renew_lease(connection, self.workflow, self.text, until)
            if request is None and self._is_ended(connection):
                raise Stopped("")
        if request is None:
            raise self.loss()
        return request

    def check(self) -> None:
        """Renew the lease, and see to it that a run ends that has to.

        Raises:
            Busy: another run has taken over.
            Stopped: an operator wants the run to end now.
        """
        request = self.renew()
        if request in (STOP, RESTART):
            raise Stopped(request)

    def loss(self) -> Busy:
        """Give the error of a run whose lease another one has."""
        return Busy(
            f"Another run of the workflow {self.workflow} has taken over, because this one gave no"
            " sign of life for too long."
        )

    def _is_ended(self, connection: Connection) -> bool:
        run_id = self.text.rpartition("/")[2]
        return run_id.isdecimal() and workflows.run_state(connection, int(run_id)) == STOPPED

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease in the background."""
        stop = Event()
        heart = Thread(target=self._beat, args=(stop,), name="lease", daemon=True)
        heart.start()
        try:
            yield
        finally:
            stop.set()
            heart.join()

    def _beat(self, stop: Event) -> None:
        while not stop.wait(self.seconds / _HEARTBEATS_A_LEASE):
            try:
                self.renew()
            except (Busy, Stopped):
                return
            except SQLAlchemyError as error:
                # The next beat tries again; two may fail before the lease runs out.
                logger("workflow").warning("lease not renewed", error=type(error).__name__)


def take(connection: Connection, request: LeaseRequest) -> None:
    """Take the lease of a workflow.

    Raises:
        Busy: somebody runs it, or it is not due.
        InvalidInput: it is paused, and the run that was asked for is a scheduled one.
    """
    if workflows.take_lease(connection, request):
        return
    row = workflows.find(connection, request.name)
    if row.lease_owner not in ("", request.gone):
        raise Busy(_sentence(connection, row))
    if row.state is not WorkflowState.STARTED:
        state = row.state.label.lower()
        do = "resume" if row.state is WorkflowState.PAUSED else "start"
        raise InvalidInput(f"The workflow {row.name} is {state}: {do} it, or execute it now.")
    raise Busy(f"The workflow {row.name} is not due: somebody has just run it.")


def holder(row: Workflow) -> Owner | None:
    """Tell which process holds a workflow's lease."""
    return Owner.parse(row.lease_owner.rpartition("/")[0])


def _sentence(connection: Connection, row: Workflow) -> str:
    run_id = row.lease_owner.rpartition("/")[2]
    runs = workflows.runs(connection, row.name, limit=_RUNS_LOOKED_AT)
    since = [
        f" since {run.started_at:%Y-%m-%d %H:%M:%S} UTC" for run in runs if str(run.id) == run_id
    ]
    owner = holder(row)
    by = f"process {owner.pid} on {owner.host}" if owner else row.lease_owner
    return f"The workflow {row.name} is being run{''.join(since)} by {by}; wait until it has ended."
