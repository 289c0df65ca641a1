"""Removing files that no state needs any more, and log entries that nobody asks for.

A file is kept while it belongs to the newest state, to a state that somebody named, to any state of
the last days, or while it is itself that young: it may belong to a commit that is being made.
Log entries are kept from the oldest checkpoint on from which all those states can be read, so that
`touched_since` a version that is named loses nothing.

Times of commits and files are those of the machine, or of the store.

Source: Delta transaction log protocol, "Checkpoints", "Metadata Cleanup".
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.fs import FileInfo, FileSelector, FileType

from aftersend.errors import Transient
from aftersend.lake.store import Store

__all__ = ["clean_log", "unneeded", "vacuum"]

_LOG: Final = "_delta_log"
_ENTRY: Final = re.compile(r"([0-9]{20})(?:\.json|\.checkpoint\.parquet)")
_CHECKPOINT: Final = ".checkpoint.parquet"


def unneeded(store: Store, *, keep: Collection[int], before: datetime) -> list[str]:
    """List the files that neither a state of `keep`, nor one since `before` has.

    Raises:
        Transient: the store cannot be reached.
    """
    # Listed first: a file that comes later is not in the list.
    infos = _listed(store, "")
    table = store.load()
    needed = _paths(table)
    for version in {*keep, _version_at(table, before)}:
        older = store.load_at(version)
        if older is not None:
            needed |= _paths(older)
    return sorted(
        info.path
        for info in infos
        if not info.path.startswith("_") and info.path not in needed and _is_old(info, before)
    )


def vacuum(store: Store, *, keep: Collection[int], before: datetime) -> int:
    """Remove these files; tell how many.

    Raises:
        Transient: the store failed; beginning again does no harm.
    """
    system, count = store.system(store.load()), 0
    try:
        for path in unneeded(store, keep=keep, before=before):
            # A file is named by what it holds: somebody may just have written it once more.
            if _is_old(system.get_file_info(path), before):
                system.delete_file(path)
                count += 1
    except OSError as error:
        raise Transient(f"Files of the lake at {store.url} cannot be removed: {error}") from error
    return count


def clean_log(
    store: Store, *, keep: Collection[int], before: datetime, is_dry: bool = False
) -> int:
    """Make a checkpoint, and remove log entries nobody needs; tell how many.

    What `keep` and the time since `before` need stays: those states, and every commit after them.
    With `is_dry` nothing is done.

    Raises:
        Transient: the store failed; beginning again does no harm.
    """
    if not is_dry:
        store.checkpoint()
    table = store.load()
    oldest = min({*keep, _version_at(table, before), table.version()})
    entries = sorted(
        (int(match[1]), info.path)
        for info in _listed(store, _LOG)
        if (match := _ENTRY.fullmatch(info.base_name))
    )
    checkpoints = [
        version for version, path in entries if path.endswith(_CHECKPOINT) and version <= oldest
    ]
    if oldest == table.version():
        checkpoints.append(oldest)  # a dry run has made none
    gone = [path for version, path in entries if version < max(checkpoints, default=0)]
    if is_dry:
        return len(gone)
    system = store.system(table)
    try:
        for path in gone:
            system.delete_file(path)
    except OSError as error:
        raise Transient(f"The log of the lake at {store.url} cannot be cleaned: {error}") from error
    return len(gone)


def _listed(store: Store, folder: str) -> list[FileInfo]:
    system = store.system(store.load())
    try:
        infos = system.get_file_info(FileSelector(folder, recursive=True))
    except OSError as error:
        raise Transient(f"The lake at {store.url} cannot be read: {error}") from error
    return [info for info in infos if info.type is FileType.File]


def _paths(table: DeltaTable) -> set[str]:
    files: Any = pa.table(table.get_add_actions(flatten=True))
    return set(map(str, files["path"].to_pylist()))


def _is_old(info: FileInfo, before: datetime) -> bool:
    return info.type is FileType.File and info.mtime is not None and info.mtime < before


def _version_at(table: DeltaTable, moment: datetime) -> int:
    """Give the newest version that was there at a moment; else the oldest that is known."""
    limit_ms = moment.timestamp() * 1000
    history = table.history()
    for commit in history:
        if int(commit["timestamp"]) <= limit_ms:
            return int(commit["version"])
    return int(history[-1]["version"]) if history else 0
