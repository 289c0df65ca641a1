"""The report Tracking indicators (spec §7.2): who received, opened and clicked.

Figures are those that consolidation wrote down. Only when asked about a period, or for all hits
whoever caused them, is the lake read. Deliveries without tracking count as sent, but never in what
reactions are a share of.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aftersend.database import enumerations
from aftersend.database import figures as database_figures
from aftersend.database.engine import Database
from aftersend.database.figures import DeliveryFigures, DomainFigures
from aftersend.lake import duckdb
from aftersend.lake.domains import numbered_domains
from aftersend.lake.measure import aggregate
from aftersend.lake.table import Lake
from aftersend.model.domain import Domains
from aftersend.model.ids import DeliveryId
from aftersend.reports.counted import counted_hits
from aftersend.reports.domain import OTHERS, TOTAL
from aftersend.reports.facts import facts
from aftersend.reports.indicator import figures, ratio
from aftersend.reports.purged import purged_notes
from aftersend.reports.removed import NEEDED, TABLE, Removed, removed, removed_hits, removed_table
from aftersend.reports.report import Cell, Report, Table
from aftersend.reports.scope import Scope, as_of, chosen

__all__ = ["LABEL", "NAME", "domain_table", "report", "waiting_notes"]

NAME: Final = "tracking-indicators"
LABEL: Final = "Tracking indicators"

_COLUMNS: Final = {
    "domain": "Domain",
    "sent": "Sent",
    "sent_rate": "Share of all sent",
    "complaints": "Complaints",
    "complaints_rate": "Complaints ÷ sent",
    "recipient_open": "Opens",
    "recipient_open_rate": "Opens ÷ sent",
    "recipient_click": "Clicks",
    "recipient_click_rate": "Clicks ÷ sent",
    "raw_reactivity": "Raw reactivity",
}
_NEEDED: Final = (
    "delivery_id",
    "message_id",
    "url_id",
    "url_type",
    "source_id",
    "domain",
    "amount",
    "article",
    "counted",
    *(name for name in NEEDED if name != "url_type"),
)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the hits say: measures by delivery, and by domain; what rules have taken out."""

    deliveries: Mapping[int, Mapping[str, float]]
    domains: Mapping[str, Mapping[str, int]]
    removed: Sequence[Removed]


def report(database: Database, lake: Lake, scope: Scope) -> Report:
    """Compute the report.

    Raises:
        NotFound: a delivery that is named does not exist.
    """
    with database.read() as connection:
        deliveries = chosen(connection, scope)
        tracked = [one.id for one in deliveries if one.is_tracked]
        domains = database_figures.by_domain(connection, tracked) if tracked else []
        names = enumerations.domains(connection)
        at = as_of(connection, deliveries, is_consolidated=scope.is_consolidated)
        taken: Sequence[Removed] = removed(connection, tracked)
        gone = purged_notes(connection, lake, tracked)
    measured = None
    if tracked and not scope.is_consolidated:
        measured = _measure(lake, scope, tracked, names)
        domains = _with_measures(domains, measured.domains)
        taken = measured.removed
    facts_ = facts(deliveries, None if measured is None else measured.deliveries)
    return Report(
        name=NAME,
        label=LABEL,
        as_of=at,
        indicators=figures(facts_),
        tables={"domains": domain_table(domains), TABLE: removed_table(taken)} if tracked else {},
        notes=(*_notes(deliveries, tracked), *waiting_notes(deliveries, scope), *gone),
    )


def domain_table(domains: Iterable[DomainFigures]) -> Table:
    """List names of domains, the busiest first, then Others, then the total.

    Shape: one row per name that was sent to or heard of, and the row Total, whose ratios are those
        of its sums.
    """
    known = sorted(domains, key=lambda one: (one.domain == OTHERS, -one.success, one.domain))
    total = DomainFigures(
        TOTAL,
        success=sum(one.success for one in known),
        complaints=sum(one.complaints for one in known),
        recipient_open=sum(one.recipient_open for one in known),
        recipient_click=sum(one.recipient_click for one in known),
    )
    return Table("Domains", _COLUMNS, [_row(one, total.success) for one in (*known, total)])


def _row(one: DomainFigures, sent_in_all: int) -> Mapping[str, Cell]:
    return {
        "domain": one.domain,
        "sent": one.success,
        "sent_rate": ratio(one.success, sent_in_all),
        "complaints": one.complaints,
        "complaints_rate": ratio(one.complaints, one.success),
        "recipient_open": one.recipient_open,
        "recipient_open_rate": ratio(one.recipient_open, one.success),
        "recipient_click": one.recipient_click,
        "recipient_click_rate": ratio(one.recipient_click, one.success),
        "raw_reactivity": ratio(one.recipient_click, one.recipient_open),
    }


def _measure(
    lake: Lake, scope: Scope, tracked: Collection[DeliveryId], names: Domains
) -> _Measured:
    connection = duckdb.connect()
    try:
        log = counted_hits(connection, lake, scope, tracked)
        counted = connection.create_table("counted", log.select(*_NEEDED), temp=True)
        with_domain = counted.filter(counted.domain != "")
        known, named = numbered_domains(connection, with_domain, names)
        domains = _by("domain", aggregate(known, by=("domain",)))
        return _Measured(
            deliveries=_by("delivery_id", aggregate(counted)),
            domains={named[number]: measured for number, measured in domains.items()},
            removed=removed_hits(counted),
        )
    finally:
        connection.disconnect()


def _by(key: str, table: Any) -> Mapping[Any, Mapping[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return {row.pop(key): row for row in rows}


def _with_measures(
    domains: Iterable[DomainFigures], measured: Mapping[str, Mapping[str, int]]
) -> list[DomainFigures]:
    known = {one.domain: one for one in domains}
    return [
        DomainFigures(
            domain=name,
            success=known[name].success if name in known else 0,
            complaints=known[name].complaints if name in known else 0,
            recipient_open=measured.get(name, {}).get("recipient_open", 0),
            recipient_click=measured.get(name, {}).get("recipient_click", 0),
        )
        for name in sorted(known.keys() | measured.keys())
    ]


def waiting_notes(deliveries: Iterable[DeliveryFigures], scope: Scope) -> tuple[str, ...]:
    """Say how many hits consolidation has not counted yet, where its figures are shown."""
    count = sum(one.pending for one in deliveries) if scope.is_consolidated else 0
    if not count:
        return ()
    have, them = ("hit has", "it is") if count == 1 else ("hits have", "they are")
    return (
        f"{count:,} {have} come since these figures were computed; {them} in lists already, and"
        " counted with the next ones or when figures are computed anew.",
    )


def _notes(
    deliveries: Sequence[DeliveryFigures], tracked: Collection[DeliveryId]
) -> tuple[str, ...]:
    untracked = len(deliveries) - len(tracked)
    if not untracked:
        return ()
    if not tracked:
        return ("Tracking is off: there are no opens and clicks to count.",)
    verb = "delivery has" if untracked == 1 else "deliveries have"
    return (f"{untracked} {verb} tracking off and no part in the rates of opens and clicks.",)
