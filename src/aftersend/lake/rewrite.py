"""Changing hits that are loaded: files are written anew and change places in one commit.

Delta's own MERGE would do it with files and statistics of its own, on the disk some time after the
commit; here files are written as everywhere in the lake. What is not changed stays byte by byte
what it was, pointers of tracking servers stay (they are in the log, not in the files), and readers
of an older state go on reading the old files, which maintenance removes later.

The pointer of an application is the version of the lake that it has seen.

Source: Delta transaction log protocol, "Add File and Remove File".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from aftersend.lake.schema import DAY
from aftersend.lake.table import (
    APPLICATION,
    MAINTENANCE,
    Files,
    Lake,
    commits_since,
    in_order,
    touching,
)
from aftersend.model.ids import DeliveryId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["OLD_DELIVERY_ID", "Rewriting"]

OLD_DELIVERY_ID: Final = "old_delivery_id"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The hits as they are at one moment, for an `application` that changes some of them."""

    lake: Lake
    table: DeltaTable
    application: str

    @classmethod
    def begin(cls, lake: Lake, application: str) -> Self:
        """Look at the newest state."""
        return cls(lake, lake.hits.load(), application)

    @property
    def is_done(self) -> bool:
        """Tell whether nothing came since the application was here, but for its own changes.

        Maintenance joins and removes files; it brings no hits.
        """
        commits = commits_since(self.table, self._seen)
        return commits is not None and all(
            commit.get(APPLICATION) in (self.application, MAINTENANCE) for commit in commits
        )

    @property
    def files(self) -> Files:
        """List all files of hits."""
        return self.lake.files_at(self.table, self._paths(self.table))

    @property
    def new_files(self) -> Files:
        """List the files that were not there when the application was here; it may be more."""
        paths = self._paths(self.table)
        older = self.lake.hits.load_at(self._seen)
        if older is not None:
            paths -= self._paths(older)
        return self.lake.files_at(self.table, paths)

    def commit(self, changes: Iterable[tuple[date, pa.Table]]) -> bool:
        """Write the files of changed hits anew, and note that the application has seen all.

        `changes` gives each day at most once; only hits of one day are in memory at once. It was
        in vain when somebody has changed the same files meanwhile: begin again.

        Shape: one row per changed hit: log_id, at, `OLD_DELIVERY_ID`, delivery_id, and any other
            columns of `TRACKING_LOG` with what is to stand there.

        Raises:
            Transient: the store failed; beginning again does no harm.
        """
        actions: list[AddAction | RemoveAction] = []
        deliveries: set[DeliveryId] = set()
        earliest: datetime | None = None
        for day, rows in changes:
            actions += self._rewritten(day, rows)
            for name in (OLD_DELIVERY_ID, "delivery_id"):
                deliveries.update(map(DeliveryId, np.unique(rows[name].to_numpy()).tolist()))
            first = pc.min(rows["at"]).as_py()
            earliest = first if earliest is None else min(first, earliest)
        metadata = touching(deliveries, earliest=earliest) | {APPLICATION: self.application}
        transaction = (self.application, self.table.version())
        return self.lake.hits.commit(
            self.table, actions, transaction=transaction, metadata=metadata
        )

    @property
    def _seen(self) -> int:
        return self.table.transaction_version(self.application) or 0

    def _rewritten(self, day: date, rows: pa.Table) -> list[AddAction | RemoveAction]:
        store, actions = self.lake.hits, list[AddAction | RemoveAction]()
        for file in self._files_of(day, rows):
            path = str(file["path"])
            ids = store.read(self.table, path, ["log_id"])["log_id"]
            places = pc.index_in(ids, value_set=rows["log_id"])
            if places.null_count == len(ids):
                continue
            changed = in_order(_changed(store.read(self.table, path), rows, places))
            partition = day.isoformat()
            actions.append(store.write(changed, partition))
            actions.append(store.removal(path, size=int(file["size_bytes"]), partition=partition))
        return actions

    def _files_of(self, day: date, rows: pa.Table) -> list[dict[str, Any]]:
        """List the files that may hold some hits of a day."""
        files = pa.table(self.table.get_add_actions(flatten=True))
        is_wanted = pc.equal(files[f"partition.{DAY}"], day)
        for column, name in (("log_id", "log_id"), (OLD_DELIVERY_ID, "delivery_id")):
            span = pc.min_max(rows[column]).as_py()
            reaches = pc.and_(
                pc.less_equal(files[f"min.{name}"], span["max"]),
                pc.greater_equal(files[f"max.{name}"], span["min"]),
            )
            is_wanted = pc.and_(is_wanted, reaches)
        return list(files.filter(is_wanted).to_pylist())

    def _paths(self, table: DeltaTable) -> set[str]:
        return set(map(str, pa.table(table.get_add_actions(flatten=True))["path"].to_pylist()))


def _changed(hits: pa.Table, rows: pa.Table, places: Any) -> pa.Table:
    """Put `rows` over the `hits` that they stand for; `places` are those of rows, or null."""
    places = places.combine_chunks()
    is_changed = places.is_valid()
    order = places.drop_null()
    for at, field in enumerate(hits.schema):
        if field.name not in rows.column_names or field.name in ("log_id", "at"):
            continue
        new = rows[field.name].combine_chunks().take(order).cast(field.type)
        column = pc.replace_with_mask(hits[field.name].combine_chunks(), is_changed, new)
        hits = hits.set_column(at, field, column)
    return hits
