"""One message as it would be sent, or as its mirror page shows it."""

import pytest

from aftersend.database import deliveries
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.render import mirror_page, render
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId, MessageId
from tests.support.post_office import (
    SENDER,
    add_recipients,
    draft,
    html_of,
    make_delivery,
    messages_of,
    read,
)


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


def test_a_mirror_page_is_the_message_without_the_pixel(office: PostOffice) -> None:
    """The web copy has the recipient's own links and values, and looking at it is no open."""
    delivery_id = make_delivery(office)
    received = html_of(read(render(office, delivery_id, "ada@example.com")))
    message = messages_of(office, delivery_id)["ada@example.com"]

    page = mirror_page(office, message.id)

    assert "Hello Ada" in page
    assert ".gif" not in page
    assert page.strip() == received.partition("<img")[0].strip()


def test_a_mirror_page_needs_html_and_somebody_to_show_it_to(office: PostOffice) -> None:
    """Text messages and unknown messages have no web copy; seed addresses do."""
    add_recipients(office, ["ada@x.example"])
    text_only = create(office, draft(html=None))
    analyse(office, text_only)
    seeded = create(
        office, Draft("L", SENDER, "S", html="<p>x</p>", seeds=(Seed("seed@x.example"),))
    )
    analyse(office, seeded)

    with pytest.raises(NotFound):
        mirror_page(office, messages_of(office, text_only)["ada@x.example"].id)
    with pytest.raises(NotFound):
        mirror_page(office, MessageId(999))
    assert "<p>x</p>" == mirror_page(office, messages_of(office, seeded)["seed@x.example"].id)
