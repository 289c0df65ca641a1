"""What may be chosen of a delivery, and until when."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from aftersend.database import deliveries, options
from aftersend.database.deliveries import Delivery, Texts
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import Corruption, InvalidInput, NotFound
from aftersend.model.catalogue import Catalogue, decode, file_name
from aftersend.model.enumeration import DeliveryState, MirrorMode, PixelPlace
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import ManualClock
from tests.support.post_office import NOW, delivery_of, draft, make_delivery

EVERYTHING = Properties(
    label="Chairs",
    sender="Pier <pier@shop.example>",
    subject="Look",
    html="<p>New</p>",
    text="New",
    is_tracked=False,
    is_open_tracked=False,
    validity_s=3600,
    resources_s=7200,
    substitution_url="https://shop.example/over",
    pixel=PixelPlace.TOP,
    brand="pier",
    mirror_mode=MirrorMode.FORCE,
    click_formula="<%= trackingUrl %>?",
    open_formula="<%= trackingUrl %>!",
    link_parameters="utm_source=news",
    variables={"shop": "Pier 3"},
    objects={"lamps": [{"price": 30}]},
)
AFTER = {
    "validity_s": 60,
    "resources_s": 60,
    "substitution_url": "https://shop.example/",
}


def _texts(office: PostOffice, delivery_id: DeliveryId) -> Texts:
    with office.database.read() as connection:
        return deliveries.texts(connection, delivery_id)


def _catalogue(office: PostOffice, delivery_id: DeliveryId) -> Catalogue:
    return decode((office.catalogue / file_name(delivery_id)).read_bytes())


def _move(office: PostOffice, delivery_id: DeliveryId, state: DeliveryState) -> None:
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=state, contact_at=NOW)


def test_a_delivery_begins_with_all_tracking_on(office: PostOffice) -> None:
    """Links and opens are tracked, for ever, and nothing else was chosen."""
    made = delivery_of(office, create(office, draft()))

    assert (True, True, 0, 0, "") == (
        made.is_tracked,
        made.is_open_tracked,
        made.validity_s,
        made.resources_s,
        made.substitution_url,
    )
    assert (PixelPlace.BOTTOM, MirrorMode.IF_LINKED) == (made.pixel, made.mirror_mode)
    assert ("", "", "") == (made.click_formula, made.open_formula, made.link_parameters)


@pytest.mark.parametrize("is_at_once", [True, False])
def test_every_property_is_kept(office: PostOffice, is_at_once: bool) -> None:
    """Chosen with the making or later, all of them are what was chosen."""
    if is_at_once:
        delivery_id = create(office, replace(draft(), properties=EVERYTHING))
    else:
        delivery_id = create(office, draft())
        change_properties(office, delivery_id, EVERYTHING)

    made, texts = delivery_of(office, delivery_id), _texts(office, delivery_id)
    of_delivery = {each.name for each in fields(Delivery)}
    for each in fields(Properties):
        kept = getattr(made if each.name in of_delivery else texts, each.name)
        assert getattr(EVERYTHING, each.name) == kept, each.name


def test_a_change_asks_for_another_analysis(office: PostOffice, clock: ManualClock) -> None:
    """An analysed delivery is being edited again; without a change it is not."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    clock.advance(3600)

    change_properties(office, delivery_id, Properties())
    assert DeliveryState.TARGET_READY is delivery_of(office, delivery_id).state
    change_properties(office, delivery_id, Properties(is_open_tracked=False))

    changed = delivery_of(office, delivery_id)
    assert (DeliveryState.BEING_EDITED, NOW + timedelta(hours=1)) == (
        changed.state,
        changed.modified_at,
    )


def test_another_content_has_other_links(office: PostOffice) -> None:
    """The list is that of the new content at once."""
    delivery_id = create(office, draft())

    change_properties(
        office, delivery_id, Properties(html="<a href='https://x.example/'>x</a>", text="")
    )

    assert ["https://x.example/"] == [url.source for url in list_urls(office, delivery_id)]


