"""One message as it would be sent."""

import re

import pytest

from aftersend.database import deliveries
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.render import render
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from tests.support.post_office import add_recipients, draft, html_of, make_delivery, read


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


def test_each_recipient_has_a_message_of_his_own(office: PostOffice) -> None:
    """Two people share neither an envelope nor a token (field lessons D10)."""
    people = ("ada@example.com", "bob@example.com")
    delivery_id = make_delivery(office, people)
    assert analyse(office, delivery_id).error is None
    letters = [read(render(office, delivery_id, each)) for each in people]
    tokens = [set(re.findall(r"/r/([a-z2-7]+)", html_of(letter))) for letter in letters]

    assert [each in str(letter["To"]) for each, letter in zip(people, letters, strict=True)] == [
        True,
        True,
    ]
    assert all(letter["Cc"] is None and letter["Bcc"] is None for letter in letters)
    assert tokens[0]
    assert not tokens[0] & tokens[1]
