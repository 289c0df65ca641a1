"""The report Funnel, from web tags to figures."""

from datetime import timedelta

import pytest

from aftersend.database import tags
from aftersend.database.tags import NewTag
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryKind, UrlType
from aftersend.model.ids import DeliveryId
from aftersend.reports import render
from aftersend.reports.funnel import DECLARED, report
from aftersend.reports.report import Report
from aftersend.reports.scope import Scope
from tests.support.crowds import NOBODY, ORDER, PAGE, START, Hit, Sent, World

_PEOPLE = ["ada@example.com", "bob@example.com", "cy@example.com", "di@example.com"]
_STEPS = ("home", "order")


@pytest.fixture
def sent(world: World) -> Sent:
    """Give a delivery: three of its readers, and somebody unknown, see a page; two of them buy."""
    sent = world.send([*_PEOPLE, "seed@example.com"], seeds=[4])
    world.hit(
        sent,
        [
            Hit(0, PAGE, 0, "a"),
            Hit(0, ORDER, 10, "a"),
            Hit(0, ORDER, 20, "a"),
            Hit(1, PAGE, 30, "b"),
            Hit(1, PAGE, 31, "b"),
            Hit(2, ORDER, 40, "c"),  # bought before the page was seen
            Hit(2, PAGE, 50, "c"),
            Hit(NOBODY, PAGE, 60, "x"),
            Hit(NOBODY, ORDER, 61, "x"),
            Hit(3, ORDER, 70, "d"),  # never saw the first step
            Hit(4, PAGE, 80, "seed"),
            Hit(1, ORDER, 90, "b", flags="h"),  # a machine
            Hit(NOBODY, PAGE, 95),  # nobody can tell who
        ],
    )
    return sent


def _values(found: Report) -> dict[str, tuple[float | None, float | None]]:
    return {name: (figure.value, figure.rate) for name, figure in found.indicators.items()}


def test_people_convert_bounce_and_are_lost(world: World, sent: Sent) -> None:
    """Of four at the first step two bought afterwards, one left at once; all as shares of four."""
    found = report(world.database, world.lake, _STEPS, Scope([sent.id]))

    assert _values(found) == {"entry": (4, 1.0), "conversion": (2, 0.5), "bounce": (1, 0.25)}
    assert list(found.indicators) == [one.name for one in DECLARED]
    assert [dict(row) for row in found.tables["steps"].rows] == [
        {
            "step": 1,
            "tag": "home",
            "label": "Home page",
            "people": 4,
            "people_rate": 1.0,
            "lost": None,
            "lost_rate": None,
        },
        {
            "step": 2,
            "tag": "order",
            "label": "",
            "people": 2,
            "people_rate": 0.5,
            "lost": 2,
            "lost_rate": 0.5,
        },
    ]


def test_visits_of_no_message_are_in_the_funnel_of_all(world: World, sent: Sent) -> None:
    """Without a delivery everybody counts once; with one, only its own visits do."""
    visits = world.send([], label="Web visits", kind=DeliveryKind.WEB_VISITS, contact_at=None)
    world.hit(visits, [Hit(NOBODY, PAGE, 0, "y"), Hit(NOBODY, PAGE, 1, "a")])

    assert _values(report(world.database, world.lake, _STEPS, Scope()))["entry"] == (5, 1.0)
    of_one = report(world.database, world.lake, _STEPS, Scope([visits.id]))
    assert _values(of_one)["entry"] == (2, 1.0)


def test_only_hits_in_the_period_count(world: World, sent: Sent) -> None:
    """A step before the period is a step that was not seen."""
    scope = Scope([sent.id], since=START + timedelta(seconds=5))
    found = _values(report(world.database, world.lake, _STEPS, scope))

    assert (found["entry"][0], found["conversion"][0]) == (3, 1)


def test_a_share_of_nobody_is_nothing(world: World, sent: Sent) -> None:
    """Where nobody came to the first step, shares are none, never 0."""
    with world.database.write() as connection:
        tags.add(connection, NewTag("basket", "Basket", UrlType.WEB))
    found = report(world.database, world.lake, ("basket", "home"), Scope())

    assert _values(found) == {"entry": (0, None), "conversion": (0, None), "bounce": (0, None)}
    assert found.tables["steps"].rows[1]["lost_rate"] is None
    assert "basket,Basket,0,,," in render.to_csv(found)


@pytest.mark.parametrize("steps", [(), ("home",), ("home", "order", "home"), ("x",) * 11])
def test_what_is_no_funnel_is_refused(world: World, sent: Sent, steps: tuple[str, ...]) -> None:
    """Fewer than two steps, one twice, or too many."""
    with pytest.raises(InvalidInput, match=r"^A funnel has 2 to 10 different web tags"):
        report(world.database, world.lake, steps, Scope())


def test_unknown_tags_and_deliveries_are_not_found(world: World, sent: Sent) -> None:
    """A report about nothing is an error, not zeros."""
    with pytest.raises(NotFound, match=r"^There is no web tag nowhere\.$"):
        report(world.database, world.lake, ("home", "nowhere"), Scope())
    with pytest.raises(NotFound, match=r"^There is no delivery 99\.$"):
        report(world.database, world.lake, _STEPS, Scope([DeliveryId(99)]))
