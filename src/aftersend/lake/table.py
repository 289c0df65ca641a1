"""The lake: every hit in `tracking_log`, every line that could not be loaded in `rejected_line`.

Invariants:

- Exactly once comes from the table. A commit of hits carries the application transaction
  (server id → last line number) in the same log entry, and the pointer of a server *is* that
  transaction: there is no moment at which one is true without the other.
- Rows of a commit are parted by UTC day and sorted by delivery and time; the commit names the
  deliveries it touches, how many hits each of them got, and the days.
- Rows are added, never changed, with one exception: `rewrite` puts to people what their
  browsers did before we knew them.
- In a local lake files are on the disk before the commit names them, and the commit is on the disk
  before `append` returns: what is then acknowledged cannot be taken back by a power cut.
- No deletion vectors: any engine may read the files as plain Parquet.

Source: architecture D4, "Data plane"; Delta transaction log protocol, "Transaction Identifiers".
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from pyarrow.fs import FileSystem

from aftersend.errors import Busy, Transient
from aftersend.lake.schema import DAY, REJECTED_LINE, TRACKING_LOG
from aftersend.lake.store import COMMIT_TRIES_MAX, Store
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.model.logline import log_id, time_text
from aftersend.platform.clock import Clock

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["APPLICATION", "MAINTENANCE", "PURGE", "Files", "Lake", "commits_since", "in_order"]
__all__ += ["Touch", "maintaining", "touching"]

APPLICATION: Final = "application"
"""What names in a commit who changed hits that were there before."""

MAINTENANCE: Final = "maintenance"
"""The application whose commits bring no hits and change no figure."""

PURGE: Final = "purge"
"""The application whose pointer is the first day whose hits are kept, as an ordinal."""

COMMITS_READ_MAX: Final = 10_000
DELIVERIES_NAMED_MAX: Final = 10_000

_THREADS: Final = 2
_DELIVERIES: Final = "deliveries"
_ALL: Final = "all"
_EARLIEST: Final = "earliest"
_DAYS: Final = "days"


@dataclass(frozen=True, slots=True)
class Touch:
    """What one commit, at one `version` of the lake, did to one delivery.

    `hits` is how many it brought; none: it changed some, or nobody knows. No hit of it happened
    before `earliest`; none: nobody knows.
    """

    version: int
    hits: int | None
    earliest: datetime | None


@dataclass(frozen=True, slots=True)
class Files:
    """Parquet files of the tracking log at one version; `system` none: local paths."""

    paths: Sequence[str]
    system: FileSystem | None = None


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake that exists; every call sees its newest version."""

    hits: Store
    rejected: Store

    @classmethod
    def open(cls, url: str, *, options: Mapping[str, str], clock: Clock) -> Self:
        """Open the lake at `url`, a folder or an object store, and make it if it is missing.

        `options` are those of the store, as Delta spells them.

        Raises:
            Transient: the store cannot be reached or written.
        """
        base = url.rstrip("/")
        lake = cls(
            hits=Store(
                url=f"{base}/tracking_log",
                options=options,
                clock=clock,
                schema=TRACKING_LOG,
                parted_by=DAY,
                statistics=("log_id", "delivery_id", "message_id", "recipient_id"),
                unlike=frozenset(("log_id", "at")),
            ),
            rejected=Store(
                url=f"{base}/rejected_line",
                options=options,
                clock=clock,
                schema=REJECTED_LINE,
                parted_by=None,
                statistics=("server", "segment", "offset", "reason"),
                unlike=frozenset(("offset", "bytes")),
            ),
        )
        lake.hits.create()
        lake.rejected.create()
        return lake

    @property
    def scratch(self) -> Path | None:
        """Give a folder for what a query cannot keep in memory; none for an object store."""
        folder = self.hits.folder
        return None if folder is None else folder.with_name("scratch")

    @property
    def version(self) -> int:
        """Number the newest commit of hits."""
        version: int = self.hits.load().version()
        return version

    @property
    def first_day(self) -> date | None:
        """Tell before which day raw hits were removed for good; none: none were yet."""
        ordinal = _pointer(self.hits.load(), PURGE)
        return date.fromordinal(ordinal) if ordinal else None

    def pointer(self, server: ServerId) -> int:
        """Tell the number of the last line of `server` that was dealt with; 0 = none yet."""
        return _pointer(self.hits.load(), server)

    def files(self, deliveries: Collection[DeliveryId] | None = None) -> Files:
        """List the files that may hold hits of `deliveries` (none named: all files)."""
        table = self.hits.load()
        files = pa.table(table.get_add_actions(flatten=True))
        if deliveries is not None:
            files = files.filter(_may_hold(files, sorted(deliveries)))
        return self.files_at(table, map(str, files["path"].to_pylist()))

    def files_of_days(self, days: Collection[date]) -> Files:
        """List the files with hits of some UTC days."""
        table = self.hits.load()
        files = pa.table(table.get_add_actions(flatten=True))
        if files.num_rows:
            files = files.filter(pc.field(f"partition.{DAY}").isin(list(days)))
        return self.files_at(table, map(str, files["path"].to_pylist()))

    def files_at(self, table: DeltaTable, paths: Iterable[str]) -> Files:
        """Give files of the state `table` by their paths in it, so that engines can read them."""
        folder = self.hits.folder
        if folder is None:
            return Files(sorted(paths), self.hits.system(table))
        return Files([str(folder / path) for path in sorted(paths)])

    def touched_since(self, version: int) -> Mapping[DeliveryId, Sequence[Touch]] | None:
        """Tell what became of which deliveries after `version`; none: nobody knows, so of all."""
        commits = commits_since(self.hits.load(), version)
        if commits is None:
            return None
        found: defaultdict[DeliveryId, list[Touch]] = defaultdict(list)
        for commit in commits:
            named = str(commit.get(_DELIVERIES, _ALL))
            if named == _ALL:
                return None
            text = str(commit.get(_EARLIEST, ""))
            earliest = datetime.fromisoformat(text) if text else None
            for one in filter(None, named.split(",")):
                number, _, hits = one.partition(":")
                touch = Touch(int(commit["version"]), int(hits) if hits else None, earliest)
                found[DeliveryId(int(number))].append(touch)
        return found

    def days_since(self, version: int) -> set[date] | None:
        """Tell on which UTC days hits happened that came after `version`; none: nobody knows."""
        commits = commits_since(self.hits.load(), version)
        if commits is None:
            return None
        days = set[date]()
        for commit in commits:
            if APPLICATION in commit or commit.get(_DELIVERIES) == "":
                continue  # web visits that changed hands, or nothing at all
            if _DAYS not in commit:
                return None
            days.update(map(date.fromisoformat, filter(None, str(commit[_DAYS]).split(","))))
        return days

    def days(self) -> set[date]:
        """List the UTC days that have hits."""
        files = pa.table(self.hits.load().get_add_actions(flatten=True))
        found: list[Any] = files[f"partition.{DAY}"].to_pylist() if files.num_rows else []
        return set(found)

    def append(
        self, batch: pa.Table, *, server: ServerId, last: int, deliveries: Collection[DeliveryId]
    ) -> None:
        """Keep the hits of a `server` up to its line `last`, all and for good, or none.

        `batch` may be empty: the pointer moves past lines that were all rejected.

        Shape: `batch` has the columns of `TRACKING_LOG`, one row per line.

        Raises:
            Busy: somebody else has loaded lines of this server meanwhile; nothing was kept.
            Transient: the store failed; whether the hits were kept, the pointer tells.
        """
        first = pc.min(batch["log_id"]).as_py()
        actions = self._write_days(batch)
        metadata = _bringing(batch, deliveries)
        for _attempt in range(COMMIT_TRIES_MAX):
            table = self.hits.load()
            pointer = _pointer(table, server)
            if last <= pointer or (first is not None and first <= log_id(server, pointer)):
                raise Busy(f"Lines of tracking server {server} are being loaded by somebody else.")
            if self.hits.commit(table, actions, transaction=(server, last), metadata=metadata):
                return
        raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")

    def append_on(
        self, table: DeltaTable, batch: pa.Table, *, transaction: tuple[str, int]
    ) -> bool:
        """Keep hits on top of the state `table` of hits; tell whether that could be done.

        `transaction` is as for `Store.commit`. Shape: `batch` has the columns of `TRACKING_LOG`.

        Raises:
            Transient: the store failed.
        """
        deliveries = map(DeliveryId, np.unique(batch["delivery_id"].to_numpy()).tolist())
        metadata = _bringing(batch, set(deliveries))
        actions = self._write_days(batch)
        return self.hits.commit(table, actions, transaction=transaction, metadata=metadata)

    def rejected_places(self, server: ServerId, segments: Collection[str]) -> pa.Table:
        """Tell where the lines stood that were rejected in some `segments` of a `server`.

        Shape: one row per rejected line; columns segment text, offset i64.
        """
        return _rejected_places(self.rejected.load(), server, segments)

    def append_rejected(self, lines: pa.Table, *, server: ServerId) -> None:
        """Keep lines that cannot be loaded; those kept before, by segment and offset, stay as is.

        Shape: `lines` has columns segment, offset, reason, bytes; one row per line.

        Raises:
            Transient: the store failed; doing it again does no harm.
        """
        segments = list(map(str, lines["segment"].unique().to_pylist()))
        for _attempt in range(COMMIT_TRIES_MAX):
            table = self.rejected.load()
            known = _rejected_places(table, server, segments)
            new = lines.join(known, ["segment", "offset"], join_type="left anti")
            if new.num_rows == 0:
                return
            action = self.rejected.write(self._signed(new, server))
            # Of two that write at once one fails, looks again and finds nothing left to add.
            writes = _pointer(table, server) + 1
            if self.rejected.commit(table, [action], transaction=(server, writes), metadata={}):
                return
        raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")

    def _write_days(self, batch: pa.Table) -> list[AddAction]:
        batch = in_order(batch.select(TRACKING_LOG.names).cast(TRACKING_LOG))
        return [
            self.hits.write(rows.drop_columns([DAY]), rows[DAY][0].as_py().isoformat())
            for rows in _stretches(batch, DAY)
        ]

    def _signed(self, lines: pa.Table, server: ServerId) -> pa.Table:
        now = self.rejected.clock.now()
        count = lines.num_rows
        lines = lines.append_column("server", pa.repeat(pa.scalar(server, pa.string()), count))
        lines = lines.append_column(
            "at", pa.repeat(pa.scalar(now, REJECTED_LINE.field("at").type), count)
        )
        return lines.select(REJECTED_LINE.names).cast(REJECTED_LINE)


