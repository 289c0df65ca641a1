"""Rejected lines as people see them: looking at them, trying them again, repairing them.

What is tried again is loaded exactly once by its log id, and leaves the rejected lines only when it
is in the lake (`retry.try_lines`). A repaired line takes the place of the rejected one that begins
with its log id; where that is damaged too, of the one whose place is named.

Source: spec §4.7, D-07, D-12.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from aftersend.database import audit
from aftersend.database.audit import AuditEntry
from aftersend.errors import InvalidInput
from aftersend.lake import late
from aftersend.lake import rejected as lines_rejected
from aftersend.lake.line import Lines, parse
from aftersend.lake.rejected import PLACE, SETTLED
from aftersend.lake.table import Lake
from aftersend.model.ids import LogId, ServerId
from aftersend.tracking import agent
from aftersend.tracking.context import Context
from aftersend.tracking.resolve import resolve
from aftersend.tracking.retry import Tried, servers_of, try_lines, visits_of

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Rejected", "RejectedLine", "Repaired", "Retried", "exported", "listed", "repair"]
__all__ += ["retry"]

_ENTITY = "rejected_line"


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that could not be loaded: where it stood, why, since when; `log_id` if readable."""

    server: ServerId
    segment: str
    offset: int
    reason: str
    at: datetime
    data: bytes
    log_id: LogId | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Some rejected lines, how many there are in all, and how many by reason."""

    rows: Sequence[RejectedLine]
    total: int
    by_reason: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of lines that were tried again: read = loaded + already + Σ rejected."""

    read: int
    loaded: int
    already: int
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done with a repaired line: `outcome` is loaded, already, or why it was refused.

    `line` counts from 1; `replaced` are the places of the rejected lines that it stands for now.
    """

    line: int
    log_id: LogId | None
    outcome: str
    replaced: Sequence[str] = ()


def listed(
    lake: Lake,
    *,
    reason: str | None = None,
    server: ServerId | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Rejected:
    """Give rejected lines of one `reason` and one `server` (none: all), the newest first."""
    counts = lines_rejected.by_reason(lake, reason=reason, server=server)
    rows = lines_rejected.page(lake, reason=reason, server=server, limit=limit, offset=offset)
    names = late.named(rows["bytes"].to_pylist()).to_pylist()
    found = [
        RejectedLine(
            server=ServerId(row["server"]),
            segment=row["segment"],
            offset=row["offset"],
            reason=row["reason"],
            at=row["at"],
            data=row["bytes"],
            log_id=None if name is None else LogId(name),
        )
        for row, name in zip(rows.to_pylist(), names, strict=True)
    ]
    return Rejected(found, sum(counts.values()), counts)


def exported(
    lake: Lake, *, reason: str | None = None, server: ServerId | None = None
) -> Iterator[bytes]:
    """Give rejected lines as they came, with their line feeds, ready to be repaired."""
    reasons = None if reason is None else (reason,)
    for rows in lines_rejected.pieces(lake, reasons=reasons, server=server):
        texts: list[Any] = rows["bytes"].to_pylist()
        yield from (text + b"\n" for text in texts)


def retry(
    context: Context,
    *,
    reason: str | None = None,
    server: ServerId | None = None,
    operator: str = "",
) -> Retried:
    """Try rejected lines of one `reason` and one `server` again (none: all); figures come later.

    `operator` is who asks for it.

    Raises:
        Transient: the store failed; what was loaded is loaded, doing it again does no harm.
    """
    visits, total = visits_of(context), Tried()
    reasons = None if reason is None else (reason,)
    for lines in lines_rejected.pieces(context.lake, reasons=reasons, server=server):
        for name, rows in servers_of(lines):
            tried = try_lines(context, name, rows, visits)
            lines_rejected.settle(context.lake, tried.settled)
            total += tried
    counts = total.counts
    read = counts.read + sum(total.rejected.values())
    result = Retried(read, counts.loaded, counts.already, total.rejected)
    details = {"reason": reason, "read": read, "loaded": counts.loaded, "already": counts.already}
    _audit(context, server or "all", "retry", operator, details)
    return result


def repair(
    context: Context, data: bytes, *, at: tuple[str, int] | None = None, operator: str = ""
) -> list[Repaired]:
    """Load repaired lines in place of the rejected ones, and say what was done with each.

    `at` is segment and offset of the one rejected line that the only line of `data` stands for.

    Raises:
        InvalidInput: `at` is given, but not one line.
        Transient: the store failed; doing it again does no harm.
    """
    parsed = parse(data)
    count = parsed.valid.num_rows + parsed.rejected.num_rows
    if at is not None and count != 1:
        raise InvalidInput(f"A place belongs to one repaired line, but the file has {count:,}.")
    done = [
        Repaired(row + 1, None, f"it does not follow the format ({reason})")
        for row, reason in zip(
            parsed.row_index(parsed.rejected["byte_at"].to_numpy()).tolist(),
            parsed.rejected["reason"].to_pylist(),
            strict=True,
        )
    ]
    servers = pc.utf8_slice_codeunits(parsed.valid["log_id"], 0, 1)
    for name in sorted(map(str, servers.unique().to_pylist())):
        lines = parsed.valid.filter(pc.equal(servers, name))
        done += _repair(context, ServerId(name), parsed, lines, at)
    done.sort(key=lambda one: one.line)
    loaded = sum(one.outcome == "loaded" for one in done)
    _audit(context, "repaired", "repair", operator, {"read": count, "loaded": loaded})
    return done


def _repair(
    context: Context,
    server: ServerId,
    parsed: Lines,
    lines: pa.Table,
    at: tuple[str, int] | None,
) -> Iterator[Repaired]:
    log_ids = [str(text) for text in lines["log_id"].to_pylist()]
    places = _places(context.lake, server, set(log_ids), at)
    if at is not None:
        places = {log_ids[0]: places[""]} if "" in places else {}
    is_known = late.are_hits(context.lake, lines["log_id"]).to_numpy(zero_copy_only=False)
    is_read = lines["number"].to_numpy() <= late.highest(context.lake, server)
    has_place = np.array([text in places for text in log_ids], np.bool_)
    new = lines.filter(pa.array(~is_known & is_read & has_place))
    is_in_range = np.ones(new.num_rows, np.bool_)
    found = resolve(new, visits_of(context), server=server, is_in_range=is_in_range)
    agent.keep(context.database, found.agents, context.machines)
    late.append_late(context.lake, found.hits, server=server)
    refused = dict(zip(found.rejected_at.tolist(), found.reasons.to_pylist(), strict=True))
    settled = list[tuple[str, str, int]]()
    rows = parsed.row_index(lines["byte_at"].to_numpy()).tolist()
    for index, (text, byte_at) in enumerate(
        zip(log_ids, lines["byte_at"].to_pylist(), strict=True)
    ):
        if is_known[index]:
            outcome = "already"
        elif not has_place[index]:
            outcome = (
                "no rejected line begins with its log id: name the place of the one it repairs"
            )
        elif not is_read[index]:
            outcome = "its number has not been read from its server yet"
        else:
            outcome = "loaded" if byte_at not in refused else f"it is rejected ({refused[byte_at]})"
        is_settled = outcome in ("loaded", "already")
        replaced = places.get(text, ()) if is_settled else ()
        settled += [(server, *place) for place in replaced]
        told = [f"{segment}:{offset}" for segment, offset in replaced]
        yield Repaired(rows[index] + 1, LogId(text), outcome, told)
    lines_rejected.settle(context.lake, _settled(settled))


def _places(
    lake: Lake, server: ServerId, log_ids: set[str], at: tuple[str, int] | None
) -> dict[str, list[tuple[str, int]]]:
    """Give the places of rejected lines by the log ids they begin with; that `at` by no name."""
    found: dict[str, list[tuple[str, int]]] = {}
    for rows in lines_rejected.pieces(lake, server=server):
        names = late.named(rows["bytes"].to_pylist()).to_pylist()
        columns = (rows["segment"].to_pylist(), rows["offset"].to_pylist())
        for name, segment, offset in zip(names, *columns, strict=True):
            place = (str(segment), int(str(offset)))
            if place == at:
                found[""] = [place]
            if name is not None and name in log_ids:
                found.setdefault(str(name), []).append(place)
    return found


def _settled(places: Sequence[tuple[str, str, int]]) -> pa.Table:
    rows = sorted(set(places))
    columns: dict[str, Any] = {
        name: [place[index] for place in rows] for index, name in enumerate(PLACE)
    }
    return pa.table(columns | {"reason": [None] * len(rows)}, schema=SETTLED)


def _audit(
    context: Context, name: str, action: str, operator: str, details: Mapping[str, Any]
) -> None:
    entry = AuditEntry(context.clock.now(), _ENTITY, name, action, operator, details)
    with context.database.write() as connection:
        audit.write(connection, entry)
