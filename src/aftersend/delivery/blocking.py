"""Stopping a link that is in people's hands already, and letting it through again.

A shop sold out, a wrong address, a page that was taken over: mail cannot be called back, but its
links lead through tracking servers. Whoever clicks a blocked link is shown a page that says so, and
led nowhere; the click is recorded and counts, for somebody did react.

Source: spec §4.3.
"""

from collections.abc import Sequence

from aftersend.database import deliveries, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.urls import TrackedUrl
from aftersend.delivery import rules
from aftersend.delivery.office import PostOffice
from aftersend.delivery.publish import Missed, amend
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.catalogue import file_name
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, UrlId

__all__ = ["set_blocked"]


def set_blocked(
    office: PostOffice, delivery_id: DeliveryId, url_id: UrlId, *, is_blocked: bool
) -> Sequence[Missed]:
    """Stop a link of a delivery, or let it through again, at any time.

    Every tracking server is told at once, even when the link is so already. Those are given that
    could not be told now; they are with the next run of the Tracking workflow.

    Raises:
        NotFound: there is no such delivery, or it has no such link.
        InvalidInput: the link leads nowhere, or past the tracking servers, or the delivery is gone.
        Corruption: the catalogue of a delivery that was sent is missing or damaged.
    """
    if url_id == OPEN_URL_ID:
        raise InvalidInput(
            "The open pixel cannot be blocked: it leads nowhere. Block a link of the message;"
            f" aftersend delivery urls {delivery_id} lists them."
        )
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        listed = {url.id: url for url in urls.of_delivery(connection, delivery_id)}
        if url_id not in listed:
            raise NotFound(f"tracked URL of delivery {delivery_id}", url_id)
        if delivery.state is DeliveryState.DELETED:
            raise InvalidInput(f"Delivery {delivery_id} is deleted: its links lead nowhere.")
        if is_blocked:
            _must_be_tracked(delivery, listed[url_id])
        urls.change(connection, url_id, is_blocked=is_blocked)
    is_published = (office.catalogue / file_name(delivery_id)).exists()
    if delivery.state in rules.EDITABLE and not is_published:
        return ()  # no tracking server knows of it yet; the analysis tells them
    return amend(office, delivery_id).missed


def _must_be_tracked(delivery: Delivery, url: TrackedUrl) -> None:
    if not (delivery.is_tracked and url.mode.is_tracked):
        raise InvalidInput(
            f"The link {url.source[:200]} is not tracked, so people go there directly: it cannot be"
            " blocked."
        )
