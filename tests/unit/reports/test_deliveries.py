"""Deliveries with their indicators."""

import pytest

from aftersend.errors import NotFound
from aftersend.model.enumeration import DeliveryState, FailureReason
from aftersend.model.ids import DeliveryId
from aftersend.reports.deliveries import summaries, summary
from tests.support.crowds import SHOP, START, Hit, World

_PEOPLE = ["a@example.com", "b@example.com"]


def test_a_summary_says_how_far_a_delivery_is(world: World) -> None:
    """Processed are those sent and those in error; indicators are those of its reports."""
    sent = world.send(_PEOPLE, failed={1: FailureReason.USER_UNKNOWN})
    world.hit(sent, [Hit(0, SHOP, 0, "browser")])
    world.consolidate()
    found = summary(world.database, sent.id)

    assert (found.label, found.state, found.contact_at) == ("News", DeliveryState.FINISHED, START)
    assert (found.to_deliver, found.processed, found.success, found.error) == (2, 2, 1, 1)
    assert found.indicators["recipient_click"].rate == 1.0
    assert found.indicators["success"].rate == 0.5
    assert found.as_of == world.clock.now()


def test_deliveries_are_listed_newest_first(world: World) -> None:
    """All are there, also those not yet sent and those without tracking, page by page."""
    world.send(_PEOPLE, label="One")
    world.send(_PEOPLE, label="Two", contact_at=None, state=DeliveryState.BEING_EDITED)
    world.send(_PEOPLE, label="Three", is_tracked=False)
    rows = summaries(world.database)

    assert [row.label for row in rows] == ["Three", "Two", "One"]
    assert rows[0].indicators["recipient_open"].value is None
    assert [row.label for row in summaries(world.database, limit=1, offset=1)] == ["Two"]


def test_an_unknown_delivery_is_not_found(world: World) -> None:
    """A delivery that does not exist has no summary."""
    with pytest.raises(NotFound, match=r"^There is no delivery 7\.$"):
        summary(world.database, DeliveryId(7))
