"""Which links of a delivery add up."""

import pytest

from aftersend.database.urls import TrackedUrl
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.reports.url_clicks import together


def _urls(*names: tuple[str, str]) -> list[TrackedUrl]:
    return [
        TrackedUrl(
            id=UrlId(number),
            delivery_id=DeliveryId(1),
            part=Part.HTML,
            source=source,
            type=UrlType.EMAIL_CLICK,
            mode=TrackingMode.ENABLED,
            label=label,
            category="",
            occurrences=1,
        )
        for number, (source, label) in enumerate(names, start=2)
    ]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([("a", "x"), ("b", "y")], [{2}, {3}]),
        ([("a", "x"), ("a", "y")], [{2, 3}]),
        ([("a", "x"), ("b", "x")], [{2, 3}]),
        ([("a", ""), ("b", "")], [{2}, {3}]),
        ([("x", "a"), ("a", "x")], [{2}, {3}]),
        ([("a", "x"), ("b", "y"), ("c", "z"), ("a", "y")], [{2, 3, 5}, {4}]),
    ],
)
def test_the_same_address_or_the_same_label_adds_up(
    names: list[tuple[str, str]], groups: list[set[int]]
) -> None:
    """Also by way of a third link; a link without a label has nothing in common with another."""
    found = together(_urls(*names))

    assert {url_id: set(group) for url_id, group in found.items()} == {
        url_id: group for group in groups for url_id in group
    }
