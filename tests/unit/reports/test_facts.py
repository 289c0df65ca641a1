"""Adding up deliveries."""

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.database.figures import DeliveryFigures
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from aftersend.reports.facts import Reactions, estimate, facts

_COUNTS = st.integers(0, 12) | st.integers(0, 10**12)


def _delivery(number: int = 1, **changes: Any) -> DeliveryFigures:
    values: Mapping[str, Any] = {
        "id": DeliveryId(number),
        "internal_name": f"DM{number}",
        "label": "News",
        "state": DeliveryState.FINISHED,
        "is_tracked": True,
        "contact_at": datetime(2026, 1, 1, tzinfo=UTC),
        "to_deliver": 100,
        "text_count": 20,
        "success": 90,
        "error": 10,
        "reactions": {"recipient_open": 16, "total_recipient_open": 24},
        "computed_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return DeliveryFigures(**{**values, **changes})


def test_opens_are_extrapolated_to_those_who_got_text() -> None:
    """The derived test of the documentation: 16 and 24 of 80 make 20 and 30 of 100."""
    total = facts([_delivery()]).reactions

    assert total is not None
    assert (total.estimated_recipient_open, total.estimated_total_recipient_open) == (20, 30)


def test_where_all_got_text_nothing_is_estimated() -> None:
    """All text makes 0, not an error and not everybody."""
    assert estimate(3, to_deliver=100, text=100) == 0


def test_an_empty_delivery_estimates_nothing() -> None:
    """Nobody to deliver to makes 0."""
    assert estimate(0, to_deliver=0, text=0) == 0


@pytest.mark.parametrize(("count", "expected"), [(1, 2), (3, 5), (5, 8)])
def test_halves_are_rounded_up(count: int, expected: int) -> None:
    """One and a half opens are two, also where bankers would round to even: 4.5 → 5."""
    assert estimate(count, to_deliver=3, text=1) == expected


@given(_COUNTS, _COUNTS, _COUNTS)
def test_an_estimate_is_the_nearest_whole_number(count: int, seen: int, text: int) -> None:
    """However large the counts are, the estimate is exact: floor(share × count + 1/2).

    Killed by: `round(count * to_deliver / seen)`, which is off for halves and for large counts.
    """
    to_deliver = seen + text
    exact = Fraction(count * to_deliver, seen) + Fraction(1, 2) if seen else Fraction(0)

    assert estimate(count, to_deliver=to_deliver, text=text) == exact.__floor__()


def test_estimates_are_made_per_delivery_and_summed() -> None:
    """Two deliveries with other shares of text: 20 + 16, not an estimate of the sum."""
    total = facts([_delivery(1), _delivery(2, text_count=0)]).reactions

    assert total is not None
    assert total.recipient_open == 32
    assert total.estimated_recipient_open == 36


def test_a_delivery_without_tracking_has_no_part_in_reactions() -> None:
    """It counts as sent, but its success is in no rate of opens (field lesson D8)."""
    both = facts([_delivery(1), _delivery(2, is_tracked=False)])

    assert (both.to_deliver, both.success, both.error) == (200, 180, 20)
    assert both.reactions is not None
    assert both.reactions.success == 90


def test_without_any_tracking_there_are_no_reactions() -> None:
    """Unknown is none, not 0."""
    assert facts([_delivery(is_tracked=False)]).reactions is None
    assert facts([]).reactions is None


def test_measures_that_are_given_win() -> None:
    """Figures read from the lake take the place of those written down; no hits are 0."""
    given_ = facts([_delivery(1), _delivery(2)], {1: {"recipient_open": 4}}).reactions

    assert given_ == Reactions(
        to_deliver=200, success=180, recipient_open=4, estimated_recipient_open=5
    )


def test_money_of_deliveries_is_added_up_without_drift() -> None:
    """Three deliveries that brought 0.10, 0.20 and 0.30 brought 0.60 together.

    Killed by: adding floats up as they are.
    """
    brought = {1: {"amount": 0.1}, 2: {"amount": 0.2}, 3: {"amount": 0.3}}
    total = facts([_delivery(number) for number in brought], brought).reactions

    assert total is not None
    assert total.amount == 0.6
