"""Joining the small files that hourly runs leave behind: fewer to open, the same rows.

Files of past days are joined in groups, sorted as every file of the lake is. Pointers of tracking
servers stay, because they are in the log; a commit of maintenance touches no delivery. Who appends
meanwhile is not disturbed: only files that are taken out at the same time make a commit vain.

Source: architecture "Data plane".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from aftersend.errors import Transient
from aftersend.lake.parts import FilePart, file_parts
from aftersend.lake.store import COMMIT_TRIES_MAX, Store
from aftersend.lake.table import MAINTENANCE, in_order, maintaining

__all__ = ["JOINED_BYTES_MAX", "SMALL_BYTES", "Joined", "compact", "joinable"]

JOINED_BYTES_MAX: Final = 64 * 1024 * 1024
"""How big files are that are joined to one, together; unpacked in memory it is ten times that."""

SMALL_BYTES: Final = 32 * 1024 * 1024
"""Bigger files are left as they are."""


@dataclass(frozen=True, slots=True)
class Joined:
    """How many files became how many."""

    before: int = 0
    after: int = 0


def joinable(store: Store, *, before: date) -> Joined:
    """Tell what `compact` would do now."""
    groups = _groups(file_parts(store.load()), before)
    return Joined(sum(map(len, groups)), len(groups))


def compact(
    store: Store, *, before: date, passing: Callable[[str], None] = lambda _point: None
) -> Joined:
    """Join the small files of each day before `before`; of a table without days, all.

    `passing` hears ``compact:written`` before each commit, one a day.

    Raises:
        Transient: the store failed, or others change the same files all the time; what was
            committed stays, and beginning again does no harm.
    """
    days = {group[0].day for group in _groups(file_parts(store.load()), before)}
    done = Joined()
    for day in sorted(days, key=lambda each: each or date.min):
        joined = _compact_day(store, day, before, passing)
        done = Joined(done.before + joined.before, done.after + joined.after)
    return done


def _compact_day(
    store: Store, day: date | None, before: date, passing: Callable[[str], None]
) -> Joined:
    for _attempt in range(COMMIT_TRIES_MAX):
        table = store.load()
        groups = [group for group in _groups(file_parts(table), before) if group[0].day == day]
        if not groups:
            return Joined()
        actions = list[AddAction | RemoveAction]()
        for group in groups:
            actions += _joined(store, table, group)
        passing("compact:written")
        transaction = (MAINTENANCE, table.version())
        if store.commit(table, actions, transaction=transaction, metadata=maintaining()):
            return Joined(sum(map(len, groups)), len(groups))
    raise Transient(f"The lake took no commit in {COMMIT_TRIES_MAX} tries.")


def _groups(parts: Sequence[FilePart], before: date) -> list[list[FilePart]]:
    """Find files to join: neighbours by delivery, so that each file covers few deliveries."""
    small = [
        part
        for part in parts
        if part.size < SMALL_BYTES and (part.day is None or part.day < before)
    ]
    groups: list[list[FilePart]] = []
    for _day, of_day in groupby(small, key=lambda part: part.day):
        group: list[FilePart] = []
        size = 0
        for part in sorted(of_day, key=lambda part: (part.lowest, part.highest, part.path)):
            if group and size + part.size > JOINED_BYTES_MAX:
                groups.append(group)
                group, size = [], 0
            group.append(part)
            size += part.size
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _joined(
    store: Store, table: DeltaTable, group: Sequence[FilePart]
) -> list[AddAction | RemoveAction]:
    rows: Any = pa.concat_tables([store.read(table, part.path) for part in group])
    if "delivery_id" in rows.column_names:
        rows = in_order(rows)
    removals = [
        store.removal(part.path, size=part.size, partition=part.partition) for part in group
    ]
    return [store.write(rows, group[0].partition), *removals]
