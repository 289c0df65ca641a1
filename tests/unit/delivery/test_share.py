"""Shared pages: what recipients show to others."""

import re
from dataclasses import replace
from typing import Any

import pytest

from aftersend.database import deliveries, urls
from aftersend.database.recipients import Profile
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.mirror import nobodys_token
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties
from aftersend.delivery.share import (
    NETWORKS,
    is_handed_out,
    network_address,
    shared_page,
    sharing,
)
from aftersend.errors import Gone, InvalidContent, NotFound
from aftersend.model.enumeration import MirrorMode, Part
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import Token, decode
from aftersend.platform.clock import ManualClock
from tests.support.post_office import KEYS, SENDER, add_recipients, draft

APP = "https://app.example.com"
VIRAL = "<p>Hello <%= recipient.first_name %> <%@ include view='ViralLinks' %></p>"


def _sent(office: PostOffice, html: str | None = VIRAL, **properties: Any) -> DeliveryId:
    """Make a delivery that was sent now."""
    add_recipients(office, [Profile("ada@example.com", {}, {"shoe_size": "39"})])
    delivery_id = create(office, replace(draft(html=html), properties=Properties(**properties)))
    assert analyse(office, delivery_id).error is None
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, contact_at=office.clock.now())
    return delivery_id


def test_share_links_bring_nobodys_token_to_networks(office: PostOffice) -> None:
    """Every way that the block offers leads to a page of ours, and from there to its network."""
    delivery_id = _sent(office)
    page = shared_page(office, delivery_id)
    ways = re.findall(rf'href="{APP}/s/([a-z2-7]+)/(\w+)"', page)

    assert page.count("href=") == len(ways)
    assert {*NETWORKS, "email"} == {way for _, way in ways}
    assert {nobodys_token(delivery_id, KEYS)} == {token for token, _ in ways}
    for network in NETWORKS:
        assert network_address(office, delivery_id, network).startswith(NETWORKS[network])


def test_a_token_of_nobody_names_no_message(office: PostOffice) -> None:
    """What strangers get tells the delivery, and neither the message nor a link."""
    token = decode(nobodys_token(DeliveryId(7), KEYS), keys=KEYS)

    assert Token(Part.HTML, DeliveryId(7), MessageId(0), UrlId(0)) == token


def test_what_is_sent_on_has_a_subject_without_a_name(office: PostOffice) -> None:
    """The subject is the one that nobody got, in one line."""
    delivery_id = _sent(office)
    found = sharing(office, delivery_id)

    assert found.subject == "For"
    assert found.sender == SENDER
    assert found.address == f"{APP}/s/{nobodys_token(delivery_id, KEYS)}"


def test_methods_of_missing_values_do_not_fail(office: PostOffice) -> None:
    """A script that takes a field for a text finds an empty one, whatever the field."""
    delivery_id = _sent(
        office,
        "<p><%= recipient.first_name.toUpperCase() %>|<%= recipient.shoe_size.trim() %>|</p>",
        mirror_mode=MirrorMode.FORCE,
    )

    assert "<p>||</p>" in shared_page(office, delivery_id)


def test_a_message_only_for_somebody_is_told(office: PostOffice) -> None:
    """A script that gives up without a recipient has no shared page; it says which script."""
    delivery_id = _sent(
        office,
        "<p><% if (!recipient.email) throw 'nobody' %>Hi</p>",
        mirror_mode=MirrorMode.FORCE,
    )

    with pytest.raises(InvalidContent, match="nobody"):
        shared_page(office, delivery_id)


@pytest.mark.parametrize(
    ("html", "mode", "is_shared"),
    [
        (VIRAL, MirrorMode.IF_LINKED, True),
        ("<p>Hi <%@ include view='MirrorPage' %></p>", MirrorMode.IF_LINKED, True),
        (f"<p><a href='{APP}/s/<%= message.token %>'>x</a></p>", MirrorMode.IF_LINKED, True),
        ("<p>Hi</p>", MirrorMode.IF_LINKED, False),
        ("<p>Hi</p>", MirrorMode.FORCE, True),
        (VIRAL, MirrorMode.BY_MESSAGE, False),
        (VIRAL, MirrorMode.NONE, False),
        (None, MirrorMode.FORCE, False),
    ],
)
def test_the_mode_decides(
    office: PostOffice, html: str | None, mode: MirrorMode, is_shared: bool
) -> None:
    """A page is shared when the mode lets everybody see it, and the content asks for it."""
    delivery_id = _sent(office, html, mirror_mode=mode)
    answers = []
    for ask in (shared_page, sharing):
        try:
            ask(office, delivery_id)
            answers.append(True)
        except NotFound:
            answers.append(False)

    assert [is_shared, is_shared] == answers


def test_a_shared_page_ends_with_the_resources(office: PostOffice, clock: ManualClock) -> None:
    """Page, e-mail and networks end together."""
    delivery_id = _sent(office, resources_s=60)
    clock.advance(60)

    for ask in (shared_page, sharing):
        with pytest.raises(Gone):
            ask(office, delivery_id)
    with pytest.raises(Gone):
        network_address(office, delivery_id, "facebook")


def test_only_share_links_are_handed_out(office: PostOffice) -> None:
    """The token of a click on a share link is known to others; no other token is."""
    delivery_id = _sent(office, f"{VIRAL}<%@ include view='UnsubscriptionLink' %>")
    answers = {}
    with office.database.read() as connection:
        for url in urls.of_delivery(connection, delivery_id):
            token = Token(Part.HTML, delivery_id, MessageId(1), url.id)
            answers[url.label] = is_handed_out(connection, token)
        bare = Token(Part.HTML, delivery_id, MessageId(1), UrlId(0))
        unknown = Token(Part.HTML, delivery_id, MessageId(1), UrlId(999))
        others = [is_handed_out(connection, each) for each in (bare, unknown)]

    assert [False, False] == others
    assert answers.pop("Opt-out link") is False
    assert {label for label, answer in answers.items() if answer} >= {"Share by email"}
    assert all(answer == label.startswith("Share") for label, answer in answers.items())
