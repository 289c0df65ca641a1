"""Reports and lists as JSON and CSV.

CSV is for spreadsheets, and a spreadsheet runs a text that begins like a formula: such a text gets
an apostrophe in front. Numbers are left alone.
Source: OWASP, "CSV Injection"; RFC 4180.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from aftersend.database.figures import MessageRow
from aftersend.reports.behind import Reaction
from aftersend.reports.explain import Explanation
from aftersend.reports.indicator import Figure
from aftersend.reports.log_query import LogRow
from aftersend.reports.report import Report

__all__ = ["LOG_COLUMNS", "document", "explanation_document", "figures_document", "row_document"]
__all__ += ["rows_csv", "to_csv", "to_json"]

LOG_COLUMNS: Final = (
    "log_id",
    "at",
    "type",
    "url",
    "label",
    "delivery",
    "delivery_id",
    "recipient",
    "source_id",
    "verdict",
    "rule",
    "part",
    "amount",
    "article",
)
"""The columns of tracking logs in JSON and CSV, in order."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def document(report: Report) -> dict[str, Any]:
    """Give a report as what JSON can spell."""
    return {
        "report": report.name,
        "as_of": _plain(report.as_of),
        "indicators": figures_document(report.indicators),
        "tables": {
            name: [dict(row) for row in table.rows] for name, table in report.tables.items()
        },
        "notes": list(report.notes),
    }


def figures_document(figures: Mapping[str, Figure]) -> dict[str, dict[str, Any]]:
    """Give indicators as what JSON can spell."""
    return {
        name: {"value": figure.value, "rate": figure.rate, "label": figure.label}
        for name, figure in figures.items()
    }


def row_document(row: LogRow | Reaction | MessageRow) -> dict[str, Any]:
    """Give a row of a list as what JSON can spell."""
    values = {name: _plain(value) for name, value in asdict(row).items()}
    return {name: values[name] for name in LOG_COLUMNS} if isinstance(row, LogRow) else values


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """Give the explanation of a verdict as what JSON can spell."""
    hit, rule, agent = explanation.hit, explanation.rule, explanation.agent
    return {
        "log_id": hit.log_id,
        "at": _plain(hit.at),
        "verdict": hit.verdict.value,
        "rule": hit.rule,
        "rule_label": "" if rule is None else rule.label,
        "reason": explanation.reason,
        "source": "" if rule is None else rule.source,
        "counted": explanation.is_counted,
        "delivery_id": hit.delivery_id,
        "delivery": hit.delivery,
        "recipient": hit.recipient,
        "type": hit.type.slug,
        "url": hit.url,
        "label": hit.label,
        "part": hit.part,
        "flags": explanation.flags,
        "address": explanation.address,
        "scanner_network": explanation.vendor,
        "agent": {"text": agent.text, **asdict(agent.agent)},
        "evidence": [
            {
                "log_id": each.hit.log_id,
                "at": _plain(each.hit.at),
                "offset_s": each.offset_s,
                "type": each.hit.type.slug,
                "url": each.hit.url,
                "label": each.hit.label,
                "agent": each.agent,
                "verdict": each.hit.verdict.value,
                "rule": each.hit.rule,
                "decisive": each.is_decisive,
            }
            for each in explanation.evidence
        ],
    }


def to_json(report: Report) -> str:
    """Spell a report as JSON."""
    return json.dumps(document(report), ensure_ascii=False, indent=2) + "\n"


def to_csv(report: Report) -> str:
    """Spell a report as CSV: the indicators, then each table, with an empty line between."""
    columns = ("indicator", "label", "value", "rate")
    rows = [
        (name, figure.label, figure.value, figure.rate)
        for name, figure in report.indicators.items()
    ]
    blocks = [rows_csv(columns, rows)]
    for table in report.tables.values():
        cells = [[row[name] for name in table.columns] for row in table.rows]
        blocks.append(rows_csv(tuple(table.columns), cells))
    return "\r\n".join(blocks)


def rows_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Spell rows under a heading as CSV; nothing in them is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_harmless(_plain(value)) for value in row] for row in rows)
    return text.getvalue()


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, IntEnum):
        return value.name.lower()
    return value


def _harmless(value: Any) -> Any:
    is_risky = isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS)
    return f"'{value}" if is_risky else value
