"""Spool lines by the million, made by DuckDB from a formula: the same number, the same lines.

A day of one tracking server: 20 deliveries, opens and clicks in the ratio of 4 to 1, 500 browsers,
one line in ten thousand damaged (a field is missing).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from aftersend.database.engine import Database
from aftersend.database.schema import metadata
from aftersend.model.enumeration import DeliveryState, MessageStatus, Part, TrackingMode, UrlType

__all__ = ["DELIVERIES", "FIRST_MESSAGE", "MESSAGES", "SERVER", "URLS", "fill", "write"]

SERVER: Final = "1"
DELIVERIES: Final = 20
MESSAGES: Final = 200_000
FIRST_MESSAGE: Final = 1_000_000
URLS: Final = 12
"""Links a delivery; their ids begin at 2, behind the open that all share."""

_DOMAINS: Final = 50
_AT: Final = datetime(2026, 3, 1, tzinfo=UTC)

# Parameters: begin, end, step, first_message, messages, deliveries, urls, path.
# Grain: one row a line.
_LINES: Final = """
COPY (
    SELECT concat_ws(chr(9),
        printf('10x%016X', i + 1),
        strftime(TIMESTAMP '2026-03-02 00:00:00' + to_microseconds(CAST(i * {step} AS BIGINT)),
            '%Y-%m-%dT%H:%M:%S.%f'),
        printf('%x', {first_message} + hash(i) % {messages}),
        printf('%x', 1 + hash(i) % {messages} % {deliveries}),
        CASE WHEN i % 5 = 0
            THEN printf('%x',
                2 + hash(i) % {messages} % {deliveries} * {urls} + hash(i + 1) % {urls})
            ELSE '1' END,
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
    FROM range({begin}, {end}) AS line(i)
) TO '{path}' (HEADER false, DELIMITER '', QUOTE '', ESCAPE '')
"""


def write(path: Path, lines: int, *, first: int = 1, step_us: int | None = None) -> None:
    """Write `lines` lines from number `first` on, `step_us` apart (none: spread over one day)."""
    parameters = {
        "begin": first - 1,
        "end": first - 1 + lines,
        "step": 86_400_000_000 // max(lines, 1) if step_us is None else step_us,
        "first_message": FIRST_MESSAGE,
        "messages": MESSAGES,
        "deliveries": DELIVERIES,
        "urls": URLS,
    }
    duckdb.sql(_LINES.format(path=path, **parameters))


def fill(database: Database) -> None:
    """Give a control plane the deliveries, links and messages that the lines speak of."""
    delivery, url, message = (
        metadata.tables[name] for name in ("delivery", "tracked_url", "message")
    )
    with database.write() as connection:
        connection.execute(delivery.insert(), [_delivery(n) for n in range(1, DELIVERIES + 1)])
        connection.execute(url.insert(), [_url(n) for n in range(2, DELIVERIES * URLS + 2)])
        connection.execute(message.insert(), [_message(n) for n in range(MESSAGES)])


def _delivery(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "internal_name": f"DM{number}",
        "label": f"Delivery {number}",
        "state": DeliveryState.FINISHED,
        "sender": "news@example.com",
        "subject": "News",
        "created_at": _AT,
        "modified_at": _AT,
    }


def _url(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "delivery_id": 1 + (number - 2) // URLS,
        "type": UrlType.EMAIL_CLICK,
        "mode": TrackingMode.ENABLED,
        "part": Part.HTML,
        "label": f"Link {number}",
        "source": f"https://shop.example.com/{number}",
    }


def _message(number: int) -> dict[str, Any]:
    domain = f"domain{number % _DOMAINS}.example"
    return {
        "id": FIRST_MESSAGE + number,
        "delivery_id": 1 + number % DELIVERIES,
        "recipient_id": 1 + number,
        "address": f"a{number}@{domain}",
        "domain": domain,
        "status": MessageStatus.SENT,
        "event_at": _AT,
    }
