"""Spool lines by the million, made by DuckDB from a formula: the same number, the same lines.

A day of one tracking server: 20 deliveries, opens and clicks in the ratio of 4 to 1, 500 browsers,
one line in ten thousand damaged (a field is missing).
"""

from pathlib import Path
from typing import Final

import duckdb

__all__ = ["DELIVERIES", "MESSAGES", "write"]

DELIVERIES: Final = 20
MESSAGES: Final = 200_000

# Parameters: lines, messages, deliveries, path.
# Grain: one row a line.
_LINES: Final = """
COPY (
    SELECT concat_ws(chr(9),
        printf('10x%016X', i + 1),
        strftime(TIMESTAMP '2026-03-02 00:00:00' + to_microseconds(CAST(i * {step} AS BIGINT)),
            '%Y-%m-%dT%H:%M:%S.%f'),
        printf('%x', 1000000 + hash(i) % {messages}),
        printf('%x', 1 + hash(i) % {messages} % {deliveries}),
        CASE WHEN i % 5 = 0 THEN printf('%x', 2 + hash(i + 1) % 12) ELSE '1' END,
        '0',
        CASE WHEN i % 5 = 0
            THEN printf('%08x-0000-4000-8000-%012x', hash(i) % 4294967296, hash(i) % {messages})
            ELSE '' END,
        CASE WHEN i % 10000 = 7777 THEN NULL ELSE 'h' END,
        '',
        printf('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) '
            'Chrome/%d.0.%d.0 Safari/537.36', 100 + hash(i + 2) % 25, 1000 + hash(i + 3) % 20),
        printf('192.0.2.%d', hash(i + 4) % 256)
    )
    FROM range({lines}) AS line(i)
) TO '{path}' (HEADER false, DELIMITER '', QUOTE '', ESCAPE '')
"""


def write(path: Path, lines: int) -> None:
    """Write `lines` lines; their times spread over one day."""
    step = 86_400_000_000 // max(lines, 1)
    duckdb.sql(
        _LINES.format(
            step=step, messages=MESSAGES, deliveries=DELIVERIES, lines=lines, path=path
        )
    )
