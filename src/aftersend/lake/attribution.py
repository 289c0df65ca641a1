"""Whose web visits are that did not say it themselves: found out from the rest of the lake.

A visit is unidentified when it brought neither message nor recipient: both are 0, or flag ``a``
says that they were found out here. A hit is identified when it has a message of its own and was
neither forged nor asked for by HEAD. An unidentified visit of a source gets message, recipient,
domain and seed of the latest identified hit of that source at or before it; in anonymous modes,
when there is none before, of the earliest after. Of hits at the same moment the one with the
higher log id is the later.

What comes out depends on the hits alone, not on the order in which they came nor on how often this
was done. What was found out stays when the hit that told it has been purged.

Source: spec §4.6.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.lake.rewrite import OLD_DELIVERY_ID
from aftersend.lake.schema import DAY
from aftersend.lake.table import Files, Lake
from aftersend.model.enumeration import UrlType, WebTrackingMode
from aftersend.model.logline import ATTRIBUTED, HEAD, NAMED, PLAIN, UNVERIFIED

__all__ = ["Changes", "attributed", "known_since"]

_IDENTITY = ("delivery_id", "message_id", "recipient_id", "domain", "is_seed")
_TYPES = (UrlType.WEB.value, UrlType.TRANSACTION.value)


@dataclass(frozen=True, slots=True)
class Changes:
    """Visits whose rows are to be changed, kept by the engine; valid while it is open."""

    rows: ibis.Table
    count: int

    def by_day(self) -> Iterator[tuple[date, pa.Table]]:
        """Give them day by day, as `Rewriting.commit` takes them."""
        if not self.count:
            return
        for day in sorted(self.rows.select(DAY).distinct().to_pyarrow()[DAY].to_pylist()):
            yield day, self.rows.filter(self.rows[DAY] == day).drop(DAY).to_pyarrow()


@contextmanager
def attributed(
    lake: Lake, mode: WebTrackingMode, *, files: Files, new_files: Files
) -> Iterator[Changes]:
    """Find the visits among all `files` that are somebody else's than their rows say.

    Only sources are looked at that have a visit or an identified hit in `new_files`.
    """
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        yield _changes(connection, mode, files, new_files)
    finally:
        connection.disconnect()


def known_since(lake: Lake, sources: Collection[str]) -> Mapping[str, int]:
    """Tell of sources when their first identified hit was, in µs; unknown ones are left out."""
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        wanted = connection.create_table(
            "wanted", pa.table({"source_id": pa.array(sorted(sources), pa.string())}), temp=True
        )
        log = hits(connection, lake)
        known = log.filter(_is_identified(log)).semi_join(wanted, "source_id")
        rows = known.group_by("source_id").aggregate(at=known.at.min()).to_pyarrow()
    finally:
        connection.disconnect()
    moments = rows["at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    return dict(zip(map(str, rows["source_id"].to_pylist()), moments, strict=True))


def _changes(
    connection: duckdb.Connection, mode: WebTrackingMode, files: Files, new_files: Files
) -> Changes:
    new = duckdb.scan(connection, new_files)
    touched = new.filter(_is_unidentified(new) | _is_identified(new)).select("source_id").distinct()
    touched = connection.create_table("touched", touched, temp=True)
    log = duckdb.scan(connection, files)
    visits = log.filter(_is_unidentified(log)).semi_join(touched, "source_id")
    visits = connection.create_table(
        "visit", visits.select("log_id", "at", DAY, "source_id", "flags", *_IDENTITY), temp=True
    )
    if not visits.count().to_pyarrow().as_py():
        return Changes(visits, 0)
    sources = visits.select("source_id").distinct()
    known = log.filter(_is_identified(log)).semi_join(sources, "source_id")
    known = connection.create_table(
        "known", known.select("log_id", "at", "source_id", *_IDENTITY), temp=True
    )
    # Kept, because it is read twice: joined with itself in one query it takes minutes.
    ranked = connection.create_table("ranked", _ranked(visits, known), temp=True)
    changed = _new_rows(visits, known, ranked, mode)
    changed = connection.create_table("changed", changed, temp=True)
    return Changes(changed, int(changed.count().to_pyarrow().as_py()))


def _new_rows(
    visits: ibis.Table, known: ibis.Table, ranked: ibis.Table, mode: WebTrackingMode
) -> ibis.Table:
    """Give the rows of visits that change, with what is to stand in them."""
    # The how-many-th of its source an identified hit is, and the latest that a visit comes after.
    of_known = ranked.filter(ranked.is_known == 1).select("log_id", "source_id", "place")
    of_known = of_known.join(known.drop("source_id", "at"), "log_id")
    of_known = of_known.rename({f"new_{name}": name for name in _IDENTITY}).drop("log_id")
    of_visits = ranked.filter(ranked.is_known == 0).select("log_id", "place")
    if mode.is_anonymous:
        of_visits = of_visits.mutate(place=ibis.greatest(of_visits.place, 1))
    told = visits.join(of_visits, "log_id").join(of_known, ["source_id", "place"])
    # A purge took the hit that told whose it is: nobody else becomes its owner by that.
    lost = visits.filter(visits.flags.contains(ATTRIBUTED))
    lost = lost.anti_join(known.select("source_id", "message_id"), ["source_id", "message_id"])
    told = told.anti_join(lost.select("log_id"), "log_id")
    stays = told.flags.contains(NAMED) if not mode.is_last_delivery else ibis.literal(False)
    told = told.mutate(
        new_delivery_id=stays.ifelse(told.delivery_id, told.new_delivery_id),
        new_flags=_with_flag(told.flags),
    )
    names = (*_IDENTITY, "flags")
    is_changed = ibis.or_(*(told[name] != told[f"new_{name}"] for name in names))
    new: dict[str, Any] = {name: told[f"new_{name}"] for name in names}
    return told.filter(is_changed).select(
        "log_id", "at", DAY, **{OLD_DELIVERY_ID: told.delivery_id}, **new
    )


def _ranked(visits: ibis.Table, known: ibis.Table) -> ibis.Table:
    """Count along the time of each source how many identified hits there were, this one included.

    Shape: one row per visit and identified hit: log_id, source_id, is_known 0 or 1, place i64.
    """
    columns = ("log_id", "source_id", "at")
    events = visits.select(*columns, is_known=ibis.literal(0, "int64")).union(
        known.select(*columns, is_known=ibis.literal(1, "int64"))
    )
    by_time = ibis.window(
        group_by=events.source_id,
        order_by=[events.at, events.is_known.desc(), events.log_id],
        rows=(None, 0),
    )
    return events.mutate(place=events.is_known.sum().over(by_time).cast("int64"))


def _is_identified(log: ibis.Table) -> ir.BooleanValue:
    is_own = ~(
        log.flags.contains(UNVERIFIED) | log.flags.contains(HEAD) | log.flags.contains(ATTRIBUTED)
    )
    return (log.message_id != 0) & (log.source_id != "") & is_own


def _is_unidentified(log: ibis.Table) -> ir.BooleanValue:
    is_nobodys = (log.message_id == 0) & (log.recipient_id == 0)
    is_told = is_nobodys | log.flags.contains(ATTRIBUTED)
    return log.url_type.isin(_TYPES) & (log.source_id != "") & is_told


def _with_flag(flags: ir.StringColumn) -> ir.StringValue:
    added = (flags == PLAIN).ifelse(ATTRIBUTED, flags + ATTRIBUTED)
    return flags.contains(ATTRIBUTED).ifelse(flags, added)
