"""Making deliveries and choosing how their links are tracked."""

from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest

from aftersend.database import deliveries, urls
from aftersend.database.seeds import Seed
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, refresh_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import source_of
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState, Part, TrackingMode, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, RecipientId, UrlId
from tests.support.post_office import add_recipients, draft, make_delivery


def test_a_delivery_begins_being_edited_under_a_name_of_its_own(office: PostOffice) -> None:
    """A new delivery has the internal name DM and its id, and nothing is counted."""
    first, second = create(office, draft()), create(office, draft())

    with office.database.read() as connection:
        made = deliveries.get(connection, second)
        listed = deliveries.listing(connection)
        texts = deliveries.texts(connection, first)
    assert f"DM{second}" == made.internal_name
    assert DeliveryState.BEING_EDITED is made.state
    assert (0, 0, 0, 0) == (made.to_deliver, made.rejected, made.success, made.error)
    assert [second, first] == [each.id for each in listed]
    assert draft().html == texts.html
    assert draft().text == texts.text


def test_links_are_listed_as_soon_as_there_is_a_content(office: PostOffice) -> None:
    """Every link of each part has an id, above the reserved one, and a mode by what it is."""
    listed = list_urls(office, create(office, draft()))

    lamps, opt_out = "https://shop.example/lamps", "https://app.example.com/u/<%= message.token %>"
    assert [
        (Part.HTML, lamps, "look", TrackingMode.ENABLED),
        (Part.HTML, opt_out, "Opt-out link", TrackingMode.OPT_OUT),
        (Part.TEXT, lamps, lamps, TrackingMode.ENABLED),
        (Part.TEXT, opt_out, "Opt-out link", TrackingMode.OPT_OUT),
    ] == [(url.part, url.source, url.label, url.mode) for url in listed]
    assert all(url.id > OPEN_URL_ID for url in listed)
    assert [UrlType.EMAIL_CLICK, UrlType.OPT_OUT] == [url.type for url in listed[:2]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"label": " "}, "needs a label"),
        ({"label": "x" * 256}, "label has more than 255"),
        ({"label": "a\nb"}, "label has line ends"),
        ({"sender": "nobody"}, "Ada <ada@example.com>"),
        ({"sender": "a@b.example\nBcc: c@d.example"}, "control characters"),
        ({"subject": "x" * 2001}, "subject has more than"),
        ({"subject": "a\r\nBcc: c@d.example"}, "subject has line ends"),
        ({"html": None, "text": " \n"}, "message is empty"),
        ({"html": "x" * 5_000_001}, "more than 5,000,000"),
        ({"recipient_ids": ()}, "nobody in the target"),
        ({"recipient_ids": (RecipientId(99),)}, "does not exist"),
        ({"seeds": (Seed("x"),)}, "seed address 'x'"),
        ({"seeds": (Seed("a..b@x.example"),)}, "seed address 'a..b@x.example'"),
        ({"seeds": (Seed("a@x.example"), Seed("A@x.example"))}, "twice"),
    ],
)
def test_an_incomplete_draft_is_refused(
    office: PostOffice, change: dict[str, Any], why: str
) -> None:
    """A draft that could not be sent is refused with a sentence, and nothing is kept of it."""
    incomplete: Draft = replace(draft(), **change)

    with pytest.raises(InvalidInput, match=why):
        create(office, incomplete)

    with office.database.read() as connection:
        assert 0 == deliveries.count(connection)


