"""Lines that could not be loaded: looking at them, and taking out those that are settled.

A line is known by its place: server, segment, offset. Files are written anew without the lines that
are settled, and change places in one commit; one file is in memory at once. Taking out or changing
what is there no more does nothing, so that it may be done again.

Source: Delta transaction log protocol, "Add File and Remove File".
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from aftersend.errors import Transient
from aftersend.lake.schema import REJECTED_LINE
from aftersend.lake.store import COMMIT_TRIES_MAX, Store
from aftersend.lake.table import Lake
from aftersend.model.ids import ServerId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["PLACE", "SETTLED", "by_reason", "page", "pieces", "settle"]

PLACE: Final = ("server", "segment", "offset")

SETTLED: Final = pa.schema(
    (*(REJECTED_LINE.field(name) for name in PLACE), pa.field("reason", pa.string()))
)
"""What became of a rejected line: the `reason` that it has now; null: it is out."""

_APPLICATION: Final = "settle"
_PIECE_BYTES: Final = 64 * 1024 * 1024


def by_reason(
    lake: Lake, *, reason: str | None = None, server: ServerId | None = None
) -> dict[str, int]:
    """Count the rejected lines of one `reason` and one `server` (none: all), by reason."""
    rows = _read(lake.rejected.load(), ["reason"], _wanted(_one(reason), server))
    counts = rows.group_by("reason").aggregate([([], "count_all")]).to_pylist()
    return {str(row["reason"]): int(row["count_all"]) for row in counts}


def page(
    lake: Lake,
    *,
    reason: str | None = None,
    server: ServerId | None = None,
    limit: int,
    offset: int = 0,
) -> pa.Table:
    """Give some of the rejected lines, the newest first; lines of one moment by their places.

    Shape: columns `REJECTED_LINE`.
    """
    table, wanted = lake.rejected.load(), _wanted(_one(reason), server)
    order: Any = [("at", "descending"), *((name, "ascending") for name in PLACE)]
    places = _read(table, [*PLACE, "at"], wanted).sort_by(order).slice(offset, limit)
    if places.num_rows == 0:
        return REJECTED_LINE.empty_table()
    offsets = pc.field("offset").isin(places["offset"].unique())
    segments = pc.field("segment").isin(places["segment"].unique())
    here = offsets & segments
    rows = _read(table, REJECTED_LINE.names, here if wanted is None else here & wanted)
    return rows.join(places.select(PLACE), list(PLACE), join_type="inner").sort_by(order)


def pieces(
    lake: Lake, *, reasons: Collection[str] | None = None, server: ServerId | None = None
) -> Iterator[pa.Table]:
    """Give rejected lines of some `reasons` and one `server` (none: all), some at a time.

    What is settled meanwhile does no harm. Shape: columns `REJECTED_LINE`; never none.
    """
    store = lake.rejected
    table, wanted = store.load(), _wanted(reasons, server)
    for file in _files(table, reasons, server):
        rows = store.read(table, str(file["path"]), REJECTED_LINE.names)
        yield from _cut(rows if wanted is None else rows.filter(wanted))


def settle(lake: Lake, settled: pa.Table) -> None:
    """Take lines out, or give them another reason; they keep when they were rejected first.

    Shape: `settled` has the columns `SETTLED`, each place once.

    Raises:
        Transient: the store failed; doing it again does no harm.
    """
    if settled.num_rows == 0:
        return
    store = lake.rejected
    keyed = settled.rename_columns({"reason": "now"}).append_column(
        "is_settled", pa.repeat(True, settled.num_rows)
    )
    for _attempt in range(COMMIT_TRIES_MAX):
        table = store.load()
        actions = [
            action
            for file in _files(table, None, None, offsets=settled["offset"])
            for action in _rewritten(store, table, file, keyed)
        ]
        transaction = (_APPLICATION, table.version())
        if not actions or store.commit(table, actions, transaction=transaction, metadata={}):
            return
    raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")


def _rewritten(
    store: Store, table: DeltaTable, file: dict[str, Any], keyed: pa.Table
) -> Sequence[AddAction | RemoveAction]:
    path = str(file["path"])
    places = store.read(table, path, list(PLACE))
    if places.join(keyed, list(PLACE), join_type="left semi").num_rows == 0:
        return ()
    rows = store.read(table, path, REJECTED_LINE.names)
    rows = rows.join(keyed, list(PLACE), join_type="left outer")
    is_settled = pc.fill_null(rows["is_settled"], False)
    rows = rows.filter(pc.or_(pc.invert(is_settled), rows["now"].is_valid()))
    removal = store.removal(path, size=int(file["size_bytes"]))
    if rows.num_rows == 0:
        return (removal,)
    reason = pc.coalesce(rows["now"], rows["reason"])
    rows = rows.set_column(rows.column_names.index("reason"), "reason", reason)
    rows = rows.sort_by([(name, "ascending") for name in PLACE])
    return (store.write(rows.select(REJECTED_LINE.names).cast(REJECTED_LINE)), removal)


def _files(
    table: DeltaTable,
    reasons: Collection[str] | None,
    server: ServerId | None,
    offsets: "pa.ChunkedArray[Any] | None" = None,
) -> list[dict[str, Any]]:
    """List the files that may hold such lines; older files do not tell their reasons."""
    files = pa.table(table.get_add_actions(flatten=True))
    spans: list[tuple[str, Any, Any]] = []
    if reasons:
        spans.append(("reason", min(reasons), max(reasons)))
    if server is not None:
        spans.append(("server", server, server))
    if offsets is not None:
        spans.append(("offset", pc.min(offsets).as_py(), pc.max(offsets).as_py()))
    for name, lowest, highest in spans:
        if f"min.{name}" not in files.column_names:
            continue
        reaches = pc.and_(
            pc.less_equal(files[f"min.{name}"], highest),
            pc.greater_equal(files[f"max.{name}"], lowest),
        )
        files = files.filter(pc.fill_null(reaches, True))
    return list(files.to_pylist())


def _cut(rows: pa.Table) -> Iterator[pa.Table]:
    """Cut lines into tables that are handled at once."""
    sizes = pc.cumulative_sum(pc.binary_length(rows["bytes"]).cast(pa.int64())).to_numpy()
    start = 0
    while start < rows.num_rows:
        done = int(sizes[start - 1]) if start else 0
        end = max(start + 1, int(sizes.searchsorted(done + _PIECE_BYTES, side="right")))
        yield rows.slice(start, end - start)
        start = end


def _wanted(reasons: Collection[str] | None, server: ServerId | None) -> Any:
    wanted = None if reasons is None else pc.field("reason").isin(sorted(reasons))
    if server is not None:
        is_of_server = pc.field("server") == str(server)
        wanted = is_of_server if wanted is None else wanted & is_of_server
    return wanted


def _one(reason: str | None) -> Collection[str] | None:
    return None if reason is None else (reason,)


def _read(table: DeltaTable, columns: Sequence[str], wanted: Any) -> pa.Table:
    return table.to_pyarrow_dataset().to_table(columns=list(columns), filter=wanted)
