"""Consolidation: statistics are replaced, for the deliveries that need it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update

from aftersend.database import enumerations, schema
from aftersend.database.enumerations import DOMAIN
from aftersend.model.enumeration import DeliveryState, FailureReason, MessageStatus
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.tracking.consolidate import consolidate, recompute
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import (
    NOW,
    FakeSource,
    World,
    make_world,
    numbered,
    story_sources,
)


def indicators(world: World) -> dict[int, Any]:
    """Give the indicators of every delivery that has some."""
    with world.database.read() as connection:
        rows = connection.execute(select(schema.delivery_indicator)).all()
    return {row.delivery_id: row for row in rows}


def domains(world: World, delivery: int) -> dict[str, tuple[int, int]]:
    """Give success and error per domain of a delivery."""
    with world.database.read() as connection:
        rows = connection.execute(
            select(schema.delivery_log_stats).where(
                schema.delivery_log_stats.c.delivery_id == delivery
            )
        ).all()
    return {row.domain: (row.success, row.error) for row in rows}


def test_only_deliveries_with_news_are_consolidated(tmp_path: Path) -> None:
    """The first run does all that were sent; the next those with new hits; then none."""
    world = make_world(tmp_path)
    sources = story_sources()
    late = sources[0].lines
    sources[0].lines = late[:3]
    sources[1].is_down = True

    first = world.run(sources)
    before = indicators(world)
    sources[0].lines = late[:8]
    second = world.run(sources)
    third = world.run(sources)

    after = indicators(world)
    assert (3, 3, 0) == (first.deliveries, second.deliveries, third.deliveries)
    assert {1, 2, 3} == {n for n, row in after.items() if row.computed_at > before[n].computed_at}


def test_a_delivery_without_hits_has_figures_too(tmp_path: Path) -> None:
    """Sent and not answered: zeros, and success per domain without its seeds."""
    world = make_world(tmp_path)

    world.run([])

    row = indicators(world)[1]
    assert (0, 0, 0, 0, 0, 0, 0, 0, NOW) == (*row[1:8], row.lake_version, row.computed_at)
    assert {"Gmail": (1, 0), "Others": (0, 1)} == domains(world, 1)


def test_a_delivery_that_was_not_sent_is_left_alone(tmp_path: Path) -> None:
    """What is being edited has no figures."""
    world = make_world(tmp_path)
    with world.database.write() as connection:
        connection.execute(
            update(schema.delivery).where(schema.delivery.c.id == 1).values(contact_at=None)
        )

    world.run([])

    assert {2, 3} == indicators(world).keys()


def test_success_follows_the_messages(tmp_path: Path) -> None:
    """While it is being sent, and once when it has changed, a delivery is counted again."""
    world = make_world(tmp_path)
    world.run([])
    of_delivery_2 = schema.delivery.c.id == 2

    def change(status: MessageStatus, **values: Any) -> tuple[int, dict[str, tuple[int, int]]]:
        with world.database.write() as connection:
            connection.execute(
                update(schema.message).where(schema.message.c.id == 1).values(status=status)
            )
            connection.execute(update(schema.delivery).where(of_delivery_2).values(**values))
        return world.run([]).deliveries, domains(world, 2)

    sending = change(MessageStatus.PENDING, state=DeliveryState.IN_PROGRESS)
    minute_ago = world.clock.now() - timedelta(minutes=1)
    ended = change(MessageStatus.FAILED, state=DeliveryState.FINISHED, modified_at=minute_ago)
    unchanged = change(MessageStatus.FAILED, state=DeliveryState.FINISHED)

    assert (1, {"Gmail": (1, 0), "Others": (1, 0)}) == sending
    assert (1, {"Gmail": (1, 0), "Others": (1, 1)}) == ended
    assert (0, ended[1]) == unchanged


def test_hits_alone_do_not_count_messages_again(tmp_path: Path) -> None:
    """With new hits only, success stays what was counted before; recomputing counts again."""
    world = make_world(tmp_path)
    world.run([])
    before = domains(world, 2)
    with world.database.write() as connection:
        connection.execute(update(schema.message).values(status=MessageStatus.FAILED))

    world.run(story_sources())
    after_hits = domains(world, 2)
    count = recompute(world.context([]), [DeliveryId(2)])

    assert (before, 1) == (after_hits, count)
    assert {"Gmail": (0, 1), "Others": (0, 2)} == domains(world, 2)


def test_recomputing_mends_what_was_damaged(tmp_path: Path) -> None:
    """Whatever stands in the statistics, recomputing all brings back what the lake says."""
    world = make_world(tmp_path)
    world.run(story_sources())
    expected = world.state()
    with world.database.write() as connection:
        connection.execute(update(schema.delivery_indicator).values(recipient_open=99))
        connection.execute(update(schema.tracking_stats).values(total_clicks=99))
        connection.execute(delete(schema.delivery_log_stats))
        connection.execute(
            insert(schema.tracking_stats).values(delivery_id=1, url_id=9, start=NOW, total_clicks=1)
        )

    count = recompute(world.context([]))

    assert (3, expected) == (count, world.state())


def test_other_rules_make_everything_new(tmp_path: Path) -> None:
    """With another period all deliveries are computed again, and no old bucket is left."""
    world = make_world(tmp_path)
    world.run(story_sources())
    context = world.context([])
    changed = replace(
        context, settings=context.settings.model_copy(update={"consolidation_period_s": 3600})
    )

    counts = [consolidate(changed).counts.deliveries for _ in range(2)]

    starts = {row.start.minute for row in world.state()["tracking_stats"]}
    assert ([3, 0], {0}) == (counts, starts)


def test_other_aliases_make_everything_new(tmp_path: Path) -> None:
    """Domains gathered otherwise: messages and reactions stand under the new names, no old one.

    Mutants killed: aliases that are no part of the rules; messages not counted again.
    """
    world = make_world(tmp_path)
    world.run(story_sources())
    with world.database.write() as connection:
        enumerations.set_alias(connection, DOMAIN, "example1.com", "Free", at=NOW)

    counts = [consolidate(world.context([])).counts.deliveries for _ in range(2)]

    assert [3, 0] == counts
    assert {"Gmail": (1, 0), "Free": (0, 1)} == domains(world, 1)
    rows = [row for row in world.state()["delivery_log_stats"] if row.domain == "Free"]
    assert all(row.recipient_open for row in rows if row.delivery_id == 2)


def test_messages_are_counted_by_reason(tmp_path: Path) -> None:
    """Prepared is every message to a recipient; failed ones stand under their reason, too."""
    world = make_world(tmp_path)
    reasons = {1: FailureReason.USER_UNKNOWN, 4: FailureReason.DENYLISTED, 7: FailureReason.DOUBLE}
    with world.database.write() as connection:
        for number, reason in reasons.items():
            values = {"status": MessageStatus.FAILED, "failure_reason": reason}
            connection.execute(
                update(schema.message).where(schema.message.c.id == number).values(**values)
            )

    world.run([])

    rows = {row.domain: row for row in world.state()["delivery_log_stats"] if row.delivery_id == 2}
    counts = {
        name: tuple(getattr(row, each) for each in ("prepared", "success", "error"))
        for name, row in rows.items()
    }
    assert {"Gmail": (1, 0, 1), "Others": (2, 0, 2)} == counts
    assert (1, 0, 1) == (
        rows["Others"].user_unknown,
        rows["Others"].complaints,
        rows["Gmail"].complaints,
    )


def test_purged_messages_are_not_counted_again(tmp_path: Path) -> None:
    """What was counted stays; reactions go on being counted.

    Mutant killed: messages counted whatever was purged.
    """
    world = make_world(tmp_path)
    world.run([])
    before = domains(world, 2)
    with world.database.write() as connection:
        connection.execute(delete(schema.message).where(schema.message.c.id == 1))
        connection.execute(update(schema.delivery).values(messages_purged_at=NOW))

    recompute(world.context([]))

    assert before == domains(world, 2)


def test_only_days_with_news_are_counted_again(tmp_path: Path) -> None:
    """User agents by day: the day of a new hit and those beside it; days without hits stay.

    Mutants killed: all days each time; the day of the hit alone.
    """
    world = make_world(tmp_path)
    clicks = [
        NaiveHit("", naive.START + timedelta(days=day), 1, 2, "browser") for day in (0, 5, 6, 5)
    ]
    story = list(numbered("1", clicks))
    world.run([FakeSource(ServerId("1"), story[:3])])
    table = schema.user_agent_stats
    with world.database.write() as connection:
        connection.execute(update(table).values(pages=99))
        purged = {"agent_id": 1, "day": NOW.date() - timedelta(days=900), "visitors": 7}
        connection.execute(insert(table).values(**purged, pages=99, visitors_of_the_day=7))

    world.run([FakeSource(ServerId("1"), story)])

    assert [7, 0, 5, 6] == [
        (row.day - naive.START.date()).days if row.agent_id != 1 else row.visitors
        for row in sorted(world.state()["user_agent_stats"], key=lambda row: row.day)
    ]
    assert [99, 99, 2, 1] == [
        row.pages for row in sorted(world.state()["user_agent_stats"], key=lambda row: row.day)
    ]


def test_one_person_in_two_domains_is_one_person(tmp_path: Path) -> None:
    """One browser that clicks in messages of two domains: one in each, one in the delivery.

    Mutant killed: people of domains added up.
    """
    world = make_world(tmp_path)
    clicks = [NaiveHit("", naive.START, message, 2, "browser-1") for message in (1, 4)]

    world.run([FakeSource(ServerId("1"), list(numbered("1", clicks)))])

    people = [
        row.person_click for row in world.state()["delivery_log_stats"] if row.delivery_id == 2
    ]
    assert ([1, 1], 1) == (people, indicators(world)[2].person_click)
    assert 2 == indicators(world)[2].recipient_click


def test_a_late_hit_changes_the_buckets_from_its_own_on(tmp_path: Path) -> None:
    """An open that comes late makes the one after it a repeat, in its own bucket."""
    world = make_world(tmp_path)
    at = naive.START.replace(hour=12, minute=4, second=59)
    opens = [NaiveHit("", at + timedelta(seconds=seconds), 1, 1) for seconds in (20, 400, 0)]
    story = list(numbered("1", opens))

    world.run([FakeSource(ServerId("1"), story[:2])])
    before = [tuple(row)[2:] for row in world.state()["tracking_stats"]]
    world.run([FakeSource(ServerId("1"), story)])

    first, second, third = (at.replace(minute=minute, second=0) for minute in (0, 5, 10))
    assert [(second, 1), (third, 1)] == before
    assert [(first, 1), (third, 1)] == [tuple(row)[2:] for row in world.state()["tracking_stats"]]


def test_a_lost_version_means_everything(tmp_path: Path) -> None:
    """A control plane that was set back consolidates whatever the lake holds."""
    world = make_world(tmp_path)
    world.run(story_sources())
    expected = world.state()
    with world.database.write() as connection:
        for table in (
            schema.option,
            schema.delivery_indicator,
            schema.delivery_log_stats,
            schema.tracking_stats,
        ):
            connection.execute(delete(table))
        connection.execute(update(schema.delivery).values(contact_at=None))

    report = consolidate(world.context([]))

    assert 3 == report.counts.deliveries
    assert expected["tracking_stats"] == world.state()["tracking_stats"]
    assert expected["delivery_indicator"] == world.state()["delivery_indicator"]


def test_a_recipient_that_is_gone_changes_no_total(tmp_path: Path) -> None:
    """Deleted later, a recipient's reactions stay in the figures (field lessons, D9)."""
    world = make_world(tmp_path)
    with world.database.write() as connection:
        connection.execute(
            insert(schema.recipient),
            [
                {
                    "id": 100 + number,
                    "email": f"{number}@example.com",
                    "domain": "example.com",
                    "created_at": NOW,
                    "modified_at": NOW,
                }
                for number in range(1, 10)
            ],
        )
    world.run(story_sources())
    expected = world.state()
    with world.database.write() as connection:
        connection.execute(delete(schema.recipient))

    recompute(world.context([]))

    assert expected == world.state()


def test_more_deliveries_than_fit_one_query_are_all_done(tmp_path: Path) -> None:
    """Portions change nothing, and the version is noted with the last of them."""
    world = make_world(tmp_path)
    with world.database.write() as connection:
        connection.execute(
            insert(schema.delivery),
            [
                {
                    "id": number,
                    "internal_name": f"DM{number}",
                    "label": "",
                    "state": DeliveryState.FINISHED,
                    "sender": "",
                    "subject": "",
                    "created_at": NOW - timedelta(days=1),
                    "modified_at": NOW - timedelta(days=1),
                    "contact_at": NOW - timedelta(days=1),
                }
                for number in range(10, 1200)
            ],
        )

    counts = world.run(story_sources())

    assert 3 + 1190 == counts.deliveries == len(indicators(world))
    assert 0 == world.run(story_sources()).deliveries