def test_a_broken_content_is_kept_for_the_analysis_to_tell(office: PostOffice) -> None:
    """A delivery with a content that cannot be prepared exists, without links."""
    delivery_id = create(office, draft(html="<p><%@ include view='Nothing' %></p>"))

    assert [] == list_urls(office, delivery_id)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (TrackingMode.OPT_OUT, UrlType.OPT_OUT),
        (TrackingMode.MIRROR, UrlType.MIRROR_PAGE),
        (TrackingMode.ALWAYS, UrlType.EMAIL_CLICK),
        (TrackingMode.NEVER, UrlType.EMAIL_CLICK),
        (TrackingMode.NOT_TRACKED, UrlType.EMAIL_CLICK),
    ],
)
def test_the_mode_of_a_link_decides_what_a_click_counts_as(
    office: PostOffice, mode: TrackingMode, kind: UrlType
) -> None:
    """Setting a mode sets the type that goes with it."""
    delivery_id = create(office, draft())
    link = list_urls(office, delivery_id)[0]

    changed = set_url(office, delivery_id, link.id, mode=mode)

    assert (mode, kind, link.label) == (changed.mode, changed.type, changed.label)


def test_an_opt_out_link_that_is_not_tracked_is_still_one(office: PostOffice) -> None:
    """Turning tracking off does not change what a link is, turning it on makes it a click."""
    delivery_id = create(office, draft())
    link = list_urls(office, delivery_id)[1]

    off = set_url(office, delivery_id, link.id, mode=TrackingMode.NOT_TRACKED)
    on = set_url(office, delivery_id, link.id, mode=TrackingMode.ENABLED)

    assert [UrlType.OPT_OUT, UrlType.EMAIL_CLICK] == [off.type, on.type]


def test_labels_and_categories_can_be_set_alone(office: PostOffice) -> None:
    """What is not named stays as it is."""
    delivery_id = create(office, draft())
    link = list_urls(office, delivery_id)[0]

    set_url(office, delivery_id, link.id, label="  Lamps ")
    changed = set_url(office, delivery_id, link.id, category="shop")

    assert ("Lamps", "shop", TrackingMode.ENABLED) == (
        changed.label,
        changed.category,
        changed.mode,
    )


def test_a_changed_link_asks_for_another_analysis(office: PostOffice) -> None:
    """Changing a link of an analysed delivery takes it back to being edited."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)

    set_url(office, delivery_id, list_urls(office, delivery_id)[0].id, label="Lamps")

    with office.database.read() as connection:
        assert DeliveryState.BEING_EDITED is deliveries.get(connection, delivery_id).state


def test_links_of_others_are_not_changed(office: PostOffice) -> None:
    """A link is changed only through its own delivery, the shared one never."""
    first, second = create(office, draft()), create(office, draft())
    foreign = list_urls(office, second)[0].id

    for url_id in (foreign, OPEN_URL_ID, UrlId(999)):
        with pytest.raises(NotFound):
            set_url(office, first, url_id, label="x")
    with pytest.raises(NotFound):
        list_urls(office, DeliveryId(99))


def test_links_of_a_sent_delivery_are_fixed(office: PostOffice) -> None:
    """Once sending has begun, nobody changes where clicks are counted."""
    delivery_id = create(office, draft())
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=DeliveryState.IN_PROGRESS)

    with pytest.raises(InvalidInput, match="in progress: its links are fixed"):
        set_url(office, delivery_id, list_urls(office, delivery_id)[0].id, label="x")


def test_targets_and_seeds_are_kept(office: PostOffice) -> None:
    """A delivery may be for some recipients only, each of them once."""
    ada, _, eve = add_recipients(office, ["ada@x.example", "bob@x.example", "eve@x.example"])
    delivery_id = create(office, draft(recipient_ids=[ada, eve, ada]))

    assert 2 == analyse(office, delivery_id).to_deliver


def test_one_link_has_one_row_however_many_detect_it_at_once(office: PostOffice) -> None:
    """Sixteen detections at the same time leave one row a link, with the ids it had (G2)."""
    delivery_id = create(office, draft())
    before = list_urls(office, delivery_id)
    barrier = Barrier(16)

    def detect() -> None:
        barrier.wait()
        with office.database.write() as connection:
            delivery = deliveries.get(connection, delivery_id)
            refresh_urls(connection, office, delivery, source_of(connection, delivery))

    threads = [Thread(target=detect) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before == list_urls(office, delivery_id)
    with office.database.read() as connection:
        assert before[0] == urls.get(connection, before[0].id)
