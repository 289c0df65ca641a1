"""The declared indicators."""

from typing import Any

import pytest

from aftersend.lake.measure import MEASURES
from aftersend.reports.facts import Facts, Reactions
from aftersend.reports.indicator import INDICATORS, Box, figures


def _facts(success: int = 100, **reactions: Any) -> Facts:
    return Facts(success, success, 0, Reactions(success=success, **reactions))


_VECTOR_A = _facts(
    10_186_024,
    recipient_open=1_475_660,
    total_recipient_open=2_225_724,
    estimated_recipient_open=1_475_660,
    estimated_total_recipient_open=2_225_724,
    opt_out=45_085,
    mirror_page=15_476,
    person_click=93_107,
    total_recipient_click=120_434,
    recipient_click=83_012,
    transaction=239,
    amount=154.0,
)


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("estimated_recipient_open", "14.49"),
        ("estimated_total_recipient_open", "21.85"),
        ("opt_out", "0.44"),
        ("mirror_page", "0.15"),
        ("person_click", "0.91"),
        ("total_recipient_click", "1.18"),
        ("recipient_click", "0.81"),
    ],
)
def test_rates_are_those_of_the_published_screenshot(name: str, percent: str) -> None:
    """Test vector A of the documentation: each value as a share of success."""
    rate = figures(_VECTOR_A)[name].rate

    assert rate is not None
    assert f"{100 * rate:.2f}" == percent


def test_estimated_reactivity_is_that_of_the_published_screenshot() -> None:
    """83 012 clickers of 1 475 660 openers are 5.63 %."""
    value = figures(_VECTOR_A)["estimated_reactivity"].value

    assert value is not None
    assert f"{100 * value:.2f}" == "5.63"


def test_the_average_transaction_is_that_of_the_published_screenshot() -> None:
    """An amount of 154 over 239 transactions is 0.64 on average."""
    value = figures(_VECTOR_A)["average_amount"].value

    assert value is not None
    assert f"{value:.2f}" == "0.64"


def test_money_is_told_by_transaction_and_by_message() -> None:
    """30.50 and 6 items in 4 transactions, from 10 messages of tracked deliveries, of 20 in all."""
    brought = Reactions(to_deliver=10, transaction=4, amount=30.5, article=6, total_web_page=9)
    web = [one.name for one in INDICATORS if one.box is Box.WEB]
    found = figures(Facts(20, 20, 0, brought))

    assert {name: found[name].value for name in web} == {
        "total_web_page": 9,
        "transaction": 4,
        "amount": 30.5,
        "article": 6,
        "average_amount": 7.625,
        "average_article": 1.5,
        "amount_per_message": 3.05,
    }
    assert {found[name].rate for name in web} == {None}


def test_rates_above_one_are_not_clamped() -> None:
    """Fifteen clicks of four messages are 375 %."""
    assert figures(_facts(4, total_recipient_click=15))["total_recipient_click"].rate == 3.75


def test_a_share_of_nothing_is_nothing() -> None:
    """Where nothing was sent or opened, rates and reactivities are none, never 0."""
    nothing = figures(_facts(0))

    assert nothing["recipient_open"].rate is None
    for name in ("raw_reactivity", "average_amount", "average_article", "amount_per_message"):
        assert nothing[name].value is None, name
    assert (nothing["opt_out"].value, nothing["amount"].value) == (0, 0)


def test_without_tracking_only_what_was_sent_has_a_value() -> None:
    """Unknown reactions are none, not 0."""
    known = {
        name: figure.value
        for name, figure in figures(Facts(4, 3, 1, None)).items()
        if figure.value is not None
    }

    assert known == {"to_deliver": 4, "success": 3, "error": 1}


def test_forwards_may_be_below_zero() -> None:
    """Where two recipients share a browser, fewer people than recipients have clicked."""
    assert figures(_facts(person_click=1, recipient_click=2))["forward"].value == -1


def test_each_indicator_is_declared_once() -> None:
    """Names and labels are unique, and every measure is among the indicators."""
    names = [one.name for one in INDICATORS]
    labels = [one.label for one in INDICATORS]

    assert len(set(names)) == len(names)
    assert len(set(labels)) == len(labels)
    assert set(MEASURES) <= set(names)


def test_measures_lend_their_words() -> None:
    """What is counted from hits has its label and formula from one place."""
    words = {one.name: (one.label, one.formula) for one in INDICATORS if one.name in MEASURES}

    assert words == {name: (one.label, one.formula) for name, one in MEASURES.items()}
