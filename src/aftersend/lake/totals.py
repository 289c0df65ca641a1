"""The totals that consolidation keeps, all from one reading of the hits.

Source: spec §1.10, §5 (step 2), §7.2; architecture D8.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import ibis

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.domains import numbered_domains
from aftersend.lake.hits import hits
from aftersend.lake.machines import Rules
from aftersend.lake.measure import MEASURES, aggregate
from aftersend.lake.table import Lake
from aftersend.model.domain import Domains
from aftersend.model.ids import DeliveryId

__all__ = ["Periods", "Totals", "delivery_ids", "totals"]

_NEEDED: Final = (
    "delivery_id",
    "message_id",
    "url_id",
    "url_type",
    "source_id",
    "domain",
    "at",
    "amount",
    "article",
    "rule",
    "is_seed",
    "counted",
)


_SEED: Final = "seed"
_USUAL: Final = Domains()


@dataclass(frozen=True, slots=True)
class Periods:
    """By which rules hits count, how long one bucket of statistics is, in seconds, and domains."""

    rules: Rules
    bucket_s: int
    domains: Domains = _USUAL

    def bucket_start(self, at: datetime) -> datetime:
        """Give the start of the first bucket that a hit at `at` may change."""
        seconds = math.floor((at - timedelta(seconds=self.rules.reach_s)).timestamp())
        return datetime.fromtimestamp(seconds - seconds % self.bucket_s, UTC)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of hits as rows by column name.

    Shape: `deliveries` one row per delivery with hits, one column per measure, and `hits`, all of
        them whatever their verdict; `rules` one row per delivery, `rule` and `url_type` with the
        `hits` that do not count because of the rule, those of seed addresses always because of
        `seed`; `domains` one row per delivery and name of
        the enumeration Domains, one column per measure; `buckets` one row per delivery, URL and
        `start` of a period (aware, UTC) with `total_clicks`, the hits that count; those that start
        at or after the wanted time.
    """

    deliveries: list[dict[str, Any]]
    domains: list[dict[str, Any]]
    buckets: list[dict[str, Any]]
    rules: list[dict[str, Any]]


def totals(
    lake: Lake,
    periods: Periods,
    *,
    deliveries: Collection[DeliveryId],
    buckets_since: datetime | None = None,
) -> Totals:
    """Count the hits of some `deliveries`; buckets from `buckets_since` on (none: all)."""
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        log = hits(connection, lake, deliveries=deliveries)
        log = classified(log, periods.rules).select(_NEEDED)
        log, names = numbered_domains(connection, log, periods.domains)
        counted = connection.create_table("counted", log, temp=True)
        domains = _rows(aggregate(counted, by=("delivery_id", "domain")))
        domains = [row | {"domain": names[row["domain"]]} for row in domains]
        hits_by_rule = _hits_by_rule(counted)
        return Totals(
            deliveries=_with_hits(_add_up(counted, domains), hits_by_rule),
            domains=domains,
            buckets=_bucket_rows(counted, periods.bucket_s, buckets_since),
            rules=[row for row in hits_by_rule if row["rule"]],
        )
    finally:
        connection.disconnect()


def delivery_ids(lake: Lake) -> set[DeliveryId]:
    """List all deliveries that have hits."""
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        rows = _rows(hits(connection, lake).select("delivery_id").distinct())
        return {DeliveryId(row["delivery_id"]) for row in rows}
    finally:
        connection.disconnect()


def _add_up(counted: ibis.Table, domains: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add up what does, and count the rest anew."""
    rest = [measure for measure in MEASURES.values() if not measure.adds_up]
    rows = {row["delivery_id"]: row for row in _rows(aggregate(counted, measures=rest))}
    for domain in domains:
        row = rows[domain["delivery_id"]]
        for name, measure in MEASURES.items():
            if measure.adds_up:
                row[name] = row.get(name, 0) + domain[name]
    return list(rows.values())


def _hits_by_rule(counted: ibis.Table) -> list[dict[str, Any]]:
    # Whatever a seed address does, it does not count: no other rule has taken it out.
    named = counted.mutate(rule=counted.is_seed.ifelse(_SEED, counted.rule))
    grouped = named.group_by("delivery_id", "rule", "url_type")
    return _rows(grouped.aggregate(hits=named.count()))


def _with_hits(
    deliveries: Sequence[dict[str, Any]], hits_by_rule: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    counts = Counter[int]()
    for row in hits_by_rule:
        counts[row["delivery_id"]] += row["hits"]
    return [row | {"hits": counts[row["delivery_id"]]} for row in deliveries]


def _bucket_rows(
    counted: ibis.Table, bucket_s: int, since: datetime | None
) -> list[dict[str, Any]]:
    kept = counted.filter(counted.counted)
    if since is not None:
        kept = kept.filter(kept.at >= ibis.literal(since, kept.at.type()))
    # Engines differ in whether these seconds have a fraction; the remainder takes it away.
    seconds = kept.at.epoch_seconds()
    kept = kept.mutate(start=seconds - seconds % bucket_s)
    buckets = kept.group_by("delivery_id", "url_id", "start").aggregate(total_clicks=kept.count())
    rows = _rows(buckets)
    for row in rows:
        row["start"] = datetime.fromtimestamp(row["start"], UTC)
    return rows


def _rows(table: ibis.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
