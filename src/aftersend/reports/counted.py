"""The hits that a report is about, each with its verdict and whether it counts."""

from collections.abc import Collection
from datetime import datetime

import ibis

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.counted_log import with_all_hits
from aftersend.lake.hits import hits
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId
from aftersend.reports.scope import Scope

__all__ = ["counted_hits", "within"]


def counted_hits(
    connection: duckdb.Connection,
    lake: Lake,
    scope: Scope,
    deliveries: Collection[DeliveryId] | None,
) -> ibis.Table:
    """Give the hits of some `deliveries` (none named: all) in the period of a scope.

    Shape: as `aftersend.lake.counted_log` gives them.
    """
    log = classified(hits(connection, lake, deliveries=deliveries), scope.rules)
    if scope.is_all_hits:
        log = with_all_hits(log)
    # Only now: what came before the period decides what a hit within it is.
    return within(log, scope.since, scope.until)


def within(log: ibis.Table, since: datetime | None, until: datetime | None) -> ibis.Table:
    """Keep the hits from `since` on and before `until`; none: no bound."""
    if since is not None:
        log = log.filter(log.at >= ibis.literal(since))
    if until is not None:
        log = log.filter(log.at < ibis.literal(until))
    return log
