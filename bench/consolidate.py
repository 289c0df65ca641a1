"""Consolidation, against DuckDB alone running the bare aggregates over the same Parquet files.

Ours is the step of the Tracking workflow: classify every hit, compute all figures per delivery, per
email domain, per period and per user agent, count nothing twice, replace the rows in the control
plane. DuckDB runs the same aggregates over all hits, without classifying them and without keeping
the result.

Two shapes: one delivery with all the hits; and an hour that touched 500 of 1,000 deliveries of a
day, against DuckDB going through the whole day. Each round is a process of its own, and told is its
processor time, once libraries are loaded and the rules about machines are spelled: the process of
`aftersend up` does so once, not every hour.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import duckdb

from aftersend.app import init, open_instance
from aftersend.database import statistics
from aftersend.database.schema import metadata
from aftersend.lake.agent_days import agent_days
from aftersend.lake.schema import TRACKING_LOG
from aftersend.lake.table import Lake
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.entropy import SystemEntropy
from aftersend.tracking.consolidate import consolidate, recompute, rules
from aftersend.tracking.context import Context
from bench.process import memory_mib
from bench.result import Comparison, Sample

__all__ = ["COMMIT_HITS", "Day", "append", "compare", "prepare", "sample"]

_GOAL: Final = "≤ 2"
COMMIT_HITS: Final = 500_000
_SERVER: Final = ServerId("1")
_DAY: Final = "2026-03-02"

# Purpose: hits of a day; opens and clicks 4 to 1, three hits a message on average.
# Parameters: first, last (numbers), hits, messages, deliveries.
# Grain: one row a hit.
_HITS: Final = """
SELECT printf('10x%016X', i + 1) AS log_id,
    TIMESTAMPTZ '{day} 00:00:00+00' + to_microseconds(CAST(i * (86400000000 // {hits}) AS BIGINT))
        AS "at",
    DATE '{day}' AS day,
    1 + m % {deliveries} AS delivery_id, 1 + m AS message_id, 1 + m AS recipient_id,
    CASE WHEN i % 5 = 0 THEN 2 + hash(i + 1) % 12 ELSE 1 END AS url_id,
    CASE WHEN i % 5 = 0 THEN 1 ELSE 2 END AS url_type,
    'h' AS part,
    CASE WHEN i % 5 = 0 THEN printf('%08x-0000-4000-8000-%012x', m % 4294967296, m) ELSE '' END
        AS source_id,
    '0' AS flags, concat('domain', m % 50, '.example') AS domain, false AS is_seed,
    CAST(hash(i % 500) // 2 AS BIGINT) AS agent_id, '192.0.2.1' AS address,
    NULL AS amount, NULL AS article, '' AS parameters
FROM (SELECT i, CAST(hash(i) % {messages} AS BIGINT) AS m FROM range({first}, {last}) AS t(i))
"""

# Purpose: every figure that consolidation keeps, over all hits as they are.
# Parameters: files (list of paths).
_FIGURES: Final = """
    count(DISTINCT message_id) AS recipient_open,
    count(*) FILTER (url_id = 1) AS total_recipient_open,
    count(DISTINCT message_id) FILTER (url_type = 1) AS recipient_click,
    count(DISTINCT source_id) FILTER (url_type = 1) AS person_click,
    count(*) FILTER (url_type = 1) AS total_recipient_click,
    count(*) FILTER (url_type = 3) AS opt_out,
    count(*) FILTER (url_type = 6) AS mirror_page,
    count(*) FILTER (url_type IN (4, 5)) AS total_web_page,
    count(*) FILTER (url_type = 5) AS transaction,
    sum(amount) FILTER (url_type = 5) AS amount,
    sum(article) FILTER (url_type = 5) AS article
"""
_AGGREGATES: Final = (
    f"SELECT delivery_id, {_FIGURES} FROM read_parquet($1) GROUP BY ALL",
    f"SELECT delivery_id, domain, {_FIGURES} FROM read_parquet($1) GROUP BY ALL",
    'SELECT delivery_id, url_id, time_bucket(INTERVAL 300 SECOND, "at") AS start, count(*)'
    " FROM read_parquet($1) GROUP BY ALL",
    "SELECT delivery_id, url_type, count(*) FROM read_parquet($1) GROUP BY ALL",
    "SELECT day, agent_id, count(DISTINCT recipient_id), count(*) FROM read_parquet($1)"
    " WHERE url_type = 1 GROUP BY ALL",
    "SELECT day, count(DISTINCT recipient_id) FROM read_parquet($1)"
    " WHERE url_type = 1 GROUP BY ALL",
)


def compare(*, count: int, rounds: int) -> list[Comparison]:
    """Consolidate both ways, `rounds` times: one delivery of `count` hits, and an hour's 500."""
    return [
        _compare(f"consolidate one delivery of {count:,} hits", count, 1, 1, rounds),
        _compare(
            f"consolidate 500 deliveries of a day of {count:,} hits", count, 1000, 500, rounds
        ),
    ]


def _compare(name: str, hits: int, deliveries: int, touched: int, rounds: int) -> Comparison:
    with TemporaryDirectory() as text:
        folder = Path(text)
        prepare(folder, hits=hits, deliveries=deliveries, touched=touched)
        samples = [(sample("ours", folder), sample("duckdb", folder)) for _ in range(rounds)]
    return Comparison(
        name=name,
        unit="CPU s",
        reference_name="DuckDB alone",
        ours=[pair[0] for pair in samples],
        reference=[pair[1] for pair in samples],
        goal=_GOAL,
    )


def prepare(folder: Path, *, hits: int, deliveries: int, touched: int) -> None:
    """Make an instance that has consolidated a day but for its last hour."""
    instance = folder / "instance"
    init(instance, entropy=SystemEntropy())
    opened = open_instance(instance)
    lake = opened.lake()
    day = Day(hits, deliveries)
    last_hour = hits - hits // 24
    for first in range(0, last_hour, COMMIT_HITS):
        append(lake, day, first, min(first + COMMIT_HITS, last_hour), touched=deliveries)
    with opened.database.write() as connection:
        at = opened.clock.now()
        rows = [_delivery(number, at) for number in range(1, deliveries + 1)]
        connection.execute(metadata.tables["delivery"].insert(), rows)
        statistics.set_consolidated_version(connection, lake.version, rules(Context.of(opened)))
    append(lake, day, last_hour, hits, touched=touched)
    opened.database.engine.dispose()


@dataclass(frozen=True, slots=True)
class Day:
    """So many hits in so many deliveries, all on one day."""

    hits: int
    deliveries: int


def append(lake: Lake, day: Day, first: int, last: int, *, touched: int) -> None:
    """Append hits from number `first` on, before `last`, of the first `touched` deliveries."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = _HITS.format(
            day=_DAY,
            first=first,
            last=last,
            hits=day.hits,
            messages=max(day.deliveries, day.hits // 3),
            deliveries=day.deliveries,
        )
        rows = connection.sql(query).filter(f"delivery_id <= {touched}").to_arrow_table()
    named = {DeliveryId(number) for number in range(1, touched + 1)}
    lake.append(rows.cast(TRACKING_LOG), server=_SERVER, last=last, deliveries=named)


def _delivery(number: int, at: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "internal_name": f"DM{number}",
        "label": f"Delivery {number}",
        "state": DeliveryState.FINISHED,
        "sender": "news@example.com",
        "subject": "News",
        "created_at": at,
        "modified_at": at,
    }


def sample(contestant: str, folder: Path) -> Sample:
    """Let ``ours`` or ``duckdb`` do it once over what `prepare` has made."""
    command = [sys.executable, "-m", "bench.consolidate", contestant, str(folder)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Mapping[str, float] = json.loads(answer.stdout)
    return Sample(
        cost=figures["cpu"],
        details={"s": figures["seconds"], "memory MiB": figures["memory"]},
    )


def _ours(folder: Path) -> Callable[[], object]:
    fresh = folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(folder / "instance", fresh)
    context = Context.of(open_instance(fresh))
    recompute(context, ())  # of nothing, which spells the rules
    agent_days(context.lake, context.rules(), ())
    return lambda: consolidate(context)


def _duckdb(folder: Path) -> Callable[[], object]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    files = [str(path) for path in folder.glob("instance/var/lake/tracking_log/day=*/*.parquet")]
    return lambda: [connection.sql(query, params=[files]).to_arrow_table() for query in _AGGREGATES]


def _main(contestant: str, folder: Path) -> None:
    do = {"ours": _ours, "duckdb": _duckdb}[contestant](folder)
    start, cpu = perf_counter(), sum(os.times()[:2])
    do()
    seconds, cpu = perf_counter() - start, sum(os.times()[:2]) - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory_mib()}))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
