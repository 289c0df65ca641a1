"""Processes for tests that kill: a sink that survives, and a sender that does not.

``python -m tests.support.send_process sink FOLDER`` prints its port and runs until its standard
input ends. ``… send DATABASE FOLDER PORT DELIVERY [STEP]`` sends, and kills itself at a `STEP`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aftersend.database import deliveries, messages
from aftersend.delivery import conversation, dispatch, ledger, send, sink
from aftersend.delivery.mail_server import MailServer
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import SystemClock
from tests.support.post_office import make_office

__all__ = ["STEPS"]

_NTH: Final = 12
"""In the middle of the messages rather than at the first."""


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, *, nth: int = 1, is_after: bool = False) -> None:
    """Kill this process before or after the `nth` call of a function."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def patched(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and not is_after:
            _kill()
        result = original(*args, **named)
        if calls == nth:
            _kill()
        return result

    setattr(owner, name, patched)


class _System:
    """Stands in for the module `os` in one place."""

    def __init__(self) -> None:
        self.write = os.write


def _around_the_dot(*, is_after: bool) -> None:
    system = _System()
    _around(system, "write", nth=_NTH, is_after=is_after)
    conversation.os = system  # type: ignore[assignment, attr-defined]


STEPS: Final[dict[str, Callable[[], None]]] = {
    "before anything is moved": lambda: _around(deliveries, "move"),
    "after the start was written down": lambda: _around(ledger, "create"),
    "after the ledger was made": lambda: _around(ledger, "create", is_after=True),
    "after sending was written down": lambda: _around(send, "_carry_out"),
    "before a body is written": lambda: _around(conversation.Conversation, "_flush", nth=_NTH),
    "after a body was written": lambda: _around(conversation.Conversation, "_end", nth=_NTH),
    "after a dot was written": lambda: _around_the_dot(is_after=True),
    "before an acceptance is written down": lambda: _around(ledger.Ledger, "accept", nth=_NTH),
    "after an acceptance was written down": lambda: _around(
        ledger.Ledger, "accept", nth=_NTH, is_after=True
    ),
    "before a failure is written down": lambda: _around(ledger.Ledger, "fail"),
    "before anything is stored": lambda: _around(messages, "store_outcomes"),
    "after something was stored": lambda: _around(dispatch.Run, "store", is_after=True),
    "before the end is written down": lambda: _around(send, "_finish"),
    "after the end was written down": lambda: _around(ledger, "discard"),
}
"""Where a sender may be killed."""


def _run_sink(outbox: str) -> None:
    def refuse(recipient: str) -> str | None:
        return "550 5.1.1 No such user" if recipient.startswith("unknown") else None

    with sink.running(Path(outbox), refuse=refuse) as port:
        print(port, flush=True)  # noqa: T201
        sys.stdin.read()


def _send(database: str, folder: str, port: str, delivery: str, step: str = "") -> None:
    # Who is started in the background of a shell inherits that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if step:
        STEPS[step]()
    office = make_office(Path(folder), Path(database), clock=SystemClock())
    server = MailServer("127.0.0.1", int(port))
    sent = send.send(office, server, DeliveryId(int(delivery)))
    print(json.dumps([sent.sent, sent.failed]))  # noqa: T201


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {"sink": _run_sink, "send": _send}
    commands[command](*arguments)
