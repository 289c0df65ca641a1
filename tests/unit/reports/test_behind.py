"""The rows behind a figure."""

import pytest

from aftersend.errors import InvalidInput
from aftersend.model.enumeration import FailureReason, MessageStatus, UrlType, Verdict
from aftersend.reports.behind import Page, Reaction, behind
from aftersend.reports.log_query import LogRow
from aftersend.reports.scope import Scope
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