def touching(
    deliveries: Collection[DeliveryId] | Mapping[DeliveryId, int], *, earliest: datetime | None
) -> dict[str, str]:
    """Spell what a commit says of itself: whose hits it touches, and since when.

    A mapping tells how many hits it brings to each delivery. Without a number, all figures of the
    delivery are computed anew, however little has changed.
    """
    hits = deliveries if isinstance(deliveries, Mapping) else {}
    named = ",".join(
        f"{one}:{hits[one]}" if one in hits else f"{one}" for one in sorted(deliveries)
    )
    return {
        _DELIVERIES: named if len(deliveries) <= DELIVERIES_NAMED_MAX else _ALL,
        _EARLIEST: "" if earliest is None else f"{time_text(earliest)}+00:00",
    }


def _bringing(batch: pa.Table, deliveries: Collection[DeliveryId]) -> dict[str, str]:
    """Spell what a commit says that adds the hits of `batch`, which are of these deliveries."""
    counted = pc.value_counts(batch["delivery_id"]).to_pylist()
    hits = {one["values"]: one["counts"] for one in counted}
    named = {number: hits.get(number, 0) for number in deliveries}
    days: list[Any] = batch["at"].cast(pa.date32()).unique().to_pylist()
    listed = ",".join(day.isoformat() for day in sorted(days))
    return touching(named, earliest=pc.min(batch["at"]).as_py()) | {_DAYS: listed}


