"""One message as it would be sent."""

import pytest

from aftersend.database import deliveries
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.render import render
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from tests.support.post_office import add_recipients, draft, make_delivery, read


def test_rendering_analyses_first_if_needed(office: PostOffice) -> None:
    """A delivery that was not analysed is, so that the links shown are those that will be sent."""
    delivery_id = make_delivery(office)

    raw = render(office, delivery_id, "Ada@Example.com")

    assert b"\r" not in raw
    assert "Ada <ada@example.com>" == read(raw)["To"]
    with office.database.read() as connection:
        assert DeliveryState.TARGET_READY is deliveries.get(connection, delivery_id).state
    assert raw == render(office, delivery_id, "ada@example.com")


def test_only_who_gets_it_can_be_rendered(office: PostOffice) -> None:
    """An address outside of the target, and a delivery that is not there, are told."""
    delivery_id = make_delivery(office)

    with pytest.raises(NotFound, match=r"message of delivery 1 to bob@x\.example"):
        render(office, delivery_id, "bob@x.example")
    with pytest.raises(NotFound, match="no delivery 99"):
        render(office, DeliveryId(99), "ada@example.com")


def test_a_broken_content_is_told(office: PostOffice) -> None:
    """Rendering says where the content is wrong."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, draft(text="<%= what %>"))

    with pytest.raises(InvalidInput, match="text line 1, column 5"):
        render(office, delivery_id, "ada@x.example")
