"""Deliveries: what is sent, to whom, and how far it is."""

from datetime import UTC, datetime

import pytest

from aftersend.database import deliveries
from aftersend.database.deliveries import Check, Exclusion, NewDelivery
from aftersend.database.engine import Database
from aftersend.errors import NotFound
from aftersend.model.enumeration import DeliveryState, FailureReason, Severity
from aftersend.model.ids import DeliveryId, RecipientId

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NEW = NewDelivery("Lamps 2", "a@x.example", "Look", html="<p>x</p>", text=None, is_target_all=True)
FIRST = DeliveryId(1)


def test_a_delivery_is_read_back(lamps: Database) -> None:
    """A delivery has a number, a name made of it, its texts, and no figures yet."""
    with lamps.read() as connection:
        delivery = deliveries.get(connection, FIRST)
        texts = deliveries.texts(connection, FIRST)

    assert (FIRST, "DM1", "Lamps") == (delivery.id, delivery.internal_name, delivery.label)
    assert DeliveryState.BEING_EDITED is delivery.state
    assert (True, True, True) == (
        delivery.is_tracked,
        delivery.is_open_tracked,
        delivery.is_target_all,
    )
    assert (NOW, None, None) == (delivery.created_at, delivery.contact_at, delivery.ended_at)
    assert ("<p>Look</p>", None) == (texts.html, texts.text)


def test_deliveries_are_listed_by_state(lamps: Database) -> None:
    """A list has the newest first and may be cut and filtered."""
    with lamps.write() as connection:
        second = deliveries.add(connection, NEW, at=NOW)
        deliveries.change(connection, second, state=DeliveryState.FINISHED)
        every = deliveries.listing(connection)
        finished = deliveries.listing(connection, states=[DeliveryState.FINISHED])
        older = deliveries.listing(connection, offset=1, limit=1)
        count = deliveries.count(connection)

    assert [second, FIRST] == [each.id for each in every]
    assert ([second], [FIRST]) == ([each.id for each in finished], [each.id for each in older])
    assert 2 == count


def test_a_state_is_left_by_one_only(lamps: Database) -> None:
    """Moving on works from the states that are named, and says whether it did."""
    before, after = [DeliveryState.BEING_EDITED], DeliveryState.STOPPED
    with lamps.write() as connection:
        moved = [
            deliveries.move(connection, FIRST, before=before, after=after, ended_at=NOW)
            for _ in range(2)
        ]
        delivery = deliveries.get(connection, FIRST, is_held=True)

    assert [True, False] == moved
    assert (DeliveryState.STOPPED, NOW) == (delivery.state, delivery.ended_at)


def test_what_an_analysis_found_is_kept_until_the_next(lamps: Database) -> None:
    """Exclusions are counted by reason, checks have the worst first, both can be forgotten."""
    excluded = [
        Exclusion(RecipientId(number), f"p{number}@x.example", reason)
        for number, reason in enumerate(
            [FailureReason.DOUBLE, FailureReason.DENYLISTED, FailureReason.DOUBLE], start=1
        )
    ]
    checks = [Check(Severity.INFO, "a", "first"), Check(Severity.ERROR, "b", "second")]
    with lamps.write() as connection:
        deliveries.add_exclusions(connection, FIRST, excluded, at=NOW)
        deliveries.add_exclusions(connection, FIRST, [], at=NOW)
        deliveries.add_checks(connection, FIRST, checks)
        listed = deliveries.exclusions(connection, FIRST, offset=1)
        counted = deliveries.rejected(connection, FIRST)
        found = deliveries.checks(connection, FIRST)
        deliveries.forget_analysis(connection, FIRST)
        left = [deliveries.exclusions(connection, FIRST), deliveries.checks(connection, FIRST)]

    assert excluded[1:] == listed
    assert {FailureReason.DENYLISTED: 1, FailureReason.DOUBLE: 2} == counted
    assert checks[::-1] == found
    assert [[], []] == left


def test_an_unknown_delivery_is_told(lamps: Database) -> None:
    """A delivery that is not there is named by its number."""
    with lamps.read() as connection, pytest.raises(NotFound, match="no delivery 9"):
        deliveries.get(connection, DeliveryId(9))
