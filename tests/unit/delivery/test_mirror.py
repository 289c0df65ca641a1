"""The web copy of a message: who has one, when, and what it shows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aftersend.database import deliveries, messages
from aftersend.database.messages import Outcome
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.mirror import has_mirror_page, mirror_page
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties
from aftersend.delivery.render import render
from aftersend.errors import Gone, NotFound
from aftersend.model.enumeration import DeliveryKind, MessageStatus, MirrorMode, Part
from aftersend.model.ids import NO_URL_ID, DeliveryId, MessageId
from aftersend.model.token import Token, encode
from aftersend.platform.clock import ManualClock
from tests.support.post_office import (
    KEYS,
    NOW,
    SENDER,
    add_recipients,
    draft,
    html_of,
    messages_of,
    read,
)

ADA = "ada@example.com"
LINKED = (
    "<p>Hello <%= recipient.first_name %>, <a href='https://shop.example/lamps'>look</a>."
    " <%@ include view='MirrorPage' %> <%@ include view='UnsubscriptionLink' %></p>\n"
)
PLAIN = "<p>Hello <%= recipient.first_name %></p>"


def _prepared(office: PostOffice, *, html: str | None = LINKED, **properties: Any) -> MessageId:
    """Analyse a delivery to Ada."""
    add_recipients(office, [ADA])
    new = replace(draft(html=html), properties=Properties(**properties))
    delivery_id = create(office, new)
    assert analyse(office, delivery_id).error is None
    return messages_of(office, delivery_id)[ADA].id


def _sent(office: PostOffice, message_id: MessageId, **values: Any) -> MessageId:
    """Write down that a message was sent now."""
    with office.database.write() as connection:
        delivery_id = messages.by_id(connection, message_id).delivery_id
        deliveries.change(connection, delivery_id, **{"contact_at": office.clock.now(), **values})
        outcome = Outcome(message_id, MessageStatus.SENT, office.clock.now())
        messages.store_outcomes(connection, [outcome])
    return message_id


def _delivery_id(office: PostOffice, message_id: MessageId) -> DeliveryId:
    with office.database.read() as connection:
        return messages.by_id(connection, message_id).delivery_id


def test_a_mirror_page_is_the_message_without_the_pixel(office: PostOffice) -> None:
    """The web copy has the recipient's own links and values, and looking at it is no open."""
    message_id = _sent(office, _prepared(office))
    received = html_of(read(render(office, _delivery_id(office, message_id), ADA)))

    page = mirror_page(office, message_id)

    assert "Hello Ada" in page
    assert ".gif" not in page
    assert page.strip() == received.partition("<img")[0].strip()


@pytest.mark.parametrize(
    ("mode", "html", "is_public", "is_there"),
    [
        (MirrorMode.IF_LINKED, LINKED, True, True),
        (MirrorMode.IF_LINKED, PLAIN, False, False),
        (MirrorMode.FORCE, PLAIN, True, True),
        (MirrorMode.BY_MESSAGE, PLAIN, False, True),
        (MirrorMode.BY_MESSAGE, LINKED, False, True),
        (MirrorMode.NONE, LINKED, False, False),
    ],
)
def test_the_mode_decides(
    office: PostOffice, mode: MirrorMode, html: str, is_public: bool, is_there: bool
) -> None:
    """Each mode says who may see the page: everybody with the link, operators alone or nobody."""
    message_id = _sent(office, _prepared(office, html=html, mirror_mode=mode))
    answers = []
    for is_operator in (False, True):
        try:
            answers.append("Hello Ada" in mirror_page(office, message_id, is_operator=is_operator))
        except NotFound:
            answers.append(False)

    assert [is_public, is_there] == answers
    with office.database.read() as connection:
        delivery = deliveries.get(connection, _delivery_id(office, message_id))
        assert is_there == has_mirror_page(connection, delivery)


@pytest.mark.parametrize(
    "link",
    [
        "<%@ include view='MirrorPage' %>",
        '<%@include view="MirrorPageUrl"%>',
        "<a href='https://app.example.com/m/<%= message.token %>'>web</a>",
        "<a href='https://copy.example/' _type='mirrorPage'>web</a>",
    ],
)
def test_a_mirror_link_is_the_block_the_address_or_the_type(office: PostOffice, link: str) -> None:
    """However the author writes the link to the web copy, the page is there."""
    message_id = _sent(office, _prepared(office, html=f"{PLAIN}{link}"))

    assert "Hello Ada" in mirror_page(office, message_id)


