"""What indicators are computed from: counts that may be added up over deliveries.

Estimates are made per delivery, because the share of text messages is a delivery's own, and then
summed; ratios are never summed, they are computed from sums (spec §7.0).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from aftersend.database.figures import DeliveryFigures
from aftersend.lake.measure import AMOUNT_DECIMALS

__all__ = ["Facts", "Reactions", "estimate", "facts"]


@dataclass(frozen=True, slots=True)
class Reactions:
    """How people reacted to deliveries that are tracked.

    `to_deliver` and `success` count the messages of those deliveries alone. The names of the others
    are those of `aftersend.lake.measure` and of the estimates of opens.
    """

    to_deliver: int = 0
    success: int = 0
    recipient_open: int = 0
    total_recipient_open: int = 0
    estimated_recipient_open: int = 0
    estimated_total_recipient_open: int = 0
    recipient_click: int = 0
    person_click: int = 0
    total_recipient_click: int = 0
    opt_out: int = 0
    mirror_page: int = 0
    total_web_page: int = 0
    transaction: int = 0
    amount: float = 0.0
    article: int = 0

    def __add__(self, other: Self) -> "Reactions":
        names = [field.name for field in fields(self)]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        # 0.1 and 0.2 are 0.3, whatever floats say.
        sums["amount"] = round(sums["amount"], AMOUNT_DECIMALS)
        return Reactions(**sums)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was sent, tracked or not, and the reactions; none when nothing of it is tracked."""

    to_deliver: int
    success: int
    error: int
    reactions: Reactions | None


def facts(
    deliveries: Iterable[DeliveryFigures],
    reactions: Mapping[int, Mapping[str, float]] | None = None,
) -> Facts:
    """Add up some deliveries.

    `reactions` gives measures by delivery; without it, those that consolidation wrote down count.
    """
    to_deliver, success, error = 0, 0, 0
    total: Reactions | None = None
    for one in deliveries:
        to_deliver += one.to_deliver
        success += one.success
        error += one.error
        if one.is_tracked:
            measured = one.reactions if reactions is None else reactions.get(one.id, {})
            total = (total or Reactions()) + _reactions(one, measured)
    return Facts(to_deliver, success, error, total)


def estimate(count: int, *, to_deliver: int, text: int) -> int:
    """Extrapolate opens to those who got text alone, which tells no opens (spec §7.4).

    Halves are rounded up. Where everybody got text, nothing can be told: 0.

    >>> estimate(16, to_deliver=100, text=20), estimate(24, to_deliver=100, text=20)
    (20, 30)
    """
    seen = to_deliver - text
    if seen <= 0:
        return 0
    return (2 * count * to_deliver + seen) // (2 * seen)


def _reactions(one: DeliveryFigures, measured: Mapping[str, Any]) -> Reactions:
    def extrapolated(name: str) -> int:
        count = measured.get(name, 0)
        return estimate(count, to_deliver=one.to_deliver, text=one.text_count)

    return Reactions(
        to_deliver=one.to_deliver,
        success=one.success,
        estimated_recipient_open=extrapolated("recipient_open"),
        estimated_total_recipient_open=extrapolated("total_recipient_open"),
        **measured,
    )