def test_variables_and_objects_are_added_by_name(office: PostOffice) -> None:
    """What is not named stays, what is named is replaced."""
    delivery_id = create(office, draft())
    first = Properties(variables={"a": "1", "b": "2"}, objects={"x": {"k": "1"}})
    change_properties(office, delivery_id, first)

    second = Properties(variables={"b": "3"}, objects={"y": "<y/>"})
    change_properties(office, delivery_id, second)

    texts = _texts(office, delivery_id)
    assert {"a": "1", "b": "3"} == texts.variables
    assert {"x": {"k": "1"}, "y": "<y/>"} == texts.objects


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Properties(label=" "), "needs a label"),
        (Properties(sender="nobody"), "Ada <ada@example.com>"),
        (Properties(subject="a\nb"), "subject has line ends"),
        (Properties(html="", text=" "), "message is empty"),
        (Properties(html="x" * 5_000_001), "more than 5,000,000"),
        (Properties(validity_s=-1), "A validity is 0"),
        (Properties(resources_s=10**12), "A validity is 0"),
        (Properties(substitution_url="shop.example"), "no address that people can be sent to"),
        (Properties(substitution_url="ftp://shop.example/"), "no address"),
        (Properties(substitution_url="javascript:alert(1)"), "no address"),
        (Properties(substitution_url="https://shop.example/a b"), "no address"),
        (Properties(substitution_url="https://"), "no address"),
        (Properties(substitution_url="https://x.example/\udc80"), "no address"),
        (Properties(substitution_url="https://x.example/" + "x" * 8192), "no address"),
        (Properties(click_formula="a\nb"), "line ends here"),
        (Properties(click_formula="<%= 1 + %>"), "click formula line 1, column"),
        (Properties(open_formula="<% if ( %>"), "open formula line 1, column"),
        (Properties(link_parameters="a=1\nb=2"), "link parameters line 1"),
        (Properties(open_formula="<%@ include option='Nothing' %>"), "no option 'Nothing'"),
        (Properties(open_formula="<%@ include url='https://x.example/' %>"), "other hosts"),
        (Properties(link_parameters="x" * 100_001), "more than 100,000"),
        (Properties(variables={" ": "1"}), "variable has no name"),
        (Properties(variables={"a": "x" * 10_001}), "variable a has more than"),
        (Properties(objects={"x" * 101: {}}), "name of the object has more than 100"),
        (Properties(objects={"x": "<x>"}), "XML cannot be read"),
        (Properties(objects={"x": 3}), "an object or a list"),
    ],
)
def test_what_cannot_be_used_is_refused(office: PostOffice, change: Properties, why: str) -> None:
    """A sentence says why, and nothing is kept of the change, nor of a delivery made with it."""
    delivery_id = create(office, draft())
    before = delivery_of(office, delivery_id), _texts(office, delivery_id)
    both = replace(change, is_open_tracked=False)

    with pytest.raises(InvalidInput, match=why):
        change_properties(office, delivery_id, both)
    with pytest.raises(InvalidInput, match=why):
        create(office, replace(draft(), properties=both))

    assert before == (delivery_of(office, delivery_id), _texts(office, delivery_id))
    with office.database.read() as connection:
        assert 1 == deliveries.count(connection)


def test_an_unknown_delivery_is_not_changed(office: PostOffice) -> None:
    """A delivery that is not there is told by its number."""
    with pytest.raises(NotFound, match="There is no delivery 99"):
        change_properties(office, DeliveryId(99), Properties(label="x"))


def test_a_formula_may_begin_with_that_of_the_instance(office: PostOffice) -> None:
    """The option is read when the message is prepared."""
    delivery_id = create(office, draft())
    with office.database.write() as connection:
        options.put(connection, "NmsTracking_ClickFormula", "<%= trackingUrl %>")
    formula = "<%@ include option='NmsTracking_ClickFormula' %>?x=1"

    change_properties(office, delivery_id, Properties(click_formula=formula))

    assert formula == delivery_of(office, delivery_id).click_formula


@pytest.mark.parametrize("name", sorted({each.name for each in fields(Properties)} - AFTER.keys()))
def test_what_was_sent_is_fixed(office: PostOffice, name: str) -> None:
    """Once sending has begun, nothing is changed that people have in their hands."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    _move(office, delivery_id, DeliveryState.IN_PROGRESS)
    before = delivery_of(office, delivery_id)

    with pytest.raises(InvalidInput, match="is in progress: only how long"):
        change_properties(office, delivery_id, Properties(**{name: getattr(EVERYTHING, name)}))

    assert before == delivery_of(office, delivery_id)


def test_an_offer_may_be_ended_after_the_send(office: PostOffice) -> None:
    """Validity and substitution reach the catalogue, whose links stay what they were."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    _move(office, delivery_id, DeliveryState.FINISHED)
    before = _catalogue(office, delivery_id)

    missed = change_properties(office, delivery_id, Properties(**AFTER))  # type: ignore[arg-type]

    assert () == tuple(missed)
    assert DeliveryState.FINISHED is delivery_of(office, delivery_id).state
    after = _catalogue(office, delivery_id)
    assert before.urls == after.urls
    assert (None, None) == (before.expires_at, before.substitution_url)
    assert (NOW + timedelta(seconds=60), "https://shop.example/") == (
        after.expires_at,
        after.substitution_url,
    )
    change_properties(office, delivery_id, Properties(validity_s=0, substitution_url=""))
    assert before == _catalogue(office, delivery_id)


def test_a_deleted_delivery_stays_as_it_is(office: PostOffice) -> None:
    """Nobody prolongs what is gone."""
    delivery_id = create(office, draft())
    _move(office, delivery_id, DeliveryState.DELETED)

    with pytest.raises(InvalidInput, match="is deleted"):
        change_properties(office, delivery_id, Properties(validity_s=60))


def test_a_lost_catalogue_is_told(office: PostOffice) -> None:
    """Links of sent messages are never made up from what the content gives today."""
    delivery_id = make_delivery(office)
    _move(office, delivery_id, DeliveryState.FINISHED)

    with pytest.raises(Corruption, match="is missing"):
        change_properties(office, delivery_id, Properties(validity_s=60))
    (office.catalogue / file_name(delivery_id)).write_bytes(b"{")
    with pytest.raises(Corruption, match="not JSON"):
        change_properties(office, delivery_id, Properties(validity_s=60))