def test_a_page_needs_html_and_somebody_to_show_it_to(office: PostOffice) -> None:
    """Text messages and unknown messages have no web copy, in no mode."""
    text_only = _sent(office, _prepared(office, html=None, mirror_mode=MirrorMode.FORCE))

    for is_operator in (False, True):
        with pytest.raises(NotFound):
            mirror_page(office, text_only, is_operator=is_operator)
        with pytest.raises(NotFound):
            mirror_page(office, MessageId(999), is_operator=is_operator)


def test_seed_addresses_have_a_page(office: PostOffice) -> None:
    """Who watches a delivery tries its mirror link, too."""
    new = Draft("L", SENDER, "S", html=LINKED, seeds=(Seed("seed@x.example", "Sue"),))
    delivery_id = create(office, new)
    add_recipients(office, [ADA])
    analyse(office, delivery_id)
    message_id = _sent(office, messages_of(office, delivery_id)["seed@x.example"].id)

    assert "Hello Sue" in mirror_page(office, message_id)


@pytest.mark.parametrize(
    "values", [{"contact_at": None}, {"kind": DeliveryKind.PROOF}], ids=["unsent", "proof"]
)
def test_what_was_not_sent_to_recipients_is_for_operators(
    office: PostOffice, values: dict[str, Any]
) -> None:
    """Before a delivery is sent, and in proofs, operators alone look at the page."""
    message_id = _sent(office, _prepared(office), **values)

    with pytest.raises(NotFound):
        mirror_page(office, message_id)
    assert "Hello Ada" in mirror_page(office, message_id, is_operator=True)


def test_a_page_can_be_read_before_its_sending_is_written_down(office: PostOffice) -> None:
    """While the delivery is being sent, who has the message may open its link."""
    message_id = _prepared(office)
    with office.database.write() as connection:
        deliveries.change(connection, _delivery_id(office, message_id), contact_at=NOW)

    assert "Hello Ada" in mirror_page(office, message_id)


def test_a_canceled_message_has_no_public_page(office: PostOffice) -> None:
    """A message that was taken out of the sending was read by nobody."""
    message_id = _sent(office, _prepared(office))
    canceled = MessageStatus.CANCELED
    with office.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE message SET status = {int(canceled)}")

    with pytest.raises(NotFound):
        mirror_page(office, message_id)


@pytest.mark.parametrize("is_operator", [False, True])
def test_a_page_ends_with_the_resources(
    office: PostOffice, clock: ManualClock, is_operator: bool
) -> None:
    """At the contact date plus the validity the page is over; without one it stays for ever."""
    lasting = _sent(office, _prepared(office))
    ending = _sent(office, _prepared(office, resources_s=86_400))
    clock.advance(86_399)
    assert "Hello Ada" in mirror_page(office, ending, is_operator=is_operator)
    clock.advance(1)

    with pytest.raises(Gone):
        mirror_page(office, ending, is_operator=is_operator)
    assert "Hello Ada" in mirror_page(office, lasting, is_operator=is_operator)


def test_an_operator_acts_for_nobody(office: PostOffice) -> None:
    """What operators see is not tracked, and no link in it reads or changes what is Ada's (D6)."""
    message_id = _sent(office, _prepared(office))
    page = mirror_page(office, message_id, is_operator=True)
    delivery_id = _delivery_id(office, message_id)
    own, nobodys = (
        encode(Token(Part.HTML, delivery_id, MessageId(number), NO_URL_ID), keys=KEYS)
        for number in (message_id, 0)
    )

    assert "href='https://shop.example/lamps'" in page
    assert "/r/" not in page
    assert own not in page
    assert page.count(nobodys) == 2


def test_scripts_see_the_moment_of_sending(office: PostOffice, clock: ManualClock) -> None:
    """A script that writes the date or a number by chance shows what was sent."""
    script = "<p><%= new Date().toISOString() %> <%= Math.random() %></p>"
    message_id = _prepared(office, html=script, mirror_mode=MirrorMode.FORCE)
    sent = html_of(read(render(office, _delivery_id(office, message_id), ADA)))
    _sent(office, message_id)
    clock.advance(timedelta(days=40).total_seconds())
    page = mirror_page(office, message_id)

    assert NOW.strftime("%Y-%m-%dT%H:%M") in page
    assert page.strip() == sent.partition("<img")[0].strip()
