"""The cleanup: what it removes, in what order, and that no figure changes by it."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from aftersend.database import schema, web_visits
from aftersend.lake.machines import Rules
from aftersend.maintenance.cleanup import TASKS
from aftersend.model.enumeration import DeliveryKind
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.reports.purged import purged_notes
from aftersend.tracking import consolidate
from aftersend.tracking.load import load
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import STORY_MODE, Visit, World, keep_lines, make_world
from tests.support.upkeep import cleaner, count, figures, full_world, purge, simulate, task

YEAR_S = 400 * 86_400
ALL = {
    "deleted_deliveries_days": 7,
    "job_logs_days": 90,
    "rejects_days": 180,
    "tracking_logs_days": 360,
    "consolidated_tracking_days": 360,
    "delivery_logs_days": 180,
    "audit_days": 180,
}


class End(Exception):
    """The process ends here."""


@pytest.fixture(name="began", scope="module")
def _began(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder to copy: to make it takes long."""
    directory = tmp_path_factory.mktemp("began") / "world"
    full_world(directory).database.engine.dispose()
    return directory


@pytest.fixture
def world(tmp_path: Path, began: Path) -> World:
    """Give an instance with something of everything; all of it is older than a year."""
    shutil.copytree(began, tmp_path / "world")
    made = make_world(tmp_path / "world", STORY_MODE)
    made.clock.advance(YEAR_S)
    return made


def delete(world: World, *deliveries: int) -> None:
    """Delete some deliveries long ago."""
    values = {"deleted_at": world.clock.now() - timedelta(days=8)}
    with world.database.write() as connection:
        connection.execute(
            update(schema.delivery).where(schema.delivery.c.id.in_(deliveries)).values(values)
        )


def load_late(world: World, message: int, server: str = "1") -> Any:
    """Load a click that comes now."""
    hit = NaiveHit("", naive.START, message, 2, "late")
    keep_lines(world, server, [hit], world.lake.pointer(ServerId(server)) + 1)
    return load(world.context([])).counts


def frozen(world: World) -> set[int]:
    """List the deliveries whose figures stay."""
    table = schema.delivery_indicator.c
    with world.database.read() as connection:
        query = select(table.delivery_id).where(table.is_frozen)
        return set(connection.execute(query).scalars())


def test_figures_stay_when_raw_hits_go(world: World) -> None:
    """After the purge, a late hit, other rules, and computing all anew: the same to the digit.

    Mutant killed: freezing nothing.
    """
    before = figures(world)
    assert before["delivery_indicator"]

    report = task("trackingLogs").do(cleaner(world, tracking_logs_days=360))

    assert (len(world.hits()), before) == (0, figures(world))
    assert report.text.startswith("Removed ")
    assert 1 == load_late(world, 1).loaded
    consolidate.consolidate(world.context([]))
    consolidate.recompute(world.context([]))
    other = world.context([])
    settings = other.settings.model_copy(update={"dedup_open_period_s": 600})
    assert Rules(open_repeat_s=600).edition != Rules().edition
    consolidate.consolidate(_with(other, settings))
    assert before == figures(world)


def _with(context: Any, settings: Any) -> Any:
    return replace(context, settings=settings)


def test_hits_that_wait_are_counted_before_they_go(world: World) -> None:
    """A hit that is loaded but in no figure yet is in the figures that stay."""
    assert 1 == load_late(world, 1).loaded
    waiting = figures(world)

    task("trackingLogs").do(cleaner(world, tracking_logs_days=360))

    kept = figures(world)
    assert waiting != kept
    clicks = [row[5] for row in kept["delivery_indicator"] if row[0] == naive.MESSAGES[1]]
    assert [1 + row[5] for row in waiting["delivery_indicator"] if row[0] == 2] == clicks


def test_days_that_are_kept_stay(world: World) -> None:
    """Hits of the day of the limit and later stay, and deliveries with no older ones go on."""
    day = naive.START.date()
    days_ago = (world.clock.now().date() - day).days
    before = [row for row in world.hits() if row["day"] >= day]
    older = {row["delivery_id"] for row in world.hits() if row["day"] < day}
    assert older < {1, 2, 3}

    task("trackingLogs").do(cleaner(world, tracking_logs_days=days_ago))

    assert before == world.hits()
    assert world.lake.first_day == day
    assert older == frozen(world)


