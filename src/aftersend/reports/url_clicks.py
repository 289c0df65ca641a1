"""The hits that the list of URLs counts for one of them, and for those that add up with it.

Source: spec §3.6 (same text, same label), §6.2 (URLs); architecture D9.
"""

from collections.abc import Mapping, Sequence

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

__all__ = ["clicks_of", "of_delivery", "together"]


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


def together(urls: Sequence[TrackedUrl]) -> Mapping[UrlId, frozenset[UrlId]]:
    """Tell for each URL of a delivery which ones add up with it, itself among them.

    Those with the same address do, and those with the same label; so do two that a third one joins.
    """
    groups: dict[UrlId, frozenset[UrlId]] = {}
    by_name: dict[tuple[str, str], UrlId] = {}
    for url in urls:
        group = frozenset((url.id,))
        for name in (("source", url.source), ("label", url.label)):
            if name[1]:
                group |= groups.get(by_name.setdefault(name, url.id), group)
        groups |= dict.fromkeys(group, group)
    return groups


def clicks_of(
    database: Database, lake: Lake, urls: Sequence[TrackedUrl], scope: Scope, *, page: Page
) -> LogPage:
    """List the hits of some URLs of one delivery that count, newest first.

    As many as consolidation counted for them, where `scope` asks for neither a period nor all hits.
    """
    engine = duckdb.connect()
    try:
        log = counted_hits(engine, lake, scope, list({url.delivery_id for url in urls}))
        log = log.filter(log.counted & log.url_id.isin([url.id for url in urls]))
        total = int(log.count().to_pyarrow().as_py())
        ordered = log.order_by([ibis.desc("at"), ibis.desc("log_id")]).select(*hit_columns())
        found = ordered.limit(page.limit, offset=page.offset).to_pyarrow().to_pylist()
    finally:
        engine.disconnect()
    with database.read() as connection:
        return LogPage(log_rows(connection, found), total)
