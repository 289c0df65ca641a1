"""The indicator dictionary says what the code declares."""

from aftersend.model.domain import DOMAINS
from aftersend.reports.funnel import DECLARED
from aftersend.reports.indicator import INDICATORS
from tools.indicator_dictionary import lines


def test_every_indicator_has_one_line() -> None:
    """Name, label, formula, unit, denominator and source of each indicator stand in one row."""
    rows = [line for line in lines() if line.startswith("| `")]

    assert len(rows) == len(INDICATORS) + len(DECLARED)
    for figure in DECLARED:
        assert f"| `{figure.name}` | {figure.label} | {figure.formula} |" in rows
    for one in INDICATORS:
        (row,) = (row for row in rows if row.startswith(f"| `{one.name}` |"))
        share = one.denominator.formula if one.denominator else ""
        for part in (one.label, one.formula, one.unit, share, one.source):
            assert f"| {part} |" in row


def test_every_domain_is_told() -> None:
    """Each name of the domain table stands there with its aliases."""
    page = "\n".join(lines())

    for name, aliases in DOMAINS.items():
        assert f"| {name} | {', '.join(aliases)} |" in page
