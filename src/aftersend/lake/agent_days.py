"""Who clicked with what user agent on which day.

A click is somebody's whatever the delivery, so these figures are counted by day. What a hit is
depends on other hits of its message, which may lie on the day before or after.

Source: spec §1.10 (userAgentStats), §7.13.
"""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

import ibis

from aftersend.lake import duckdb
from aftersend.lake.counted_log import counted_log
from aftersend.lake.machines import Rules
from aftersend.lake.table import Lake
from aftersend.model.enumeration import UrlType

__all__ = ["agent_days", "days_around"]


def days_around(days: Collection[date]) -> set[date]:
    """List days with the one before and the one after each."""
    return {day + timedelta(days=step) for day in days for step in (-1, 0, 1)}


def agent_days(lake: Lake, rules: Rules, day: date) -> list[dict[str, Any]]:
    """Count the people who clicked on a UTC day, and their clicks, by user agent.

    Shape: one row per user agent with clicks that count: agent_id, day, visitors (different
        recipients), pages (clicks), visitors_of_the_day (different recipients, of all agents).
    """
    connection = duckdb.connect(temporary=lake.scratch)
    try:
        log = duckdb.scan(connection, lake.files_of_days(days_around((day,))))
        is_click = (log.day == ibis.literal(day)) & (log.url_type == UrlType.EMAIL_CLICK.value)
        clicked = log.filter(is_click).select("message_id").distinct()
        # Kept, because what others did is nothing to them: a day of opens is large.
        clicked = connection.create_table("clicked", clicked, temp=True)
        counted = counted_log(log.semi_join(clicked, "message_id"), rules)
        is_wanted = counted.day == ibis.literal(day)
        is_wanted &= counted.counted & (counted.url_type == UrlType.EMAIL_CLICK.value)
        kept = counted.filter(is_wanted).select("agent_id", "recipient_id")
        kept = connection.create_table("kept", kept, temp=True)
        everybody = kept.recipient_id.nunique().to_pyarrow().as_py()
        by_agent = kept.group_by("agent_id").aggregate(
            visitors=kept.recipient_id.nunique(), pages=kept.count()
        )
        rows: list[dict[str, Any]] = by_agent.to_pyarrow().to_pylist()
    finally:
        connection.disconnect()
    return [row | {"day": day, "visitors_of_the_day": everybody} for row in rows]
