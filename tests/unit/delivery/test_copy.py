"""Copies of a delivery: what they take along."""

from dataclasses import replace
from typing import Any

import pytest

from aftersend.database import deliveries, seeds, urls
from aftersend.database.recipients import Profile
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.copy import copy_delivery, discard_unsent, stand_in
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.press import StandIn
from aftersend.delivery.properties import Properties
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import (
    DeliveryKind,
    DeliveryState,
    MirrorMode,
    PixelPlace,
    TrackingMode,
)
from aftersend.model.ids import DeliveryId
from tests.support.post_office import SENDER, add_recipients, delivery_of, make_delivery

CHOSEN = Properties(
    is_open_tracked=False,
    validity_s=3600,
    resources_s=7200,
    substitution_url="https://shop.example/over",
    pixel=PixelPlace.TOP,
    mirror_mode=MirrorMode.FORCE,
    click_formula="<%= trackingUrl %>",
    open_formula="<%= trackingUrl %>?x",
    link_parameters="utm_source=mail",
    variables={"shop": "Pier 3"},
    objects={"lamps": [{"price": 12}]},
)


def _copied(office: PostOffice, delivery_id: DeliveryId) -> DeliveryId:
    with office.database.write() as connection:
        return copy_delivery(
            connection,
            office,
            deliveries.get(connection, delivery_id),
            kind=DeliveryKind.PROOF,
            label="A copy",
            subject="A subject",
            seeds=[Seed("eve@shop.example", "Eve")],
        )


def test_a_copy_is_like_its_original(office: PostOffice) -> None:
    """Content, properties and links are the same; label, subject, kind and target its own."""
    html = '<a href="https://shop.example/">x</a><a href="https://b.example/">y</a>'
    original_id = create(
        office, Draft("Lamps", SENDER, "Hi", html, "Hi", properties=CHOSEN, recipient_ids=None)
    )
    first, second = list_urls(office, original_id)
    set_url(office, original_id, first.id, mode=TrackingMode.NOT_TRACKED, label="Shop")
    set_url(office, original_id, second.id, category="others")

    copy_id = _copied(office, original_id)

    original, copy = (delivery_of(office, each) for each in (original_id, copy_id))
    own: dict[str, Any] = {
        "id": copy_id,
        "internal_name": f"DM{copy_id}",
        "label": "A copy",
        "subject": "A subject",
        "kind": DeliveryKind.PROOF,
        "origin_id": original_id,
        "is_target_all": False,
        "created_at": copy.created_at,
        "modified_at": copy.modified_at,
    }
    assert replace(original, **own) == copy
    assert (3600, "https://shop.example/over") == (copy.validity_s, copy.substitution_url)
    with office.database.read() as connection:
        texts = [deliveries.texts(connection, each) for each in (original_id, copy_id)]
        links = [urls.of_delivery(connection, each) for each in (original_id, copy_id)]
        assert [Seed("eve@shop.example", "Eve")] == seeds.of_delivery(connection, copy_id)
    assert texts[0] == texts[1]
    assert {"shop": "Pier 3"} == texts[1].variables
    assert links[0] == [
        replace(url, id=before.id, delivery_id=original_id)
        for url, before in zip(links[1], links[0], strict=True)
    ]
    assert ["Shop", "y"] == [url.label for url in links[1]]


@pytest.mark.parametrize("is_analysed", [False, True])
def test_a_copy_borrows_the_first_recipient_of_its_original(
    office: PostOffice, is_analysed: bool
) -> None:
    """Its own target is empty; the original need not have been analysed."""
    add_recipients(office, [Profile("zed@example.com", {"first_name": "Zed"}, {"code": "z"})])
    ids = add_recipients(office, [Profile("ada@example.com", {"first_name": "Ada"}, {"code": "a"})])
    original_id = create(office, Draft("Lamps", SENDER, "Hi", "<p>Hi</p>", recipient_ids=ids))
    if is_analysed:
        analyse(office, original_id)

    copy_id = _copied(office, original_id)

    with office.database.read() as connection:
        borrowed = stand_in(connection, deliveries.get(connection, copy_id))
    assert StandIn("Ada", "", {"code": "a"}) == borrowed


def test_nobody_to_borrow_from(office: PostOffice) -> None:
    """A delivery that nobody gets yet can be tried out, too."""
    copy_id = _copied(office, create(office, Draft("Lamps", SENDER, "Hi", "<p>Hi</p>")))

    with office.database.read() as connection:
        assert stand_in(connection, deliveries.get(connection, copy_id)) is None


def test_no_copies_of_copies(office: PostOffice) -> None:
    """The original is named instead; a deleted one has no copies."""
    original_id = make_delivery(office)
    copy_id = _copied(office, original_id)

    with pytest.raises(InvalidInput, match=f"is a proof of delivery {original_id}: name that one"):
        _copied(office, copy_id)
    with office.database.write() as connection:
        deliveries.change(connection, original_id, state=DeliveryState.DELETED)
    with pytest.raises(InvalidInput, match="is deleted"):
        _copied(office, original_id)


def test_only_what_nobody_got_is_discarded(office: PostOffice) -> None:
    """A copy that is being sent stays."""
    original_id = make_delivery(office)
    unsent, begun = _copied(office, original_id), _copied(office, original_id)
    with office.database.write() as connection:
        deliveries.change(connection, begun, state=DeliveryState.IN_PROGRESS)

    for copy_id in (unsent, begun):
        discard_unsent(office, copy_id)

    assert delivery_of(office, begun).origin_id == original_id
    with pytest.raises(NotFound):
        delivery_of(office, unsent)
