"""The numbers of all tracking servers on one port, in the text that Prometheus reads.

This module is imported when somebody asks, because a click needs none of it. Counters begin at 0
whenever the process of their server does, as Prometheus expects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from aftersend.collector.config import CollectorConfig
from aftersend.collector.snapshot import Fares, Snapshot, Told
from aftersend.spool import acknowledged, extent
from aftersend.spool.segment import listing

__all__ = ["exposition"]

_GAUGES: Final = {
    "spool_last_line": ("number of the last line of the spool", "last"),
    "spool_unwritten_lines": ("lines that wait in memory because the disk fails", "unwritten"),
}
_COUNTERS: Final = {
    "spool_lost_lines": ("lines dropped because too many waited for a failing disk", "lost"),
    "failed_syncs": ("syncs of the spool that the disk has refused", "failed_syncs"),
}


def exposition(config: CollectorConfig, told: Sequence[Told]) -> bytes:
    """Spell what is known of all servers; spools are looked at, so it may take a moment.

    Raises:
        OSError: a spool cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Servers(config, told))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Servers(Collector):
    """All metrics, made anew from snapshots and spools."""

    config: CollectorConfig
    told: Sequence[Told]

    def collect(self) -> Iterator[Metric]:
        """Give one metric after the other."""
        known = [each.snapshot for each in self.told if each.snapshot is not None]
        yield from self._servers()
        yield from _answers(known)
        yield from _spools(known)
        yield from self._disks()
        yield from _syncs(known)

    def _servers(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "aftersend_up", "1 for a server that tells how it fares, 0 for one that is gone or"
            " silent", labels=["server"],
        )  # fmt: skip
        age = GaugeMetricFamily(
            "aftersend_snapshot_age_seconds", "how old the numbers of a server are; 0 for the one"
            " that was asked", labels=["server"],
        )  # fmt: skip
        started = GaugeMetricFamily(
            "aftersend_process_start_time_seconds", "when a server began, since 1970",
            labels=["server"],
        )  # fmt: skip
        for each in self.told:
            is_up = each.fares not in (Fares.GONE, Fares.SILENT)
            up.add_metric([each.server_id], is_up)
            if each.snapshot is not None:
                age.add_metric([each.server_id], each.age_seconds)
                started.add_metric([each.server_id], each.snapshot.started_at.timestamp())
        yield from (up, age, started)

    def _disks(self) -> Iterator[Metric]:
        """Tell of the spools themselves, also of servers that are gone."""
        size = GaugeMetricFamily(
            "aftersend_spool_bytes", "bytes of all segments of the spool", labels=["server"]
        )
        lag = GaugeMetricFamily(
            "aftersend_spool_lag_lines", "lines that a reader has not acknowledged yet",
            labels=["server", "reader"],
        )  # fmt: skip
        for each in self.told:
            directory = self.config.spool_of(each.server_id)
            size.add_metric([each.server_id], _bytes_of(directory))
            last = extent(directory).last if each.snapshot is None else each.snapshot.last
            for reader, number in acknowledged(directory).items():
                lag.add_metric([each.server_id, reader], max(0, last - number))
        yield from (size, lag)


def _answers(known: Sequence[Snapshot]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "aftersend_requests", "requests by what was asked for and how it was answered",
        labels=["server", "kind", "answer"],
    )  # fmt: skip
    unrecorded = CounterMetricFamily(
        "aftersend_unrecorded", "hits that were answered and left out of the spool, by reason",
        labels=["server", "reason"],
    )  # fmt: skip
    lookups = CounterMetricFamily(
        "aftersend_catalogue_lookups", "how catalogues were found: in memory, read, or missing",
        labels=["server", "result"],
    )  # fmt: skip
    for each in known:
        for kind, answer, count in each.requests:
            requests.add_metric([each.server_id, kind, answer], count)
        for reason, count in (each.unrecorded or {}).items():
            unrecorded.add_metric([each.server_id, reason], count)
        for result, count in (each.lookups or {}).items():
            lookups.add_metric([each.server_id, result], count)
    yield from (requests, unrecorded, lookups)


def _spools(known: Sequence[Snapshot]) -> Iterator[Metric]:
    for name, (sentence, field) in _GAUGES.items():
        gauge = GaugeMetricFamily(f"aftersend_{name}", sentence, labels=["server"])
        for each in known:
            gauge.add_metric([each.server_id], getattr(each, field))
        yield gauge
    for name, (sentence, field) in _COUNTERS.items():
        counter = CounterMetricFamily(f"aftersend_{name}", sentence, labels=["server"])
        for each in known:
            counter.add_metric([each.server_id], getattr(each, field))
        yield counter


def _syncs(known: Sequence[Snapshot]) -> Iterator[Metric]:
    syncs = SummaryMetricFamily(
        "aftersend_sync_seconds", "how long bringing new lines onto the disk takes",
        labels=["server"],
    )  # fmt: skip
    slowest = GaugeMetricFamily(
        "aftersend_sync_seconds_max", "the slowest of the last minute", labels=["server"]
    )
    for each in known:
        syncs.add_metric([each.server_id], each.syncs, each.sync_seconds)
        slowest.add_metric([each.server_id], each.sync_seconds_max)
    yield from (syncs, slowest)


def _bytes_of(directory: Path) -> int:
    size = 0
    for segment in listing(directory):
        try:
            size += segment.path.stat().st_size
        except FileNotFoundError:  # every reader had it, so it was removed meanwhile
            continue
    return size
