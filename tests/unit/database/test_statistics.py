"""Statistics: replaced, all or nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aftersend.database import schema, statistics
from aftersend.database.statistics import NOTHING_CONSOLIDATED, Statistics
from aftersend.model.ids import DeliveryId
from tests.support.tracking import World, make_world

AT = datetime(2026, 1, 2, tzinfo=UTC)


def figures(delivery: int, opens: int) -> Statistics:
    """Make the figures of one delivery."""
    row = {"delivery_id": delivery, "recipient_open": opens}
    return Statistics(
        deliveries=[DeliveryId(delivery)],
        indicators=[row],
        domains=[{**row, "domain": "a.example"}],
        buckets=[{"delivery_id": delivery, "url_id": 1, "start": AT, "total_clicks": opens}],
        sent={(delivery, "b.example"): (5, 1)},
    )


def stored(world: World, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    """Read some columns of a table."""
    with world.database.read() as connection:
        query = select(*(table.c[name] for name in columns)).order_by(*table.primary_key)
        return [tuple(row) for row in connection.execute(query)]


def test_new_figures_take_the_place_of_old_ones(tmp_path: Path) -> None:
    """Replaced twice is replaced once; other deliveries stay; what is not said is zero."""
    world = make_world(tmp_path)

    with world.database.write() as connection:
        for each in (figures(1, 3), figures(2, 7), figures(1, 4)):
            statistics.replace(connection, each, lake_version=9, at=AT)

    columns = ("delivery_id", "recipient_open", "mirror_page", "lake_version", "computed_at")
    assert [(1, 4, 0, 9, AT), (2, 7, 0, 9, AT)] == stored(
        world, schema.delivery_indicator, *columns
    )
    domains = [(1, "a.example", 0, 4), (1, "b.example", 5, 0)]
    domains += [(2, "a.example", 0, 7), (2, "b.example", 5, 0)]
    assert domains == stored(
        world, schema.delivery_log_stats, "delivery_id", "domain", "success", "recipient_open"
    )
    assert [(1, AT, 4), (2, AT, 7)] == stored(
        world, schema.tracking_stats, "delivery_id", "start", "total_clicks"
    )


def test_buckets_before_a_time_stay(tmp_path: Path) -> None:
    """Told since when, only buckets that start then or later are replaced."""
    world = make_world(tmp_path)
    old = figures(1, 3)
    later = {**old.buckets[0], "start": AT + timedelta(minutes=5)}
    with world.database.write() as connection:
        statistics.replace(
            connection, replace(old, buckets=[*old.buckets, later]), lake_version=1, at=AT
        )

    new = replace(old, buckets=[{**later, "total_clicks": 9}], buckets_since=later["start"])
    with world.database.write() as connection:
        statistics.replace(connection, new, lake_version=2, at=AT)

    assert [(AT, 3), (later["start"], 9)] == stored(
        world, schema.tracking_stats, "start", "total_clicks"
    )


def test_figures_that_cannot_be_kept_leave_the_old_ones(tmp_path: Path) -> None:
    """A failure half-way undoes all of it."""
    world = make_world(tmp_path)
    with world.database.write() as connection:
        statistics.replace(connection, figures(1, 3), lake_version=1, at=AT)
    twice = figures(1, 4)
    bad = Statistics(twice.deliveries, twice.indicators, (), [*twice.buckets] * 2, {})

    with pytest.raises(Exception, match="UNIQUE"), world.database.write() as connection:
        statistics.replace(connection, bad, lake_version=2, at=AT)

    assert [(3, 1)] == stored(world, schema.delivery_indicator, "recipient_open", "lake_version")


def test_the_consolidated_version_is_remembered(tmp_path: Path) -> None:
    """Before the first time it is before every version; then what was set last."""
    world = make_world(tmp_path)
    found = []

    for version in (0, 7, 8):
        with world.database.write() as connection:
            found.append(statistics.consolidated_version(connection, "old"))
            statistics.set_consolidated_version(connection, version, "old")

    with world.database.read() as connection:
        other = statistics.consolidated_version(connection, "new")
    assert [NOTHING_CONSOLIDATED, 0, 7] == found
    assert NOTHING_CONSOLIDATED == other