@pytest.mark.parametrize("time", [1, 2, 3, 4, 5, 6, 9])
def test_an_end_at_any_moment_loses_no_figure(world: World, time: int) -> None:
    """Wherever the cleanup ends: what is gone was frozen before, and the next one does the rest.

    Mutant killed: hits removed before deliveries are frozen.
    """
    before, left = figures(world), time
    days = {name: ALL[name] for name in ("tracking_logs_days", "delivery_logs_days")}

    def passing(_point: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise End

    with pytest.raises(End):
        purge(cleaner(world, passing, **days))
    consolidate.recompute(world.context([]))
    assert before == figures(world)

    purge(cleaner(world, **days))
    consolidate.recompute(world.context([]))
    assert before == figures(world)
    assert (0, 0, 0) == (
        len(world.hits()),
        count(world, schema.message),
        count(world, schema.exclusion),
    )


def test_a_dry_run_tells_what_a_real_one_removes(world: World) -> None:
    """Count by count, task by task, with deliveries that are deleted among it; nothing changes."""
    delete(world, 2)
    context = cleaner(world, **ALL)
    before = (world.state(), [count(world, table) for table in schema.metadata.sorted_tables])

    told = {name: report.details for name, report in simulate(context).items()}

    assert before == (
        world.state(),
        [count(world, table) for table in schema.metadata.sorted_tables],
    )
    done = {name: report.details for name, report in purge(context).items()}
    assert told == done
    assert all(done[name] for name in done), done


def test_the_order_is_fixed() -> None:
    """Deleted deliveries first, raw hits before statistics before messages, sessions last."""
    assert [
        "deletedDeliveries",
        "rejects",
        "jobLogs",
        "history",
        "trackingLogs",
        "trackingStats",
        "deliveryLogs",
        "audit",
        "sessions",
    ] == [each.name for each in TASKS]


def test_nothing_goes_that_is_kept_for_ever(world: World) -> None:
    """With 0 everywhere only histories, sessions and files of sends go."""
    delete(world, 2)
    kept = (schema.message, schema.exclusion, schema.tracking_stats, schema.audit_entry)
    before = [*(count(world, table) for table in kept), len(world.hits())]

    purge(cleaner(world))

    assert before == [*(count(world, table) for table in kept), len(world.hits())]


def test_nothing_goes_that_is_young(world: World) -> None:
    """One day before its time nothing is removed."""
    days = dict.fromkeys(ALL, 402)
    delete(world, 2)

    done = purge(cleaner(world, **days))

    gone = {name for name, report in done.items() if report.details}
    assert {"history", "sessions"} == gone


def test_of_a_deleted_delivery_nothing_is_left(world: World) -> None:
    """Hits, messages, figures, links and content go; those of others stay as they are."""
    delete(world, 2)
    others = {name: [row for row in rows if row[0] != 2] for name, rows in figures(world).items()}
    hits = [row for row in world.hits() if row["delivery_id"] != 2]

    report = task("deletedDeliveries").do(cleaner(world, deleted_deliveries_days=7))

    assert 1 == report.details["deliveries"]
    assert (others, hits) == (figures(world), world.hits())
    with world.database.read() as connection:
        for table in schema.metadata.sorted_tables:
            if "delivery_id" in table.c:
                query = select(table.c.delivery_id).where(table.c.delivery_id == 2)
                assert [] == list(connection.execute(query)), table.name
        assert [] == list(connection.execute(select(schema.delivery).filter_by(id=2)))


def test_a_late_hit_of_a_deleted_delivery_is_nobodys(world: World) -> None:
    """It is rejected as one whose message is not known, and no figure comes of it."""
    delete(world, 2)
    task("deletedDeliveries").do(cleaner(world, deleted_deliveries_days=7))
    before = figures(world)

    counts = load_late(world, 1)
    consolidate.consolidate(world.context([]))

    assert (0, 1) == (counts.loaded, sum(counts.rejected.values()))
    assert before == figures(world)


def test_a_delivery_that_was_restored_in_time_stays(world: World) -> None:
    """Between looking and removing somebody restores it: nothing of it is removed."""
    from aftersend.database import purge as rows

    delete(world, 2)
    now = world.clock.now()
    with world.database.write() as connection:
        connection.execute(update(schema.delivery).values(deleted_at=None))
        assert not rows.begin_removal(connection, DeliveryId(2), before=now, now=now)


def test_figures_stay_when_messages_go(world: World) -> None:
    """What was sent is never counted again, though somebody touches the delivery later.

    Mutant killed: marking no delivery.
    """
    before = figures(world)

    report = task("deliveryLogs").do(cleaner(world, delivery_logs_days=180))

    assert (9, 6) == (report.details["messages"], report.details["exclusions"])
    with world.database.write() as connection:
        connection.execute(update(schema.delivery).values(modified_at=world.clock.now()))
    consolidate.consolidate(world.context([]))
    consolidate.recompute(world.context([]))
    assert before == figures(world)


def test_messages_of_a_delivery_that_goes_on_stay(world: World) -> None:
    """A delivery that has not ended keeps its messages, however old they are."""
    with world.database.write() as connection:
        connection.execute(update(schema.delivery).filter_by(id=1).values(ended_at=None))

    task("deliveryLogs").do(cleaner(world, delivery_logs_days=180))

    with world.database.read() as connection:
        left = set(connection.execute(select(schema.message.c.delivery_id)).scalars())
    assert {1} == left


def test_the_last_run_that_finished_stays(world: World) -> None:
    """It tells up to when figures are; a run that goes on stays, too; journals go by age."""
    task("history").do(cleaner(world))

    table = schema.workflow_run.c
    with world.database.read() as connection:
        left = connection.execute(select(table.id, table.state).order_by(table.id)).all()
    assert [(3, "finished"), (5, "running")] == [tuple(row) for row in left]
    assert 0 == count(world, schema.journal_line)


def test_a_history_is_kept_as_long_as_its_workflow_says(world: World) -> None:
    """0 days is for ever."""
    with world.database.write() as connection:
        connection.execute(update(schema.workflow).values(history_days=0))

    assert "Nothing to remove." == task("history").do(cleaner(world)).text


def test_sessions_and_ledgers_that_are_over_go(world: World) -> None:
    """A session that still holds stays, and so does the ledger of a delivery that is being sent."""
    context = cleaner(world)
    with world.database.write() as connection:
        connection.execute(update(schema.delivery).filter_by(id=3).values(ended_at=None))
    (context.sending / "3.ledger").touch()

    report = task("sessions").do(context)

    assert {"sessions": 1, "files of sends": 3} == report.details
    assert 1 == len(list(context.sessions.iterdir()))
    assert ["3.ledger"] == [path.name for path in context.sending.iterdir()]


def test_batches_are_short(world: World) -> None:
    """No transaction deletes more than `batch_rows`, and each asks whether the run goes on."""
    told: list[tuple[int, int]] = []
    points: Counter[str] = Counter()
    context = cleaner(world, lambda point: points.update([point]), delivery_logs_days=180)

    task("deliveryLogs").do(_telling(context, lambda done, total: told.append((done, total))))

    steps = [b - a for (a, _), (b, _) in zip([(0, 0), *told], told, strict=False)]
    assert max(steps) == context.settings.batch_rows
    assert (15, 15) == told[-1]
    assert points["batch:deleted"] == len(told)


def _telling(context: Any, telling: Callable[[int, int], None]) -> Any:
    return replace(context, telling=telling)


def test_web_visits_go_on_in_a_new_delivery(world: World) -> None:
    """The delivery of web visits is frozen like any other; visits to come have one of their own."""
    visit = Visit(naive.START, "tagid=home", "nobody-we-know")
    keep_lines(world, "1", [visit], world.lake.pointer(ServerId("1")) + 1)
    assert 1 == load(world.context([])).counts.loaded
    with world.database.write() as connection:
        known = set(connection.execute(select(schema.delivery.c.id)).scalars())
        query = select(schema.delivery.c.id, schema.delivery.c.internal_name)
        visits = connection.execute(query.filter_by(kind=DeliveryKind.WEB_VISITS)).one()
        name = visits.internal_name

    task("trackingLogs").do(cleaner(world, tracking_logs_days=360))

    with world.database.write() as connection:
        assert visits.id in frozen(world)
        assert web_visits.ensure(connection, name, at=world.clock.now()) not in known


def test_statistics_over_time_go_by_age(world: World) -> None:
    """Periods that began before the limit go, others stay."""
    now = world.clock.now()
    row = {"delivery_id": 1, "url_id": 1, "start": now, "total_clicks": 1}
    with world.database.write() as connection:
        connection.execute(insert(schema.tracking_stats).values(row))

    task("trackingStats").do(cleaner(world, consolidated_tracking_days=360))

    assert 1 == count(world, schema.tracking_stats)


def test_a_report_says_that_its_hits_are_gone(world: World) -> None:
    """Only then: before the purge nothing is said, after it from which day on hits are kept."""
    ids = [DeliveryId(1), DeliveryId(2)]
    with world.database.read() as connection:
        assert () == purged_notes(connection, world.lake, ids)

    task("trackingLogs").do(cleaner(world, tracking_logs_days=360))

    first = world.clock.now().date() - timedelta(days=360)
    with world.database.read() as connection:
        (note,) = purged_notes(connection, world.lake, ids)
    assert f"Hits before {first} were removed" in note
    assert "2 deliveries have" in note
