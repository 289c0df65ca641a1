"""The indicator dictionary: every figure with its formula, as the code declares it.

`tools.reference` writes these lines into the page `indicators.md` of the reference, and its
``--check`` tells whether the page still says what the code says.
"""

from collections.abc import Iterator

from aftersend.model.domain import DOMAINS, OTHERS
from aftersend.reports import funnel
from aftersend.reports.indicator import INDICATORS, Box, Indicator

__all__ = ["lines"]


def lines() -> Iterator[str]:
    """Give the page below its title."""
    yield from (
        "",
        "`n(x)` counts hits that satisfy x; `d(k; x)` the different k among them. Only hits that",
        "count enter: see [figures](../guide/figures.md). A rate is the value ÷ what it is a share",
        "of; it may be above 100 %, and is nothing, not 0, where there is nothing to share. For",
        "several deliveries counts are summed, and ratios are made of the sums. Behind every count",
        "stands the list of what it counts.",
    )
    for box in Box:
        yield from ("", f"## {box}", "", "| name | label | formula | unit | share of | source |")
        yield "|---|---|---|---|---|---|"
        yield from (_row(one) for one in INDICATORS if one.box is box)
    yield from (
        "",
        "## Funnel",
        "",
        "Figures of the report `funnel`. Each is also a share of the people at the first step; its",
        "table tells for each step how many came there and how many were lost on the way.",
        "",
        "| name | label | formula |",
        "|---|---|---|",
    )
    yield from (f"| `{one.name}` | {one.label} | {one.formula} |" for one in funnel.DECLARED)
    yield from (
        "",
        "## Domains",
        "",
        f"The domain table gathers email domains under these names; all others are {OTHERS}.",
        "",
        "| name | domains |",
        "|---|---|",
    )
    yield from (f"| {name} | {', '.join(aliases)} |" for name, aliases in DOMAINS.items())


def _row(one: Indicator) -> str:
    share = one.denominator.formula if one.denominator else ""
    cells = (f"`{one.name}`", one.label, one.formula, one.unit, share, one.source)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
