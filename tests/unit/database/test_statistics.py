"""Statistics: replaced, all or nothing."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from aftersend.database import schema, statistics
from aftersend.database.statistics import NOTHING_CONSOLIDATED, Pending, Statistics
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
        outcomes={(delivery, "b.example"): {"prepared": 6, "success": 5, "error": 1}},
        rules=[{"delivery_id": delivery, "rule": "head", "url_type": 1, "hits": opens}],
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
    new = figures(1, 4)
    bad = replace(new, buckets=[{**new.buckets[0], "total_clicks": None}])

    with pytest.raises(Exception, match="NOT NULL"), world.database.write() as connection:
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


@contextmanager
def written_rows(world: World) -> Iterator[Counter[str]]:
    """Count the rows that are inserted, changed and deleted, by table."""
    written: Counter[str] = Counter()

    def note(
        _connection: Any,
        _cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        is_many: bool,
    ) -> None:
        if found := re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement):
            written[found[1]] += len(parameters) if is_many else 1

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield written
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """Of a hundred buckets one changes, one is new, one is gone: three rows.

    The indicators tell of which version they are, so that row is written each time.

    Mutant killed: rows deleted and written again.
    """
    world = make_world(tmp_path)
    old = figures(1, 3)
    (first,) = old.buckets
    buckets = [{**first, "start": AT + timedelta(minutes=5 * at)} for at in range(100)]
    old = replace(old, buckets=buckets)
    new = {**first, "start": AT - timedelta(minutes=5)}
    changed = replace(old, buckets=[{**buckets[0], "total_clicks": 7}, *buckets[1:99], new])

    counts = []
    for version, each in enumerate((old, old, changed)):
        with written_rows(world) as written, world.database.write() as connection:
            statistics.replace(connection, each, lake_version=version, at=AT)
        counts.append(dict(written))

    tables = ("delivery_indicator", "delivery_log_stats", "delivery_rule_stats", "tracking_stats")
    assert counts == [
        dict(zip(tables, (1, 2, 1, 100), strict=True)),
        {"delivery_indicator": 1},
        {"delivery_indicator": 1, "tracking_stats": 3},
    ]
    kept = dict(stored(world, schema.tracking_stats, "start", "total_clicks"))
    assert (100, 3, 7) == (len(kept), kept[new["start"]], kept[AT])


def test_frozen_figures_stay(tmp_path: Path) -> None:
    """Figures that were counted before somebody froze the delivery come too late.

    Mutant killed: frozen deliveries not looked at when figures are replaced.
    """
    world = make_world(tmp_path)
    with world.database.write() as connection:
        statistics.replace(connection, figures(1, 3), lake_version=1, at=AT)
        connection.execute(update(schema.delivery_indicator).values(is_frozen=True))
        statistics.replace(connection, figures(1, 4), lake_version=2, at=AT)
        frozen = statistics.frozen(connection)

    assert {1} == frozen
    assert [(3, 1)] == stored(world, schema.delivery_indicator, "recipient_open", "lake_version")
    assert [(3,)] == stored(world, schema.tracking_stats, "total_clicks")
    assert [(3,)] == stored(world, schema.delivery_rule_stats, "hits")


def test_what_waits_is_kept_until_figures_are_new(tmp_path: Path) -> None:
    """How many, since when, and from when; replaced figures count everything."""
    world = make_world(tmp_path)
    pending = Pending(4, AT, AT - timedelta(days=1))
    with world.database.write() as connection:
        statistics.replace(connection, figures(1, 3), lake_version=1, at=AT)
        statistics.wait(connection, {DeliveryId(1): pending})

    with world.database.write() as connection:
        waiting = statistics.standings(connection, [DeliveryId(1), DeliveryId(2)])
        overdue = [statistics.overdue(connection, AT + timedelta(seconds=s)) for s in (-1, 0)]
        statistics.replace(connection, figures(1, 3), lake_version=2, at=AT)
        after = statistics.standings(connection, [DeliveryId(1)])

    assert (pending, [set(), {1}]) == (waiting[DeliveryId(1)].pending, overdue)
    assert {1} == waiting.keys()
    assert (Pending(), 2) == (after[DeliveryId(1)].pending, after[DeliveryId(1)].lake_version)
