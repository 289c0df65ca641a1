"""What the crowd is sent."""

import pytest

from aftersend.audience.campaign import campaign
from aftersend.audience.worked_example import worked_example


@pytest.mark.parametrize("number", range(7))
def test_every_campaign_is_filled_in(number: int) -> None:
    """No placeholder is left in a campaign, and it can be left and shown in a browser."""
    made = campaign(number)

    for body in (made.html, made.text):
        assert "%%" not in body
        assert "<%@ include view='UnsubscriptionLink' %>" in body
        assert "<%@ include view='MirrorPage' %>" in body


def test_labels_differ() -> None:
    """A second lap of stories carries its number."""
    assert len({campaign(number).label for number in range(15)}) == 15


def test_the_worked_example_is_the_published_one() -> None:
    """The package's copy holds 4 recipients, 19 requests and the 13 published figures."""
    example = worked_example()

    assert len(example.recipients) == 4
    assert sum(event.get("times", 1) for event in example.events) == 19
    assert len(example.expected) == 13
