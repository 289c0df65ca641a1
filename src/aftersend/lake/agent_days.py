"""Who clicked with what user agent on which day.

A click is somebody's whatever the delivery, so these figures are counted by day. What a hit is
depends on other hits of its message, which may lie on the day before or after.

Source: spec §1.10 (userAgentStats), §7.13.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.model.enumeration import UrlType
from aftersend.model.logline import UNVERIFIED

__all__ = ["agent_days", "days_around"]


def days_around(days: Collection[date]) -> set[date]:
    """List days with the one before and the one after each."""
    return {day + timedelta(days=step) for day in days for step in (-1, 0, 1)}


def agent_days(lake: Lake, rules: Rules, days: Collection[date]) -> list[dict[str, Any]]:
    """Count the people who clicked on some UTC days, and their clicks, by day and user agent.

    Shape: one row per day and user agent with clicks that count: agent_id, day, visitors (different
        recipients), pages (clicks), visitors_of_the_day (different recipients, of all agents).
    """
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        log = duckdb.scan(connection, lake.files_of_days(days_around(days)))
        # No rule about clicks looks at opens, but at unverified ones; and opens are many.
        is_of_use = (log.url_type != UrlType.OPEN.value) | log.flags.contains(UNVERIFIED)
        about_clicks = replace(rules, off=rules.off | {"open-repeat"})
        counted = classified(log.filter(is_of_use), about_clicks)
        kept = counted.filter(counted.counted & _is_click(counted, days))
        kept = kept.select("day", "agent_id", "recipient_id")
        kept = connection.create_table("kept", kept, temp=True)
        visitors = kept.recipient_id.nunique()
        everybody = kept.group_by("day").aggregate(visitors_of_the_day=visitors)
        by_agent = kept.group_by("day", "agent_id").aggregate(visitors=visitors, pages=kept.count())
        rows: list[dict[str, Any]] = by_agent.join(everybody, "day").to_pyarrow().to_pylist()
    finally:
        connection.disconnect()
    return rows


def _is_click(log: ibis.Table, days: Collection[date]) -> ir.BooleanValue:
    is_day = log.day.isin([ibis.literal(day) for day in sorted(days)])
    return is_day & (log.url_type == UrlType.EMAIL_CLICK.value)
