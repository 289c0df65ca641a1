"""Tracking logs as lists: of one delivery, and of one recipient over all deliveries.

The engine filters, sorts and cuts; names are looked up in SQL for the rows of the page alone. Where
no verdict is asked for, only the messages on the page are classified: for that all hits of a
message are needed, and not those of others.
Source: spec §6.1, §6.2, §6.3.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from sqlalchemy import Connection

from aftersend.database import figures
from aftersend.database.engine import Database
from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.hits import hits
from aftersend.lake.table import Lake
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.ids import DeliveryId, LogId, MessageId, RecipientId
from aftersend.reports.counted import within
from aftersend.reports.log_query import LogPage, LogQuery, LogRow

__all__ = ["delivery_logs", "hit_columns", "log_rows", "recipient_logs"]

_COLUMNS: Final = (
    "log_id",
    "at",
    "url_type",
    "url_id",
    "delivery_id",
    "message_id",
    "recipient_id",
    "source_id",
    "part",
    "amount",
    "article",
)
_CLASSIFYING: Final = ("flags", "is_seed", "agent_id", "address")
"""What decides on a verdict beside those."""

_ADDRESSEE: Final = "addressee"
"""The message of a hit; without one the recipient, below zero; 0 when nobody is known."""

_NAMED_BY: Final = {
    "type": "url_type",
    "label": "url_id",
    "url": "url_id",
    "delivery": "delivery_id",
    "recipient": _ADDRESSEE,
}
"""The column of each sort that goes by a text which hits do not hold."""

_CLASSIFIED_ROWS_MAX: Final = 2000
"""A larger page is classified with everything else, in one go."""


@dataclass(frozen=True, slots=True)
class _List:
    """A list that somebody asked for."""

    database: Database
    lake: Lake
    deliveries: Sequence[DeliveryId]
    recipient_id: RecipientId | None
    query: LogQuery


def delivery_logs(
    database: Database, lake: Lake, delivery_id: DeliveryId, query: LogQuery
) -> LogPage:
    """List the tracking logs of a delivery, newest first unless asked otherwise.

    Raises:
        NotFound: there is no such delivery.
    """
    with database.read() as connection:
        figures.of_deliveries(connection, [delivery_id], reactions=())
    return _page(_List(database, lake, [delivery_id], None, query))


def recipient_logs(
    database: Database, lake: Lake, recipient_id: RecipientId, query: LogQuery
) -> LogPage:
    """List the tracking logs of a recipient over all deliveries, newest first likewise."""
    with database.read() as connection:
        deliveries = figures.deliveries_of(connection, recipient_id)
        if query.delivery:
            labels = figures.delivery_labels(connection, deliveries)
            text = query.delivery.casefold()
            deliveries = [number for number in deliveries if text in labels[number].casefold()]
    return _page(_List(database, lake, deliveries, recipient_id, query))


def log_rows(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[LogRow]:
    """Give hits with the names that people know.

    Shape: `rows` have the columns `hit_columns()`.
    """
    urls = figures.url_names(connection, {row["url_id"] for row in rows})
    addresses = _addresses(connection, {_addressee(row) for row in rows})
    labels = figures.delivery_labels(connection, {row["delivery_id"] for row in rows})
    nameless = figures.UrlName("", "")
    return [
        LogRow(
            log_id=LogId(row["log_id"]),
            at=row["at"],
            type=UrlType(row["url_type"]),
            url=urls.get(row["url_id"], nameless).source,
            label=urls.get(row["url_id"], nameless).label,
            delivery=labels.get(row["delivery_id"], ""),
            delivery_id=DeliveryId(row["delivery_id"]),
            recipient=addresses.get(_addressee(row), ""),
            source_id=row["source_id"],
            verdict=Verdict(row["verdict"]),
            rule=row["rule"],
            part=row["part"],
            message_id=MessageId(row["message_id"]),
            recipient_id=RecipientId(row["recipient_id"]),
            amount=row["amount"],
            article=row["article"],
        )
        for row in rows
    ]


def hit_columns() -> Sequence[str]:
    """Name the columns that `log_rows` needs."""
    return (*_COLUMNS, "verdict", "rule")


def _page(asked: _List) -> LogPage:
    if not asked.deliveries:
        return LogPage([], 0)
    engine = duckdb.connect()
    try:
        log = hits(engine, asked.lake, deliveries=asked.deliveries, recipient=asked.recipient_id)
        log = log.mutate(**{_ADDRESSEE: _who(log)})
        log = log.select(*_COLUMNS, _ADDRESSEE, *_CLASSIFYING)
        if asked.recipient_id is not None:
            # They are few, but stand far apart: go through the lake once.
            log = engine.create_table("log", log, temp=True)
        with asked.database.read() as connection:
            total, found = _found(connection, asked, log)
            return LogPage(log_rows(connection, found), total)
    finally:
        engine.disconnect()


def _found(
    connection: Connection, asked: _List, log: ibis.Table
) -> tuple[int, list[Mapping[str, Any]]]:
    """Give the count of all rows that are asked for, and those of the page."""
    query = asked.query
    is_small = query.limit is not None and query.limit <= _CLASSIFIED_ROWS_MAX
    is_late = is_small and not query.needs_verdicts
    listed = log if is_late else _classified(log, query)
    listed = _filtered(connection, asked, listed)
    total = int(listed.count().to_pyarrow().as_py())
    ordered = _ordered(connection, asked, listed)
    rows = _rows(ordered.limit(query.limit, offset=query.offset))
    if not is_late or not rows:
        return total, rows
    messages = sorted({row["message_id"] for row in rows})
    verdicts = _classified(log.filter(log.message_id.isin(messages)), query)
    wanted = verdicts.filter(verdicts.log_id.isin([row["log_id"] for row in rows]))
    told = {row["log_id"]: row for row in _rows(wanted.select("log_id", "verdict", "rule"))}
    return total, [{**row, **told[row["log_id"]]} for row in rows]


def _classified(log: ibis.Table, query: LogQuery) -> ibis.Table:
    return classified(log, query.rules)


def _filtered(connection: Connection, asked: _List, log: ibis.Table) -> ibis.Table:
    query = asked.query
    log = within(log, query.since, query.until)
    if query.type is not None:
        log = log.filter(log.url_type == query.type.value)
    if query.verdict is not None:
        log = log.filter(log.verdict == query.verdict.value)
    if query.rule:
        log = log.filter(log.rule == query.rule)
    if query.url:
        urls = figures.url_ids(connection, asked.deliveries, text=query.url)
        log = log.filter(log.url_id.isin(urls))
    if query.recipient:
        named = _with_address(connection, asked, log)
        log = log.semi_join(named, _ADDRESSEE)
    return log


def _ordered(connection: Connection, asked: _List, log: ibis.Table) -> ibis.Table:
    query = asked.query
    if query.sort in _NAMED_BY:
        names = [(key, text.casefold()) for key, text in _names(connection, asked, log)]
        named = ibis.memtable(
            pa.table(
                {
                    "named_id": pa.array([key for key, _ in names], pa.int64()),
                    "name": pa.array([name for _, name in names], pa.string()),
                }
            )
        )
        log = log.left_join(named, log[_NAMED_BY[query.sort]] == named.named_id)
    key = log.name.fill_null("") if query.sort in _NAMED_BY else log[query.sort]
    keys = [log.log_id] if query.sort == "log_id" else [key, log.log_id]
    return log.order_by([ibis.desc(each) if query.is_descending else each for each in keys])


def _names(connection: Connection, asked: _List, log: ibis.Table) -> Iterable[tuple[int, str]]:
    sort = asked.query.sort
    if sort == "type":
        return [(kind.value, kind.label) for kind in UrlType]
    if sort == "delivery":
        return figures.delivery_labels(connection, asked.deliveries).items()
    if sort == "recipient":
        ids = log.select(_ADDRESSEE).distinct().to_pyarrow()[_ADDRESSEE].to_pylist()
        return _addresses(connection, ids).items()
    urls = figures.url_names(connection, figures.url_ids(connection, asked.deliveries))
    return [(key, url.label if sort == "label" else url.source) for key, url in urls.items()]


def _who(log: ibis.Table) -> ir.Column:
    return (log.message_id != 0).ifelse(log.message_id, -log.recipient_id)


def _addressee(row: Mapping[str, Any]) -> int:
    return int(row["message_id"] or -row["recipient_id"])


def _with_address(connection: Connection, asked: _List, log: ibis.Table) -> ibis.Table:
    """List the addressees whose address holds the text that is asked for."""
    text = asked.query.recipient
    sent = figures.message_ids(connection, asked.deliveries, address=text)
    others = _addresses(connection, _without_message(log)).items()
    ids = [*sent, *(key for key, email in others if text.casefold() in email.casefold())]
    return ibis.memtable(pa.table({_ADDRESSEE: pa.array(ids, pa.int64())}))


def _without_message(log: ibis.Table) -> list[int]:
    keys = log.filter(log[_ADDRESSEE] < 0).select(_ADDRESSEE).distinct()
    found: list[int] = keys.to_pyarrow()[_ADDRESSEE].to_pylist()
    return found


def _addresses(connection: Connection, keys: Collection[int]) -> Mapping[int, str]:
    """Give addresses by what `_ADDRESSEE` tells."""
    messages = {MessageId(key) for key in keys if key > 0}
    recipients = {RecipientId(-key) for key in keys if key < 0}
    emails = figures.recipient_addresses(connection, recipients)
    named: dict[int, str] = {-number: email for number, email in emails.items()}
    return named | dict(figures.message_addresses(connection, messages))


def _rows(table: ibis.Table) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
