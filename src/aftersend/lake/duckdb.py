"""DuckDB inside the process: the only module that knows it.

Source: architecture D5.
"""

import os
from collections.abc import Mapping
from hashlib import blake2b
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final, TypeAlias

import duckdb
import ibis
import pyarrow as pa
import pyarrow.dataset as ds
from ibis.backends.duckdb import Backend
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler
from ibis.expr.operations import DatabaseTable

from aftersend.lake.schema import DAY, TRACKING_LOG
from aftersend.lake.table import Files

__all__ = ["HIT_COLUMNS", "Connection", "connect", "put_over", "scan", "spelled"]
__all__ += ["split_lines"]

_numbers: Final = count()

Connection: TypeAlias = Backend
"""An Ibis connection to an engine of its own, in memory."""


class _Compiler(DuckDBCompiler):  # type: ignore[misc]
    """Spells what Ibis, which tells no types here, would have the engine do slowly."""

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:  # noqa: N802 - theirs
        """Ask a moment for its seconds as it is: a cast to UTC takes ten times as long."""
        del op
        return self.f.epoch(arg)


class _Engine(Backend):  # type: ignore[misc]
    compiler = _Compiler()


_SQL_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    pa.date32(): "DATE",
    pa.int64(): "BIGINT",
    pa.int8(): "TINYINT",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
}

HIT_COLUMNS: Final[Mapping[str, str]] = {
    field.name: _SQL_TYPES[field.type] for field in TRACKING_LOG
}
"""The columns of hits and their types in SQL."""

_HIT_SCHEMA: Final = ibis.Schema.from_pyarrow(
    pa.schema([field.with_nullable(True) for field in TRACKING_LOG])
)

# Purpose: split log lines that have the right shape into typed columns.
# Parameters: table `line` (byte_at i64, text with its line feed).
# Grain: one row per line, in their order. A number beyond 63 bits and a time that no calendar
# has are null: they have the right shape but cannot be loaded. `at` is UTC without a zone. The
# engine would take hour 24 and year 0, our calendar does not.
_SPLIT_LINES: Final = r"""
SELECT
    byte_at,
    part[1] AS log_id,
    TRY_CAST('0x' || substr(part[1], 4) AS BIGINT) AS number,
    CASE WHEN substr(part[2], 12, 2) < '24' AND substr(part[2], 1, 4) > '0000'
        THEN TRY_CAST(part[2] AS TIMESTAMP) END AS "at",
    TRY_CAST('0x' || part[3] AS BIGINT) AS message_id,
    TRY_CAST('0x' || part[4] AS BIGINT) AS delivery_id,
    TRY_CAST('0x' || part[5] AS BIGINT) AS url_id,
    part[6] AS flags,
    part[7] AS source_id,
    part[8] AS part,
    part[9] AS parameters,
    part[10] AS user_agent,
    rtrim(part[11], chr(10)) AS address
FROM (SELECT byte_at, string_split(text, chr(9)) AS part FROM line)
"""


def connect(
    *, temporary: Path | None = None, memory: str = "1GiB", threads: int | None = None
) -> Connection:
    """Open an engine of its own, in memory; what does not fit goes to the folder `temporary`.

    The folder is made when it is needed and gone when the connection is closed; none: the system's.

    Limits: `memory` as DuckDB spells it; `threads` none: one per core.
    """
    folder = temporary or Path(gettempdir()) / f"aftersend-{os.getpid()}"
    options: dict[str, Any] = {"memory_limit": memory, "temp_directory": str(folder)}
    if threads is not None:
        options["threads"] = threads
    connection: Connection = _Engine().connect(**options)
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


def scan(connection: Connection, files: Files) -> ibis.Table:
    """Give the rows of Parquet files of the tracking log as a table.

    Shape: one row per hit; columns `HIT_COLUMNS`.
    """
    name = "hits_" + blake2b("\n".join(files.paths).encode(), digest_size=8).hexdigest()
    if files.system is not None and files.paths:
        # Without an extension the engine reads local files only; Arrow reads the others for it.
        days = ds.partitioning(pa.schema([TRACKING_LOG.field(DAY)]), flavor="hive")
        rows = ds.dataset(
            list(files.paths), TRACKING_LOG, "parquet", filesystem=files.system, partitioning=days
        )
        connection.con.register(name, rows)
    else:
        connection.raw_sql(f"CREATE TEMPORARY VIEW IF NOT EXISTS {name} AS {_selection(files)}")
    return _known(connection, name, _HIT_SCHEMA)


def spelled(expression: ibis.Table) -> str:
    """Spell an expression in the SQL of the engine, also one over a table of no connection."""
    compiler = _Engine.compiler
    return str(compiler.to_sqlglot(expression.unbind()).sql(compiler.dialect))


def put_over(table: ibis.Table, name: str, sql: str, schema: ibis.Schema) -> ibis.Table:
    """Put SQL, spelled over a table called `name`, over a `table` of a connection of ours.

    `schema` is that of what comes out.
    """
    connection: Connection = table.get_backend()
    below, above = (f"{name}_{next(_numbers)}" for _ in range(2))
    connection.raw_sql(f'CREATE TEMPORARY VIEW "{below}" AS {spelled(table)}')
    over = sql.replace(f'"{name}"', f'"{below}"')
    connection.raw_sql(f'CREATE TEMPORARY VIEW "{above}" AS {over}')
    return _known(connection, above, schema)


def split_lines(lines: pa.Table) -> pa.Table:
    """Split log lines that have the right shape into typed columns.

    Shape: from columns byte_at i64, text (ended by a line feed) to one row per line in their
        order: byte_at, log_id, number, at (UTC, no zone), message_id, delivery_id, url_id, flags,
        source_id, part, parameters, user_agent, address. Null where a number has more than 63 bits
        or a time is in no calendar.
    """
    with duckdb.connect() as connection:
        connection.register("line", lines)
        split: pa.Table = connection.sql(_SPLIT_LINES).to_arrow_table()
    return split


def _known(connection: Connection, name: str, schema: ibis.Schema) -> ibis.Table:
    # Asked what is in a view, the engine would work out once more what we know.
    table: ibis.Table = DatabaseTable(name=name, schema=schema, source=connection).to_expr()
    return table


def _selection(files: Files) -> str:
    if not files.paths:
        nulls = ", ".join(f'NULL::{kind} AS "{column}"' for column, kind in HIT_COLUMNS.items())
        return f"SELECT {nulls} WHERE false"
    columns, listed = '"' + '", "'.join(HIT_COLUMNS) + '"', ", ".join(map(_quoted, files.paths))
    return (
        f"SELECT {columns} FROM read_parquet([{listed}],"  # noqa: S608 - names of our own
        f" hive_partitioning = true, hive_types = {{'{DAY}': DATE}})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
