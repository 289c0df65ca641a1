"""DuckDB inside the process: the only module that knows it.

Source: architecture D5.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeAlias

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from aftersend.lake.schema import DAY, TRACKING_LOG

__all__ = ["HIT_COLUMNS", "Connection", "connect", "scan"]

Connection: TypeAlias = Backend

_SQL_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    pa.date32(): "DATE",
    pa.int64(): "BIGINT",
    pa.int8(): "TINYINT",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
    pa.binary(): "BLOB",
}

HIT_COLUMNS: Final[Mapping[str, str]] = {
    field.name: _SQL_TYPES[field.type] for field in TRACKING_LOG
}


def connect(
    *, temporary: Path | None = None, memory: str = "1GiB", threads: int | None = None
) -> Connection:
    """Open an engine of its own, in memory; what does not fit goes to the folder `temporary`.

    Limits: `memory` as DuckDB spells it; `threads` none: one per core.
    """
    options: dict[str, str | int] = {"memory_limit": memory}
    if temporary is not None:
        options["temp_directory"] = str(temporary)
    if threads is not None:
        options["threads"] = threads
    connection: Connection = ibis.duckdb.connect(**options)
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


def scan(connection: Connection, files: Sequence[str]) -> ibis.Table:
    """Give the rows of Parquet `files` of the tracking log as a table.

    Shape: one row per hit; columns `HIT_COLUMNS`.
    """
    name = "hits_" + blake2b("\n".join(files).encode(), digest_size=8).hexdigest()
    if files:
        listed = ", ".join(map(_quoted, files))
        rows = (
            f"SELECT {', '.join(HIT_COLUMNS)} FROM read_parquet([{listed}],"  # noqa: S608 - our own
            f" hive_partitioning = true, hive_types = {{'{DAY}': DATE}})"
        )
    else:
        nulls = ", ".join(f"NULL::{kind} AS {column}" for column, kind in HIT_COLUMNS.items())
        rows = f"SELECT {nulls} WHERE false"
    connection.raw_sql(f"CREATE TEMPORARY VIEW IF NOT EXISTS {name} AS {rows}")
    return connection.table(name)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
