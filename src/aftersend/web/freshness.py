"""How old the figures are, and what to do when there are none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aftersend.database.deliveries import Delivery
from aftersend.model.enumeration import DeliveryKind

__all__ = ["TRACKING", "Hint", "hint"]

TRACKING: Final = "tracking"
"""The workflow that collects what pages show."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Why a page of reactions is empty: `is_due` when executing the workflow would help."""

    title: str
    text: str
    is_due: bool


def hint(delivery: Delivery, *, as_of: datetime | None, has_hits: bool) -> Hint | None:
    """Say why there is nothing to see of a delivery, if there is nothing."""
    if has_hits:
        return None
    if delivery.kind is DeliveryKind.WEB_VISITS:
        return Hint(
            "No visits so far",
            "Visits of pages with web tags appear here that no message is known to have brought"
            " about.",
            is_due=True,
        )
    if delivery.contact_at is None:
        return Hint(
            "This delivery was not sent yet",
            f"Opens and clicks appear here once it is sent: aftersend delivery send {delivery.id}",
            is_due=False,
        )
    if as_of is None:
        return Hint(
            "Nothing has been collected yet",
            "Opens and clicks wait on the tracking servers until the Tracking workflow fetches"
            " them. It runs by itself, every hour unless set otherwise.",
            is_due=True,
        )
    if as_of < delivery.contact_at:
        return Hint(
            "Nothing has been collected since this delivery was sent",
            "The Tracking workflow last ran before. Its next execution brings the first opens and"
            " clicks.",
            is_due=True,
        )
    return Hint(
        "No opens and no clicks so far",
        "Everything up to the time above has been collected, and nobody has reacted yet.",
        is_due=True,
    )
