"""Pointers: how far each tracking server has been read, and moving them safely.

Moved back, lines come again, and those that the lake has are recognised by their log ids. Moved
forward, lines between are never asked for. What waits in the inbox is put aside, under another
name: it comes again.

Source: spec §5 ("Pointer change").
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftersend.database import audit, workflows
from aftersend.database.audit import AuditEntry
from aftersend.errors import Busy, InvalidInput, NotFound
from aftersend.lake import late
from aftersend.lake.table import Lake
from aftersend.model.enumeration import WorkflowState
from aftersend.model.ids import LogId, ServerId
from aftersend.model.logline import log_id
from aftersend.tracking import inbox
from aftersend.tracking.context import Context

__all__ = ["Moved", "Pointer", "move", "pointers", "skipped"]

WORKFLOW: Final = "tracking"

_LOG_ID: Final = re.compile(r"([0-9A-Za-z])0x([0-9A-F]{16})")
_NUMBER_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pointer:
    """How far a server has been read: its last line that was dealt with, 0 = none yet.

    `highest` is more than `number` after the pointer was moved back.
    """

    server: ServerId
    number: int
    log_id: LogId
    highest: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A pointer before and after, and how many numbers will never be asked for."""

    before: Pointer
    after: Pointer
    skipped: int


def pointers(lake: Lake, folder: Path) -> list[Pointer]:
    """List the servers that lines were ever read from; `folder` is the inbox."""
    servers = sorted({*late.servers(lake), *inbox.servers(folder)})
    return [_pointer(lake, server) for server in servers]


def skipped(lake: Lake, to: str) -> int:
    """Tell how many numbers would never be asked for if a pointer were moved to log id `to`.

    Raises:
        InvalidInput: this is no log id.
    """
    server, number = _parsed(to)
    return max(0, number - lake.pointer(server))


def move(
    context: Context, server: ServerId, to: str, *, operator: str, is_skipping: bool = False
) -> Moved:
    """Let the next run ask a `server` for the lines behind log id `to`; 0 is before the first one.

    Raises:
        Busy: the workflow is being run.
        InvalidInput: it is started, `to` is no log id of this server, or lies ahead without
            `is_skipping`.
        NotFound: nothing was ever read from this server.
    """
    owner, number = _parsed(to)
    if owner != server:
        raise InvalidInput(f"{to} is no log id of tracking server {server}.")
    _must_rest(context)
    if server not in {each.server for each in pointers(context.lake, context.inbox)}:
        raise NotFound("tracking server with a pointer", server)
    before = _pointer(context.lake, server)
    lost = max(0, number - before.number)
    if lost and not is_skipping:
        raise InvalidInput(
            f"{to} lies ahead of {before.log_id}: {lost:,} numbers would never be asked for."
        )
    inbox.put_aside(context.inbox, server)
    late.move_pointer(context.lake, server, number=number, known=before.number)
    after = _pointer(context.lake, server)
    details = {"from": before.log_id, "to": after.log_id, "skipped": lost}
    at = context.clock.now()
    with context.database.write() as connection:
        audit.write(connection, AuditEntry(at, "pointer", server, "move", operator, details))
    return Moved(before, after, lost)


def _must_rest(context: Context) -> None:
    with context.database.read() as connection:
        row = workflows.find(connection, WORKFLOW)
    if row.lease_owner:
        raise Busy(f"The workflow {row.name} is being run; wait until it has ended.")
    if row.state not in (WorkflowState.PAUSED, WorkflowState.FINISHED):
        raise InvalidInput(f"The workflow {row.name} is {row.state.label.lower()}: pause it first.")


def _parsed(text: str) -> tuple[ServerId, int]:
    match = _LOG_ID.fullmatch(text)
    number = int(match[2], 16) if match else _NUMBER_MAX + 1
    if match is None or number > _NUMBER_MAX:
        raise InvalidInput(f"{text} is no log id: for example 10x0000000000000001.")
    return ServerId(match[1]), number


def _pointer(lake: Lake, server: ServerId) -> Pointer:
    number = lake.pointer(server)
    return Pointer(server, number, log_id(server, number), late.highest(lake, server))
