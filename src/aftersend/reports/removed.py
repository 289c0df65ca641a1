"""What the rules about machines have taken out of the figures, by rule.

Seed addresses are never in a figure, so they are not told of here: counted with all hits, the sums
of opens and clicks are larger by exactly what stands here.

Source: architecture D7; field lessons §0.1, §0.4.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import ibis
from sqlalchemy import Connection

from aftersend.database import rule_stats
from aftersend.lake.machines import described
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.ids import DeliveryId
from aftersend.reports.report import Table

__all__ = ["NEEDED", "TABLE", "Removed", "removed", "removed_hits", "removed_table"]

TABLE: Final = "removed"
"""The name of the table in reports."""

NEEDED: Final = ("rule", "is_seed", "url_type")
"""The columns that `removed_hits` reads."""

_SEED: Final = "seed"
_LABEL: Final = "Taken out by rules"
_COLUMNS: Final = {
    "rule": "Rule",
    "label": "Label",
    "verdict": "Verdict",
    "opens": "Opens",
    "clicks": "Clicks",
    "others": "Other hits",
}


@dataclass(frozen=True, slots=True)
class Removed:
    """How many hits one rule has taken out: opens, clicks on links (type 1), and all others."""

    rule: str
    label: str
    verdict: Verdict
    opens: int
    clicks: int
    others: int


def removed(connection: Connection, deliveries: Collection[DeliveryId]) -> list[Removed]:
    """Tell what the rules have taken out of some deliveries, as consolidation wrote it down.

    Shape: one per rule that took something out, in the order in which rules decide.
    """
    return _by_rule(rule_stats.of_deliveries(connection, deliveries))


def removed_hits(counted: ibis.Table) -> list[Removed]:
    """Tell the same of some hits; `counted` as `counted_log` gives them.

    Whether all hits are to count makes no difference here.
    """
    taken = counted.filter((counted.rule != "") & ~counted.is_seed)
    rows = taken.group_by("rule", "url_type").aggregate(hits=taken.count()).to_pyarrow().to_pylist()
    return _by_rule((row["rule"], row["url_type"], row["hits"]) for row in rows)


def removed_table(found: Iterable[Removed]) -> Table:
    """Give it as a table of a report."""
    rows = [
        {
            "rule": one.rule,
            "label": one.label,
            "verdict": one.verdict.value,
            "opens": one.opens,
            "clicks": one.clicks,
            "others": one.others,
        }
        for one in found
    ]
    return Table(_LABEL, _COLUMNS, rows)


def _by_rule(counts: Iterable[tuple[str, int, int]]) -> list[Removed]:
    opens, clicks, others = (defaultdict[str, int](int) for _ in range(3))
    columns = {UrlType.OPEN.value: opens, UrlType.EMAIL_CLICK.value: clicks}
    names: dict[str, None] = {}
    for rule, kind, hits in counts:
        if rule != _SEED:
            columns.get(kind, others)[rule] += hits
            names[rule] = None
    rules = described()
    # A rule that is no more has no label, but what it took out was taken out.
    ordered = [name for name in rules if name in names]
    ordered += sorted(name for name in names if name not in rules)
    return [
        Removed(
            rule=name,
            label=rules[name].label if name in rules else name,
            verdict=rules[name].verdict if name in rules else Verdict.MACHINE,
            opens=opens[name],
            clicks=clicks[name],
            others=others[name],
        )
        for name in ordered
    ]
