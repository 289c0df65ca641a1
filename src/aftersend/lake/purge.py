"""Taking rows out of the lake for good: old hits by whole days, hits of deliveries, old lines.

Each kind is looked at in one state first, so that it can be counted without being touched, and
whoever freezes deliveries before the commit knows exactly which hits go with it. Commits are those
of maintenance: they name no delivery, so nothing is computed anew. Files stay until `vacuum`.

Source: spec §10.1, §10.2; architecture D8.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from aftersend.lake.parts import FilePart, file_parts
from aftersend.lake.table import MAINTENANCE, PURGE, Lake, maintaining
from aftersend.model.ids import DeliveryId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["HitsOf", "OldHits", "OldLines"]


@dataclass(frozen=True, slots=True)
class OldHits:
    """The hits of whole days before `before`, as they are in one state of the lake."""

    lake: Lake
    table: DeltaTable
    before: date
    files: Sequence[FilePart]

    @classmethod
    def find(cls, lake: Lake, before: date) -> Self:
        """Look at the newest state."""
        table = lake.hits.load()
        files = [part for part in file_parts(table) if part.day is not None and part.day < before]
        return cls(lake, table, before, files)

    @property
    def days(self) -> int:
        """Count the days."""
        return len({part.day for part in self.files})

    def count(self, *, without: Collection[DeliveryId] = ()) -> int:
        """Count the hits, but for those of some deliveries."""
        known = sum(part.rows for part in self.files)
        return known - _count_of(self.lake, self.table, self.files, without)

    def deliveries(self) -> set[DeliveryId]:
        """List the deliveries that these hits are of."""
        found: set[DeliveryId] = set()
        for part in self.files:
            rows = self.lake.hits.read(self.table, part.path, ["delivery_id"])
            ids: list[int] = pc.unique(rows["delivery_id"]).to_pylist()
            found.update(map(DeliveryId, ids))
        return found

    def remove(self) -> bool:
        """Take them out in one commit, and note the first day that is kept.

        It was in vain when somebody has changed these files meanwhile: look again.

        Raises:
            Transient: the store failed; beginning again does no harm.
        """
        if not self.files:
            return True
        store = self.lake.hits
        actions = [
            store.removal(part.path, size=part.size, partition=part.partition)
            for part in self.files
        ]
        before = self.table.transaction_version(PURGE) or 0
        transaction = (PURGE, max(before, self.before.toordinal()))
        return store.commit(self.table, actions, transaction=transaction, metadata=maintaining())


@dataclass(frozen=True, slots=True)
class HitsOf:
    """The hits of some deliveries, as they are in one state of the lake."""

    lake: Lake
    table: DeltaTable
    deliveries: Collection[DeliveryId]
    files: Sequence[FilePart]

    @classmethod
    def find(cls, lake: Lake, deliveries: Collection[DeliveryId]) -> Self:
        """Look at the newest state."""
        table = lake.hits.load()
        files = [part for part in file_parts(table) if _may_hold(part, deliveries)]
        return cls(lake, table, deliveries, files)

    def count(self) -> int:
        """Count them."""
        return _count_of(self.lake, self.table, self.files, self.deliveries)

    def remove(self) -> bool:
        """Write the files they are in anew without them, in one commit.

        It was in vain when somebody has changed these files meanwhile: look again.

        Raises:
            Transient: the store failed; beginning again does no harm.
        """
        store, actions = self.lake.hits, list[AddAction | RemoveAction]()
        for part in self.files:
            rows = store.read(self.table, part.path)
            kept = rows.filter(pc.invert(_is_of(rows["delivery_id"], self.deliveries)))
            if kept.num_rows == rows.num_rows:
                continue
            if kept.num_rows:
                actions.append(store.write(kept, part.partition))
            actions.append(store.removal(part.path, size=part.size, partition=part.partition))
        return _commit(self.lake, self.table, actions) if actions else True


@dataclass(frozen=True, slots=True)
class OldLines:
    """Rejected lines that were rejected before a moment, as they are in one state of the lake."""

    lake: Lake
    table: DeltaTable
    before: datetime

    @classmethod
    def find(cls, lake: Lake, before: datetime) -> Self:
        """Look at the newest state."""
        return cls(lake, lake.rejected.load(), before)

    def count(self) -> int:
        """Count them."""
        return sum(pc.sum(is_old).as_py() or 0 for _part, is_old in self._parts())

    def remove(self) -> bool:
        """Take them out in one commit; whole files go as they are, others are written anew.

        It was in vain when somebody has changed these files meanwhile: look again.

        Raises:
            Transient: the store failed; beginning again does no harm.
        """
        store, actions = self.lake.rejected, list[AddAction | RemoveAction]()
        for part, is_old in self._parts():
            if not pc.any(is_old).as_py():
                continue
            if not pc.all(is_old).as_py():
                kept = store.read(self.table, part.path).filter(pc.invert(is_old))
                actions.append(store.write(kept))
            actions.append(store.removal(part.path, size=part.size))
        if not actions:
            return True
        transaction = (MAINTENANCE, self.table.version())
        return store.commit(self.table, actions, transaction=transaction, metadata=maintaining())

    def _parts(self) -> Iterator[tuple[FilePart, Any]]:
        limit = pa.scalar(self.before, pa.timestamp("us", tz="UTC"))
        for part in file_parts(self.table):
            moments = self.lake.rejected.read(self.table, part.path, ["at"])["at"]
            yield part, pc.less(moments, limit)


def _commit(lake: Lake, table: DeltaTable, actions: Sequence[AddAction | RemoveAction]) -> bool:
    transaction = (MAINTENANCE, table.version())
    return lake.hits.commit(table, actions, transaction=transaction, metadata=maintaining())


def _count_of(
    lake: Lake, table: DeltaTable, files: Sequence[FilePart], deliveries: Collection[DeliveryId]
) -> int:
    count = 0
    for part in files:
        if _may_hold(part, deliveries):
            ids = lake.hits.read(table, part.path, ["delivery_id"])["delivery_id"]
            count += pc.sum(_is_of(ids, deliveries)).as_py() or 0
    return count


def _may_hold(part: FilePart, deliveries: Collection[DeliveryId]) -> bool:
    return any(part.lowest <= each <= part.highest for each in deliveries)


def _is_of(ids: Any, deliveries: Collection[DeliveryId]) -> Any:
    return pc.is_in(ids, value_set=pa.array(sorted(deliveries), pa.int64()))
