"""Lines that come behind their pointer: tried again, repaired, or given once more.

Lines that come in their order are loaded exactly once because the pointer says so. These are loaded
exactly once because a hit with their log id is looked for first. Their commits carry the pointer of
their server as it stands, so that of two that load lines of one server at once, one looks again.

`highest` of a server is the number up to which its lines were ever dealt with. It is another number
than the pointer only where a person has moved the pointer back.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute
from deltalake import DeltaTable

from aftersend.errors import Busy, Transient
from aftersend.lake.schema import DAY
from aftersend.lake.store import COMMIT_TRIES_MAX
from aftersend.lake.table import PURGE, Lake, maintaining
from aftersend.model.ids import ServerId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["append_late", "are_hits", "highest", "is_known", "move_pointer", "named", "reached"]
__all__ += ["servers"]

_HIGHEST: Final = "highest:"
_HEAD: Final = re.compile(rb"([0-9A-Za-z]0x[0-9A-F]{16})\t")


def highest(lake: Lake, server: ServerId) -> int:
    """Tell up to which number lines of `server` were ever dealt with."""
    return _highest(lake.hits.load(), server)


def reached(lake: Lake, server: ServerId) -> tuple[int, int]:
    """Give the pointer of `server` and its `highest`, of one moment."""
    table = lake.hits.load()
    return table.transaction_version(server) or 0, _highest(table, server)


def servers(lake: Lake) -> list[ServerId]:
    """List the servers whose hits are in the lake."""
    files = pa.table(lake.hits.load().get_add_actions(flatten=True))
    if files.num_rows == 0:
        return []
    ids = files["min.log_id"].to_pylist() if "min.log_id" in files.column_names else []
    return sorted({ServerId(str(text)[:1]) for text in ids if text})


def is_known(lake: Lake, lines: pa.Table, *, has_been: bool = False) -> "pa.Array[Any]":
    """Tell of lines whether the lake has their hits; only the days of the lines are looked at.

    `has_been`: the lines were dealt with before, so those of days whose raw hits are removed for
    good count as known too.

    Shape: `lines` has columns log_id and at.
    """
    table = lake.hits.load()
    known = _is_known(table, lines)
    purged = table.transaction_version(PURGE)
    if not has_been or not purged:
        return known
    first = pa.scalar(date.fromordinal(purged), pa.date32())
    is_purged = pc.less(lines["at"].cast(pa.date32()), first)
    either: pa.Array[Any] = pc.or_(known, is_purged.combine_chunks())
    return either


def are_hits(lake: Lake, log_ids: Any) -> "pa.Array[Any]":
    """Tell of log ids whether the lake has their hits, whatever their time is; null is not there.

    The whole lake may have to be read for it.
    """
    return _are_hits(lake.hits.load(), log_ids, None)


def named(lines: Iterable[Any]) -> "pa.Array[Any]":
    """Read the log ids that lines begin with, damaged ones too; null where there is none.

    Shape: `lines` are bytes.
    """
    matches = (_HEAD.match(line) for line in lines)
    return pa.array([match and match[1].decode() for match in matches], pa.string())


def append_late(lake: Lake, batch: pa.Table, *, server: ServerId) -> int:
    """Keep those hits of a `server` that the lake does not have; tell how many that were.

    All of them are kept for good, or none. Pointers stay where they are.

    Shape: `batch` has the columns of `TRACKING_LOG`, each log id once.

    Raises:
        Transient: the store failed; doing it again does no harm.
    """
    for _attempt in range(COMMIT_TRIES_MAX):
        table = lake.hits.load()
        new = batch.filter(pc.invert(_is_known(table, batch)))
        if new.num_rows == 0:
            return 0
        pointer = table.transaction_version(server) or 0
        if lake.append_on(table, new, transaction=(server, pointer)):
            return int(new.num_rows)
    raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")


def move_pointer(lake: Lake, server: ServerId, *, number: int, known: int) -> None:
    """Let the next run ask a server for the lines behind `number`.

    Up to the pointer as it was, lines are from now on looked up by their log ids.

    Raises:
        Busy: the pointer is not `known` any more: lines are being loaded.
        Transient: the store failed; doing it again does no harm.
    """
    table = lake.hits.load()
    if (table.transaction_version(server) or 0) != known:
        raise _moved(server)
    transaction = (f"{_HIGHEST}{server}", _highest(table, server))
    # First what makes a move harmless, then the move.
    if not lake.hits.commit(table, [], transaction=transaction, metadata=maintaining()):
        raise _moved(server)
    table = lake.hits.load()
    if (table.transaction_version(server) or 0) != known:
        raise _moved(server)
    if not lake.hits.commit(table, [], transaction=(server, number), metadata=maintaining()):
        raise _moved(server)


def _moved(server: ServerId) -> Busy:
    return Busy(f"Lines of tracking server {server} are being loaded; try again when they are.")


def _highest(table: DeltaTable, server: ServerId) -> int:
    before = table.transaction_version(f"{_HIGHEST}{server}") or 0
    return max(before, table.transaction_version(server) or 0)


def _is_known(table: DeltaTable, lines: pa.Table) -> "pa.Array[Any]":
    days = lines["at"].cast(pa.date32()).unique()
    return _are_hits(table, lines["log_id"], pc.field(DAY).isin(days))


def _are_hits(table: DeltaTable, log_ids: Any, within: Any) -> "pa.Array[Any]":
    span = pc.min_max(log_ids).as_py()
    if span["min"] is None:
        return pa.repeat(False, len(log_ids))
    wanted = (pc.field("log_id") >= span["min"]) & (pc.field("log_id") <= span["max"])
    if within is not None:
        wanted &= within
    found = table.to_pyarrow_dataset().to_table(columns=["log_id"], filter=wanted)
    known = pc.is_in(log_ids, value_set=found["log_id"])
    result: pa.Array[Any] = known.combine_chunks() if hasattr(known, "chunks") else known
    return result
