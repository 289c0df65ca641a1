"""Brands: public addresses of their own for links, pixels and pages."""

from dataclasses import replace

import pytest

from aftersend.content import Addresses, Preparation, Source, compile_message, detect
from aftersend.content.mail import Tracker
from aftersend.database import deliveries
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.copy import copy_delivery
from aftersend.delivery.create import create
from aftersend.delivery.mirror import mirror_page
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.delivery.render import render
from aftersend.delivery.share import sharing
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import DeliveryKind, DeliveryState, UrlType
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from tests.support.post_office import (
    ADDRESSES,
    BRANDED,
    HTML,
    KEYS,
    NOW,
    add_recipients,
    delivery_of,
    draft,
    html_of,
    messages_of,
    read,
)

PAGES = "<%@ include view='MirrorPage' %> <%@ include view='ViralLinks' %>"


def _branded(office: PostOffice, brand: str = "pier") -> DeliveryId:
    add_recipients(office, ["ada@example.com"])
    written = draft(html=HTML.replace("</p>", f"{PAGES}</p>"))
    return create(office, replace(written, properties=Properties(brand=brand)))


def test_a_message_has_the_addresses_of_its_brand_alone(office: PostOffice) -> None:
    """Links, pixel, pages and List-Unsubscribe: none of them tells of another name."""
    delivery_id = _branded(office)
    analyse(office, delivery_id)

    message = read(render(office, delivery_id, "ada@example.com"))
    html = html_of(message)

    assert html.count(f"{BRANDED.redirect}/r/") > 5
    assert f"<{BRANDED.app}/u/" in message["List-Unsubscribe"]
    assert "example.com/" not in html + message["List-Unsubscribe"]


def test_pages_of_a_brand_lead_to_the_brand(office: PostOffice) -> None:
    """The mirror page and what is shared of it keep the name that people know."""
    delivery_id = _branded(office)
    analyse(office, delivery_id)
    with office.database.write() as connection:
        deliveries.change(
            connection, delivery_id, state=DeliveryState.FINISHED, contact_at=NOW, ended_at=NOW
        )
    message = messages_of(office, delivery_id)["ada@example.com"]

    page = mirror_page(office, message.id, is_operator=True)

    assert BRANDED.app in page
    assert ADDRESSES.app not in page
    assert sharing(office, delivery_id).address.startswith(f"{BRANDED.app}/s/")


def test_pages_outlive_their_brand_and_messages_wait_for_it(office: PostOffice) -> None:
    """What was sent goes on at the usual address; what was not is not sent under another name."""
    delivery_id = _branded(office)
    poorer = replace(office, brands={})

    error = analyse(poorer, delivery_id).error
    ended = replace(delivery_of(office, delivery_id), ended_at=NOW)

    assert error is not None
    assert error.text.startswith("There is no brand 'pier'. There are none yet.")
    assert ADDRESSES == poorer.addresses_of(ended)


def test_an_unknown_brand_is_refused_with_those_there_are(office: PostOffice) -> None:
    """A misspelt name is told before anything is written."""
    delivery_id = _branded(office, "")

    with pytest.raises(InvalidInput, match=r"no brand 'peer'. The brands are: pier\."):
        change_properties(office, delivery_id, Properties(brand="peer"))

    assert delivery_of(office, delivery_id).brand == ""


def test_a_delivery_may_leave_its_brand(office: PostOffice) -> None:
    """Without a brand, links of pages are those of the instance again."""
    delivery_id = _branded(office)
    change_properties(office, delivery_id, Properties(brand=""))
    analyse(office, delivery_id)

    html = html_of(read(render(office, delivery_id, "ada@example.com")))

    assert ADDRESSES.redirect in html
    assert BRANDED.redirect not in html


def test_proofs_are_of_the_brand(office: PostOffice) -> None:
    """Whoever looks at a proof sees the addresses that people will see."""
    original = delivery_of(office, _branded(office))
    with office.database.write() as connection:
        proof = copy_delivery(
            connection,
            office,
            original,
            kind=DeliveryKind.PROOF,
            label="",
            subject="",
            seeds=[Seed("me@example.com")],
        )

    assert delivery_of(office, proof).brand == "pier"


@pytest.mark.parametrize("base", [ADDRESSES.app, BRANDED.app])
def test_pages_of_every_brand_are_known_as_ours(base: str) -> None:
    """A link to our page keeps its meaning, whichever of our names it was written with."""
    html = f"<a href='{base}/m/<%= message.token %>'>web</a><a href='https://x.example/'>x</a>"

    mirror, other = detect(Source("Hi", html=html), addresses=BRANDED)

    assert (UrlType.MIRROR_PAGE, UrlType.EMAIL_CLICK) == (mirror.type, other.type)


def test_finished_messages_keep_links_of_every_brand() -> None:
    """A link that is one of ours already is not led through a tracking server once more."""
    addresses = Addresses("https://a.example", "https://b.example", (BRANDED,))
    raw = (
        b"Subject: Hi\r\nContent-Type: text/html\r\n\r\n"
        b"<a href='https://t.pier.example/r/abc'>x</a><a href='https://mail.pier.example/u/abc'>y"
        b"</a><a href='https://x.example/'>z</a>\r\n"
    )
    tracker = Tracker(
        delivery_id=DeliveryId(1), keys=KEYS, addresses=addresses, publish=lambda _d, _i: None
    )

    tracked = tracker.track(raw, message_id=MessageId(1)).message

    assert b"'https://t.pier.example/r/abc'" in tracked
    assert b"'https://mail.pier.example/u/abc'" in tracked
    assert b"'https://x.example/'" not in tracked


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{ADDRESSES.app}/page", f"{ADDRESSES.app}/page"),
        (f"{BRANDED.redirect}/r/abc", f"{BRANDED.redirect}/r/abc"),
        (f"{ADDRESSES.app}.evil.example/", f"{ADDRESSES.app}.evil.example/?utm_source=news"),
    ],
)
def test_links_of_ours_get_no_parameters(url: str, expected: str) -> None:
    """What other sites read of a campaign does not belong into our own addresses."""
    template = compile_message(
        Source("Hi", html=f"<a href='{url}'>x</a>"),
        delivery_id=DeliveryId(1),
        addresses=BRANDED,
        preparation=Preparation(link_parameters="utm_source=news"),
    )

    assert (expected,) == template.urls[UrlId(2)].pieces
