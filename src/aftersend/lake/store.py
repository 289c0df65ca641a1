"""One Delta table in a folder or an object store: made, read, and written file by file.

We write the Parquet files and their statistics ourselves, because only then are they on the disk
before a commit names them; the commit is Delta's own.

Source: Delta transaction log protocol, "Add File", "Per-file Statistics".
"""

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import PyFileSystem

from aftersend.errors import Corruption, Transient
from aftersend.platform.clock import Clock
from aftersend.platform.files import make_directory, sync, sync_directory, write_atomic

pc: Any = pyarrow.compute  # their published types admit less than they take
pq: Any = pyarrow.parquet

__all__ = ["COMMIT_TRIES_MAX", "Store"]

COMMIT_TRIES_MAX: Final = 10
ROWS_IN_GROUP_MAX: Final = 131_072

_LOG_ENTRY: Final = re.compile(r"_last_checkpoint|([0-9]{20})\.(?:json|checkpoint\.parquet)")


@dataclass(frozen=True, slots=True)
class Store:
    """A Delta table by its address; nothing is kept open.

    `statistics` names the columns whose range is kept per file, `unlike` those whose values hardly
    repeat, so that no dictionary of them is tried.
    """

    url: str
    options: Mapping[str, str]
    clock: Clock
    schema: pa.Schema
    parted_by: str | None
    statistics: Sequence[str]
    unlike: Collection[str]

    @property
    def folder(self) -> Path | None:
        """Give the folder of a local table, none for an object store."""
        parts = urlsplit(self.url)
        if parts.scheme in ("", "file"):
            return Path(unquote(parts.path) if parts.scheme else self.url).absolute()
        return None

    def create(self) -> None:
        """Make the table where it is missing.

        Raises:
            Transient: the store cannot be reached or written.
        """
        folder = self.folder
        try:
            if folder is not None:
                make_directory(folder)
                _set_torn_entries_aside(folder / "_delta_log")
            DeltaTable.create(
                self.url,
                self.schema,
                mode="ignore",
                partition_by=[self.parted_by] if self.parted_by else [],
                configuration={"delta.enableDeletionVectors": "false"},
                storage_options=dict(self.options),
            )
        except (OSError, DeltaError) as error:
            raise Transient(f"The lake at {self.url} cannot be made: {error}") from error

    def load(self) -> DeltaTable:
        """Read the newest state.

        Raises:
            Corruption: there is no table that can be read.
            Transient: the store cannot be reached.
        """
        try:
            return DeltaTable(self.url, storage_options=dict(self.options))
        except DeltaError as error:
            raise Corruption(self.url, f"the lake cannot be read ({error})") from error
        except OSError as error:
            raise Transient(f"The lake at {self.url} cannot be reached: {error}") from error

    def load_at(self, version: int) -> DeltaTable | None:
        """Read an older state; none: its log is there no more.

        Raises:
            Transient: the store cannot be reached.
        """
        try:
            return DeltaTable(self.url, version, storage_options=dict(self.options))
        except DeltaError:
            return None
        except OSError as error:
            raise Transient(f"The lake at {self.url} cannot be reached: {error}") from error

    def system(self, table: DeltaTable) -> PyFileSystem:
        """Give the files of the table as Arrow reads and writes them."""
        inner = table._table  # noqa: SLF001 - the one way to hand over its options
        handler: Any = DeltaStorageHandler.from_table(inner)
        return PyFileSystem(handler)

    def write(self, rows: pa.Table, partition: str | None = None) -> AddAction:
        """Write one file that no commit names yet, named by what it holds.

        Shape: `rows` has the columns of the schema but the one it is parted by.

        Raises:
            Transient: the store could not take it.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(
            rows,
            sink,
            compression="zstd",
            row_group_size=ROWS_IN_GROUP_MAX,
            use_dictionary=[name for name in rows.column_names if name not in self.unlike],
        )
        data = sink.getvalue()
        name = f"part-{blake2b(data, digest_size=16).hexdigest()}.parquet"
        path = name if partition is None else f"{self.parted_by}={partition}/{name}"
        try:
            self._put(path, data)
        except OSError as error:
            raise Transient(f"The lake at {self.url} cannot be written: {error}") from error
        return AddAction(
            path=path,
            size=data.size,
            partition_values={} if partition is None else {str(self.parted_by): partition},
            modification_time=self._now_ms(),
            data_change=True,
            stats=json.dumps(_statistics(rows, self.statistics)),
        )

    def removal(self, path: str, *, size: int, partition: str | None = None) -> RemoveAction:
        """Take a file out of the table with the next commit; whoever still reads it may go on."""
        return RemoveAction(
            path=path,
            data_change=True,
            deletion_timestamp=self._now_ms(),
            size=size,
            partition_values={} if partition is None else {str(self.parted_by): partition},
        )

    def commit(
        self,
        table: DeltaTable,
        actions: Sequence[AddAction | RemoveAction],
        *,
        transaction: tuple[str, int],
        metadata: Mapping[str, str],
    ) -> bool:
        """Add files on top of the state `table` and take some out; tell whether that could be done.

        `transaction` is an application's name and number. It could not be done when somebody has
        committed one of the same application meanwhile, or has taken out one of these files.

        Raises:
            Transient: the store failed; whether the commit stands, the next look tells.
        """
        properties = CommitProperties(
            custom_metadata=dict(metadata),
            app_transactions=[Transaction(*transaction, self._now_ms())],
            max_commit_retries=COMMIT_TRIES_MAX,
        )
        try:
            table.create_write_transaction(
                list(actions),
                "append",
                table.schema(),
                partition_by=[self.parted_by] if self.parted_by else [],
                commit_properties=properties,
                # Old entries tell what is not consolidated yet: maintenance knows which may go.
                post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
            )
            self._sync_log(after=table.version())
        except CommitFailedError:
            return False
        except (OSError, DeltaError) as error:
            raise Transient(f"The lake at {self.url} cannot be written: {error}") from error
        return True

    def checkpoint(self) -> None:
        """Put the newest state into one file of the log, so that older entries are not needed.

        Raises:
            Transient: the store failed.
        """
        table = self.load()
        try:
            table.create_checkpoint()
            self._sync_log(after=table.version() - 1)
        except (OSError, DeltaError) as error:
            raise Transient(f"The lake at {self.url} cannot be written: {error}") from error

    def read(self, table: DeltaTable, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one file of the state `table`, but for the column it is parted by.

        Raises:
            Transient: the store cannot be reached.
        """
        folder = self.folder
        place = str(folder / path) if folder is not None else path
        system = None if folder is not None else self.system(table)
        try:
            rows: pa.Table = pq.read_table(
                place, columns=columns, filesystem=system, partitioning=None
            )
        except OSError as error:
            raise Transient(f"The lake at {self.url} cannot be read: {error}") from error
        return rows

    def _put(self, path: str, data: pa.Buffer) -> None:
        folder = self.folder
        if folder is not None:
            make_directory((folder / path).parent)
            write_atomic(folder / path, data.to_pybytes())
            return
        with self.system(self.load()).open_output_stream(path) as stream:
            stream.write(data)

    def _sync_log(self, *, after: int) -> None:
        folder = self.folder
        if folder is None:
            return
        log = folder / "_delta_log"
        for file in log.iterdir():
            match = _LOG_ENTRY.fullmatch(file.name)
            if match and (match[1] is None or int(match[1]) > after):
                _sync_file(file)
        sync_directory(log)

    def _now_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)


def _set_torn_entries_aside(log: Path) -> None:
    """Keep a power cut in the middle of a commit from closing the whole lake.

    An empty log entry was never acknowledged: its lines are still where they came from. An empty
    checkpoint repeats what older entries say.
    """
    if not log.is_dir():
        return
    for file in log.iterdir():
        if file.is_file() and file.stat().st_size == 0 and file.suffix != ".torn":
            file.rename(file.with_name(f"{file.name}.torn"))
    sync_directory(log)


def _sync_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # old entries are cleaned up by whoever commits
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def _statistics(rows: pa.Table, columns: Sequence[str]) -> Mapping[str, Any]:
    ranges = {name: pc.min_max(rows[name]).as_py() for name in columns}
    return {
        "numRecords": rows.num_rows,
        "minValues": {name: value["min"] for name, value in ranges.items()},
        "maxValues": {name: value["max"] for name, value in ranges.items()},
        "nullCount": dict.fromkeys(columns, 0),
    }
