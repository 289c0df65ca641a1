"""From spool lines to the lake, against DuckDB alone reading the same lines.

Ours is the step of the Tracking workflow: check every line, reject with a reason, find message and
link in the control plane, number user agents, commit durably with the pointer. DuckDB reads the
lines with its CSV reader, skips those that it cannot read, joins the messages from a table it has
in memory, and writes the same columns in the same order. Each round is a process of its own, timed
from when its libraries are loaded.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import duckdb

from aftersend.app import init, open_instance
from aftersend.model.ids import ServerId
from aftersend.platform.entropy import SystemEntropy
from aftersend.tracking import inbox
from aftersend.tracking.context import Context
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.load import load
from bench import lines
from bench.process import memory_mib
from bench.result import Comparison, Sample

__all__ = ["compare", "fresh", "prepare"]

_GOAL: Final = "≤ 1.5"
_LINES: Final = "lines"
_FILE_LINES: Final = 100_000

# Purpose: the columns of the tracking log from log lines, as the lake keeps them.
# Parameters: lines (path), target (path), domains.
# Grain: one row a line that can be read.
_REFERENCE: Final = """
COPY (
    SELECT l.log_id, l."at", CAST(l."at" AS DATE) AS day,
        CAST('0x' || l.delivery_id AS BIGINT) AS delivery_id, m.id AS message_id, m.recipient_id,
        CAST('0x' || l.url_id AS BIGINT) AS url_id,
        CAST(CASE WHEN l.url_id = '1' THEN 2 ELSE 1 END AS TINYINT) AS url_type,
        l.part, l.source_id, l.flags, m.domain, m.is_seed,
        CAST(hash(l.user_agent) // 2 AS BIGINT) AS agent_id, l.address,
        CAST(NULL AS DOUBLE) AS amount, CAST(NULL AS BIGINT) AS article, l.parameters
    FROM read_csv('{lines}', delim = chr(9), header = false, quote = '', escape = '',
        auto_detect = false, ignore_errors = true, nullstr = '\\N',
        columns = {{
            'log_id': 'VARCHAR', 'at': 'TIMESTAMP', 'message_id': 'VARCHAR',
            'delivery_id': 'VARCHAR', 'url_id': 'VARCHAR', 'flags': 'VARCHAR',
            'source_id': 'VARCHAR', 'part': 'VARCHAR', 'parameters': 'VARCHAR',
            'user_agent': 'VARCHAR', 'address': 'VARCHAR'
        }}) AS l
    JOIN message AS m ON m.id = CAST('0x' || l.message_id AS BIGINT)
    ORDER BY 4, 2, 1
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""
_MESSAGES: Final = """
CREATE TABLE message AS
SELECT {first} + n AS id, 1 + n AS recipient_id, concat('domain', n % 50, '.example') AS domain,
    false AS is_seed
FROM range({count}) AS numbered(n)
"""


def compare(*, count: int, rounds: int) -> list[Comparison]:
    """Load the same lines both ways, `rounds` times."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count)
        samples = [(_sample("ours", folder), _sample("duckdb", folder)) for _ in range(rounds)]
    return [
        Comparison(
            name=f"load {count:,} lines",
            unit="s",
            reference_name="DuckDB alone",
            ours=[pair[0] for pair in samples],
            reference=[pair[1] for pair in samples],
            goal=_GOAL,
        )
    ]


def prepare(folder: Path, count: int) -> None:
    """Make the lines, and an instance that knows their messages and has the lines in its inbox."""
    lines.write(folder / _LINES, count)
    instance = folder / "instance"
    init(instance, entropy=SystemEntropy())
    opened = open_instance(instance)
    lines.fill(opened.database)
    first = 1
    with (folder / _LINES).open("rb") as file:
        while piece := list(islice(file, _FILE_LINES)):
            last = first + len(piece) - 1
            stretch = Stretch(first, last, f"{first:016x}.log", 0, b"".join(piece))
            inbox.keep(opened.var / "inbox", ServerId(lines.SERVER), stretch)
            first = last + 1
    opened.database.engine.dispose()


def _sample(contestant: str, folder: Path) -> Sample:
    command = [sys.executable, "-m", "bench.load", contestant, str(folder)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Mapping[str, float] = json.loads(answer.stdout)
    return Sample(
        cost=figures["seconds"],
        details={
            "lines a second": figures["rows"] / figures["seconds"],
            "CPU s": figures["cpu"],
            "memory MiB": figures["memory"],
        },
    )


def fresh(folder: Path) -> Context:
    """Open a copy of the prepared instance that has loaded nothing yet."""
    copy = folder / "fresh"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "instance", copy)
    return Context.of(open_instance(copy))


def _ours(folder: Path) -> Callable[[], int]:
    context = fresh(folder)
    return lambda: load(context).counts.loaded


def _duckdb(folder: Path) -> Callable[[], int]:
    connection = duckdb.connect()
    connection.execute(_MESSAGES.format(first=lines.FIRST_MESSAGE, count=lines.MESSAGES))
    target = folder / "reference.parquet"
    statement = _REFERENCE.format(lines=folder / _LINES, target=target)

    def write() -> int:
        connection.execute(statement)
        rows = connection.execute(f"SELECT count(*) FROM '{target}'").fetchall()
        return int(rows[0][0])

    return write


def _main(contestant: str, folder: Path) -> None:
    do = {"ours": _ours, "duckdb": _duckdb}[contestant](folder)
    start, cpu = perf_counter(), sum(os.times()[:2])
    rows = do()
    seconds, cpu = perf_counter() - start, sum(os.times()[:2]) - cpu
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "memory": memory_mib()}))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
