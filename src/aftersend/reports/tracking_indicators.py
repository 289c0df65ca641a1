"""The report Tracking indicators (spec §7.2): who received, opened and clicked.

Figures are those that consolidation wrote down. Only when asked about a period, or for all hits
whoever caused them, is the lake read. Deliveries without tracking count as sent, but never in what
reactions are a share of.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aftersend.database import figures as database_figures
from aftersend.database.engine import Database
from aftersend.database.figures import DeliveryFigures, DomainFigures
from aftersend.lake import duckdb
from aftersend.lake.measure import aggregate
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId
from aftersend.reports.counted import counted_hits
from aftersend.reports.domain import OTHERS, TOTAL, name_of
from aftersend.reports.facts import facts
from aftersend.reports.indicator import figures, ratio
from aftersend.reports.report import Cell, Report, Table
from aftersend.reports.scope import Scope, as_of, chosen

__all__ = ["LABEL", "NAME", "domain_table", "report"]

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
)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the hits say: measures by delivery, and by domain."""

    deliveries: Mapping[int, Mapping[str, float]]
    domains: Mapping[str, Mapping[str, int]]


def report(database: Database, lake: Lake, scope: Scope) -> Report:
    """Compute the report.

    Raises:
        NotFound: a delivery that is named does not exist.
    """
    with database.read() as connection:
        deliveries = chosen(connection, scope)
        tracked = [one.id for one in deliveries if one.is_tracked]
        domains = database_figures.by_domain(connection, tracked) if tracked else []
        at = as_of(connection, deliveries)
    measured = None
    if tracked and not scope.is_consolidated:
        measured = _measure(lake, scope, tracked)
        domains = _with_measures(domains, measured.domains)
    facts_ = facts(deliveries, None if measured is None else measured.deliveries)
    return Report(
        name=NAME,
        label=LABEL,
        as_of=at,
        indicators=figures(facts_),
        tables={"domains": domain_table(domains)} if tracked else {},
        notes=_notes(deliveries, tracked),
    )


def domain_table(domains: Iterable[DomainFigures]) -> Table:
    """Gather domains under their names; the busiest first, then Others, then the total.

    Shape: one row per name that was sent to or heard of, and the row Total, whose ratios are those
        of its sums.
    """
    gathered: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in domains:
        counts = (one.success, one.complaints, one.recipient_open, one.recipient_click)
        for key in (name_of(one.domain), TOTAL):
            gathered[key] = [a + b for a, b in zip(gathered[key], counts, strict=True)]
    total = gathered.pop(TOTAL, [0, 0, 0, 0])
    names = sorted(gathered, key=lambda name: (name == OTHERS, -gathered[name][0], name))
    rows = [_row(name, gathered[name], total[0]) for name in names]
    return Table("Domains", _COLUMNS, [*rows, _row(TOTAL, total, total[0])])


def _row(name: str, counts: Sequence[int], sent_in_all: int) -> Mapping[str, Cell]:
    sent, complaints, opens, clicks = counts
    return {
        "domain": name,
        "sent": sent,
        "sent_rate": ratio(sent, sent_in_all),
        "complaints": complaints,
        "complaints_rate": ratio(complaints, sent),
        "recipient_open": opens,
        "recipient_open_rate": ratio(opens, sent),
        "recipient_click": clicks,
        "recipient_click_rate": ratio(clicks, sent),
        "raw_reactivity": ratio(clicks, opens),
    }


def _measure(lake: Lake, scope: Scope, tracked: Collection[DeliveryId]) -> _Measured:
    connection = duckdb.connect()
    try:
        log = counted_hits(connection, lake, scope, tracked)
        counted = connection.create_table("counted", log.select(*_NEEDED), temp=True)
        return _Measured(
            deliveries=_by("delivery_id", aggregate(counted)),
            domains=_by("domain", aggregate(counted.filter(counted.domain != ""), by=("domain",))),
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