def maintaining() -> dict[str, str]:
    """Spell that a commit brings no hits, so that nobody computes anything anew."""
    return touching((), earliest=None) | {APPLICATION: MAINTENANCE}


def _pointer(table: DeltaTable, application: str) -> int:
    return table.transaction_version(application) or 0


def commits_since(table: DeltaTable, version: int) -> Sequence[Mapping[str, Any]] | None:
    """List what the commits after `version` say of themselves; none: not all are known."""
    count = table.version() - version
    if not 0 <= count <= COMMITS_READ_MAX:
        return None
    commits = table.history(count) if count else []
    return commits if len(commits) == count else None


def _may_hold(files: pa.Table, deliveries: Sequence[DeliveryId]) -> "pa.Array[Any]":
    """Tell of each file whether the next wanted delivery from its lowest is within its highest."""
    if not deliveries:
        return pa.repeat(False, files.num_rows)
    wanted = np.array(deliveries, np.int64)
    lowest = files["min.delivery_id"].to_numpy()
    highest = files["max.delivery_id"].to_numpy()
    at = np.minimum(np.searchsorted(wanted, lowest), len(wanted) - 1)
    return pa.array((wanted[at] >= lowest) & (wanted[at] <= highest))


def in_order(batch: pa.Table) -> pa.Table:
    """Sort hits by day, where there is one, delivery and time.

    Column by column, which takes a fifth of the time.
    """
    keys = [batch["at"], batch["delivery_id"]]
    if DAY in batch.column_names:
        keys.append(batch[DAY].cast(pa.int32()))
    order = np.lexsort([key.cast(pa.int64()).to_numpy() for key in keys])
    with ThreadPoolExecutor(_THREADS) as threads:
        columns = threads.map(
            lambda column: column.combine_chunks().take(order), batch.itercolumns()
        )
        return pa.table([*columns], schema=batch.schema)


def _stretches(batch: pa.Table, name: str) -> Iterator[pa.Table]:
    """Give the stretches of a sorted table that have one value in a column, without a copy."""
    values = batch[name].combine_chunks()
    ends = np.flatnonzero(values[1:].to_numpy(False) != values[:-1].to_numpy(False)) + 1
    places = [0, *ends.tolist(), len(values)]
    for begin, end in pairwise(places):
        if end > begin:
            yield batch.slice(begin, end - begin)


def _rejected_places(table: DeltaTable, server: ServerId, segments: Collection[str]) -> pa.Table:
    places = (pc.field("server") == server) & pc.field("segment").isin(list(segments))
    return table.to_pyarrow_dataset().to_table(columns=["segment", "offset"], filter=places)
