"""The rows behind a figure."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aftersend.database import enumerations, statistics
from aftersend.database.enumerations import DOMAIN
from aftersend.database.statistics import Pending
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import FailureReason, MessageStatus, UrlType, Verdict
from aftersend.reports.behind import Page, Reaction, behind
from aftersend.reports.log_query import LogRow
from aftersend.reports.scope import Scope
from aftersend.reports.tracking_indicators import report
from tests.support.crowds import NOBODY, OPEN, ORDER, PAGE, SHOP, Hit, Sent, World

_PEOPLE = ["a@gmail.com", "b@aol.de", "c@example.com", "d@example.com"]


@pytest.fixture
def sent(world: World) -> Sent:
    """Give a delivery with a few hits."""
    sent = world.send(_PEOPLE, failed={3: FailureReason.USER_UNKNOWN})
    world.hit(
        sent,
        [
            Hit(0, SHOP, 0, "browser"),
            Hit(1, SHOP, 7, "browser"),
            Hit(1, SHOP, 9, ""),
            Hit(2, OPEN, 1),
            Hit(2, OPEN, 2),
            Hit(2, SHOP, 3, "robot", flags="h"),
        ],
    )
    world.consolidate()
    return sent


def test_behind_a_sum_stand_the_hits(world: World, sent: Sent) -> None:
    """Cumulated clicks are listed as tracking logs, newest first, machines left out."""
    found = behind(world.database, world.lake, "total_recipient_click", Scope([sent.id]))

    rows = [row for row in found.rows if isinstance(row, LogRow)]
    assert [(row.recipient, row.label, row.verdict) for row in rows] == [
        ("b@aol.de", "Shop", Verdict.HUMAN),
        ("b@aol.de", "Shop", Verdict.HUMAN),
        ("a@gmail.com", "Shop", Verdict.HUMAN),
    ]


def test_behind_a_distinct_count_stands_each_once(world: World, sent: Sent) -> None:
    """A browser that two recipients share is one person; a click without cookie is another."""
    found = behind(world.database, world.lake, "person_click", Scope([sent.id]))

    rows = [row for row in found.rows if isinstance(row, Reaction)]
    assert [(row.key, row.recipient, row.count) for row in rows] == [
        ("browser", "a@gmail.com", 2),
        (f"#{sent.messages[1]}", "b@aol.de", 1),
    ]
    assert (rows[0].last_at - rows[0].first_at).total_seconds() == 7


def test_behind_sending_stand_the_messages(world: World, sent: Sent) -> None:
    """Success and errors list the messages with that outcome."""
    scope = Scope([sent.id])
    failed = behind(world.database, world.lake, "error", scope).rows
    good = behind(world.database, world.lake, "success", scope, page=Page(limit=2, offset=1))

    assert [(row.recipient, getattr(row, "status", None)) for row in failed] == [
        ("d@example.com", MessageStatus.FAILED)
    ]
    assert [row.recipient for row in good.rows] == ["b@aol.de", "c@example.com"]
    assert good.total == 3


@pytest.mark.parametrize(
    ("domain", "people"),
    [("Gmail", ["a@gmail.com"]), ("Others", ["c@example.com"]), ("Yahoo", [])],
)
def test_behind_a_domain_stands_its_part(
    world: World, sent: Sent, domain: str, people: list[str]
) -> None:
    """The opens of one row of the domain table list the people of that row."""
    scope = Scope([sent.id])
    found = behind(world.database, world.lake, "recipient_open", scope, domain=domain)

    assert [row.recipient for row in found.rows] == people


def test_behind_money_stand_the_transactions(world: World, sent: Sent) -> None:
    """All transactions that count, those that told no amount too; together they are the figure."""
    orders = [
        Hit(0, ORDER, 20, "a", amount=0.1, article=1),
        Hit(0, ORDER, 21, "a", amount=0.2),
        Hit(NOBODY, ORDER, 22, "b"),
        Hit(0, PAGE, 23, "a", amount=5.0, article=5),
    ]
    world.hit(sent, orders)
    scope = Scope([sent.id])
    found = behind(world.database, world.lake, "amount", scope, page=Page(limit=2))
    items = behind(world.database, world.lake, "article", scope)

    rows = [row for row in found.rows if isinstance(row, LogRow)]
    assert [(row.type, row.label, row.recipient, row.amount, row.article) for row in rows] == [
        (UrlType.TRANSACTION, "order", "", None, None),
        (UrlType.TRANSACTION, "order", "a@gmail.com", 0.2, None),
    ]
    assert (found.value, found.total) == (0.3, 3)
    assert (items.value, items.total) == (1, 3)


def test_all_hits_are_listed_when_all_are_counted(world: World, sent: Sent) -> None:
    """The list follows the scope: with machines in the figure they are in the list."""
    scope = Scope([sent.id], is_all_hits=True)

    assert behind(world.database, world.lake, "total_recipient_click", scope).total == 4


def test_there_is_no_list_behind_a_ratio(world: World, sent: Sent) -> None:
    """What is computed from other figures says so, and so does a domain nobody knows."""
    with pytest.raises(InvalidInput, match=r"^There is no list behind raw_reactivity;"):
        behind(world.database, world.lake, "raw_reactivity", Scope([sent.id]))
    with pytest.raises(InvalidInput, match=r"^There is no domain example\.com; choose AOL,"):
        behind(world.database, world.lake, "opt_out", Scope([sent.id]), domain="example.com")


def test_without_tracking_nothing_is_behind(world: World) -> None:
    """A delivery that is not tracked has no hits to list."""
    sent = world.send(_PEOPLE, is_tracked=False)

    assert behind(world.database, world.lake, "opt_out", Scope([sent.id])).total == 0


def test_the_list_tells_how_many_hits_wait(world: World, sent: Sent) -> None:
    """Hits that came since the figures are in the list already; list and report say how many.

    With all hits the figure is counted from the lake itself, so nothing waits.

    Mutants killed: waiting hits told of figures that have them; figures that call themselves fresh.
    """
    scope = Scope([sent.id])
    fresh = report(world.database, world.lake, scope)
    before = behind(world.database, world.lake, "total_recipient_click", scope)
    world.hit(sent, [Hit(0, SHOP, 100, "browser")])
    earliest = datetime(2025, 12, 31, tzinfo=UTC)
    pending = Pending(1, earliest, earliest)
    with world.database.write() as connection:
        statistics.wait(connection, {sent.id: pending})

    found = behind(world.database, world.lake, "total_recipient_click", scope)
    every = behind(
        world.database, world.lake, "total_recipient_click", replace(scope, is_all_hits=True)
    )
    told = report(world.database, world.lake, scope)

    figure = told.indicators["total_recipient_click"].value
    assert (3, 4, 1) == (figure, found.total, found.pending)
    assert (0, 0) == (before.pending, every.pending)
    assert "1 hit has come since" in " ".join(told.notes)
    assert "come since" not in " ".join(fresh.notes)
    assert fresh.as_of != earliest == told.as_of


def test_a_domain_is_what_the_instance_says(world: World, sent: Sent) -> None:
    """With another alias, lists and tables agree, consolidated or counted from the lake.

    Mutant killed: the built-in aliases, whatever the instance says.
    """
    with world.database.write() as connection:
        enumerations.add(connection, DOMAIN, ["Example"])
        now = world.clock.now()
        enumerations.set_alias(connection, DOMAIN, "example.com", "Example", at=now)
    world.consolidate()

    scope = Scope([sent.id])
    found = behind(world.database, world.lake, "recipient_open", scope, domain="Example")
    rest = behind(world.database, world.lake, "recipient_open", scope, domain="Others")
    rows = report(world.database, world.lake, scope).tables["domains"].rows
    measured = report(world.database, world.lake, replace(scope, is_all_hits=True))

    assert (["c@example.com"], 0) == ([row.recipient for row in found.rows], rest.total)
    for each in (rows, measured.tables["domains"].rows):
        assert {row["domain"]: (row["sent"], row["recipient_open"]) for row in each} == {
            "AOL": (1, 1),
            "Example": (1, 1),
            "Gmail": (1, 1),
            "Total": (3, 3),
        }
