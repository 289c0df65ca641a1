"""The hits that the list of URLs counts for one of them.

Source: spec §6.2 (URLs); architecture D9.
"""

import ibis

from aftersend.database import urls
from aftersend.database.engine import Database
from aftersend.database.urls import TrackedUrl
from aftersend.errors import NotFound
from aftersend.lake import duckdb
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.reports.behind import Page
from aftersend.reports.counted import counted_hits
from aftersend.reports.log_query import LogPage
from aftersend.reports.logs import hit_columns, log_rows
from aftersend.reports.scope import Scope

__all__ = ["clicks_of", "of_delivery"]


def of_delivery(database: Database, delivery_id: DeliveryId, url_id: UrlId) -> TrackedUrl:
    """Give a tracked URL of a delivery.

    Raises:
        NotFound: the delivery has no such URL.
    """
    with database.read() as connection:
        url = urls.get(connection, url_id)
    if url.delivery_id != delivery_id:
        raise NotFound("tracked URL", url_id)
    return url


def clicks_of(
    database: Database, lake: Lake, url: TrackedUrl, scope: Scope, *, page: Page
) -> LogPage:
    """List the hits of a tracked URL that count, newest first.

    As many as consolidation counted for it, where `scope` asks for neither a period nor all hits.
    """
    engine = duckdb.connect()
    try:
        log = counted_hits(engine, lake, scope, [url.delivery_id])
        log = log.filter(log.counted & (log.url_id == url.id))
        total = int(log.count().to_pyarrow().as_py())
        ordered = log.order_by([ibis.desc("at"), ibis.desc("log_id")]).select(*hit_columns())
        found = ordered.limit(page.limit, offset=page.offset).to_pyarrow().to_pylist()
    finally:
        engine.disconnect()
    with database.read() as connection:
        return LogPage(log_rows(connection, found), total)
