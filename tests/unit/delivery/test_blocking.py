"""Stopping links that are in people's hands: from the operator to a real tracking server."""

import re
from dataclasses import dataclass
from threading import Thread

import httpx
import pytest

from aftersend.database import deliveries
from aftersend.delivery.analyse import analyse
from aftersend.delivery.blocking import set_blocked
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import Corruption, InvalidInput, NotFound
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import DeliveryState, TrackingMode
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, UrlId
from aftersend.platform.clock import ManualClock
from tests.support.post_office import (
    ADDRESSES,
    HTML,
    add_recipients,
    draft,
    html_of,
    make_delivery,
    read,
)
from tests.support.sending import send_to
from tests.support.smtp_server import ScriptedServer


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery that was sent: the link to the shop and the unsubscription, as people got them."""

    id: DeliveryId
    shop: UrlId
    bye: UrlId
    shop_path: str
    bye_path: str


@pytest.fixture
def letter(office: PostOffice) -> Letter:
    """Give a message in somebody's hands."""
    server = ScriptedServer()
    add_recipients(office, ["ada@example.com"])
    number = create(office, draft(html=HTML, text=None))
    send_to(server, office, number)
    shop, bye = list_urls(office, number)
    paths = re.findall(
        rf'href=[\'"]{ADDRESSES.redirect}(/r/\w+)', html_of(read(server.taken[-1].data))
    )
    return Letter(number, shop.id, bye.id, *paths)


def _blocked(office: PostOffice, delivery_id: DeliveryId) -> set[UrlId]:
    catalogue = decode((office.catalogue / file_name(delivery_id)).read_bytes())
    return {number for number, url in catalogue.urls.items() if url.is_blocked}


def test_a_blocked_link_leads_nowhere_until_it_is_let_through(
    office: PostOffice, clock: ManualClock, letter: Letter, visitor: httpx.Client
) -> None:
    """People see a page that says so; other links go on, and so does this one afterwards."""
    before = visitor.get(letter.shop_path)
    set_blocked(office, letter.id, letter.shop, is_blocked=True)
    clock.advance(2)
    stopped, bye = visitor.get(letter.shop_path), visitor.get(letter.bye_path)
    set_blocked(office, letter.id, letter.shop, is_blocked=False)
    clock.advance(2)
    again = visitor.get(letter.shop_path)

    assert "https://shop.example/lamps" == before.headers["location"]
    assert (410, False) == (stopped.status_code, "location" in stopped.headers)
    assert "stopped by its sender" in stopped.text
    assert 302 == bye.status_code
    assert "https://shop.example/lamps" == again.headers["location"]


def test_an_unsubscription_can_be_blocked_too(
    office: PostOffice, clock: ManualClock, letter: Letter, visitor: httpx.Client
) -> None:
    """A page that was taken over is stopped, whatever it is for."""
    set_blocked(office, letter.id, letter.bye, is_blocked=True)
    clock.advance(2)

    assert 410 == visitor.get(letter.bye_path).status_code
    assert 302 == visitor.get(letter.shop_path).status_code


def test_blocking_and_expiry_leave_each_other_alone(
    office: PostOffice, clock: ManualClock, letter: Letter
) -> None:
    """Whatever was said before of a sent delivery still holds after the other is said."""

    def told() -> tuple[set[UrlId], float, str | None]:
        catalogue = decode((office.catalogue / file_name(letter.id)).read_bytes())
        assert catalogue.expires_at is not None
        lasting = (catalogue.expires_at - clock.now()).total_seconds()
        return _blocked(office, letter.id), lasting, catalogue.substitution_url

    substitute = "https://shop.example/over"
    change_properties(office, letter.id, Properties(validity_s=3600, substitution_url=substitute))
    set_blocked(office, letter.id, letter.shop, is_blocked=True)
    first = told()
    change_properties(office, letter.id, Properties(validity_s=7200))
    second = told()
    set_blocked(office, letter.id, letter.shop, is_blocked=False)

    assert ({letter.shop}, 3600.0, substitute) == first
    assert ({letter.shop}, 7200.0, substitute) == second
    assert (set(), 7200.0, substitute) == told()


def test_everybody_who_speaks_at_once_is_heard(office: PostOffice, letter: Letter) -> None:
    """Two who block, and two who prolong, in whatever order: all of it holds in the end.

    Killed by: bringing out what was read before somebody else wrote.
    """

    def block(url_id: UrlId) -> None:
        for is_blocked in (True, False) * 5 + (True,):
            set_blocked(office, letter.id, url_id, is_blocked=is_blocked)

    def prolong() -> None:
        for hours in range(1, 11):
            change_properties(office, letter.id, Properties(validity_s=hours * 3600))

    threads = [Thread(target=block, args=(each,)) for each in (letter.shop, letter.bye)]
    threads.append(Thread(target=prolong))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expires_at = decode((office.catalogue / file_name(letter.id)).read_bytes()).expires_at
    assert {letter.shop, letter.bye} == _blocked(office, letter.id)
    assert expires_at is not None
    assert 36_000 == (expires_at - office.clock.now()).total_seconds()


def test_what_is_blocked_before_the_send_is_blocked_after_it(office: PostOffice) -> None:
    """Neither an analysis nor the send lets a link through; before the first, nobody is told."""
    number = make_delivery(office)
    first = analyse(office, number)
    (office.catalogue / file_name(number)).unlink()
    shop = list_urls(office, number)[0]
    told = set_blocked(office, number, shop.id, is_blocked=True)
    is_published = (office.catalogue / file_name(number)).exists()
    change_properties(office, number, Properties(subject="Another"))
    analyse(office, number)
    analysed = _blocked(office, number)
    send_to(ScriptedServer(), office, number)

    assert (None, (), False) == (first.error, told, is_published)
    assert {shop.id} == analysed == _blocked(office, number)
    assert [True] == [url.is_blocked for url in list_urls(office, number) if url.id == shop.id]


def test_a_link_can_be_blocked_while_the_delivery_is_ready(office: PostOffice) -> None:
    """After the analysis tracking servers know the links, so they are told; the send keeps it."""
    number = make_delivery(office)
    analyse(office, number)
    shop = list_urls(office, number)[0]
    set_blocked(office, number, shop.id, is_blocked=True)

    assert {shop.id} == _blocked(office, number)
    with office.database.read() as connection:
        assert DeliveryState.TARGET_READY is deliveries.get(connection, number).state


def test_what_cannot_be_stopped_is_refused(office: PostOffice, letter: Letter) -> None:
    """The pixel, a link past our servers, another delivery's link, a delivery that is gone."""
    other = make_delivery(office, ["bob@example.com"])
    analyse(office, other)
    plain = list_urls(office, other)[0].id
    set_url(office, other, plain, mode=TrackingMode.NOT_TRACKED)

    with pytest.raises(InvalidInput, match=r"^The open pixel cannot be blocked: it leads nowhere"):
        set_blocked(office, letter.id, OPEN_URL_ID, is_blocked=True)
    with pytest.raises(InvalidInput, match=r"is not tracked, so people go there directly"):
        set_blocked(office, other, plain, is_blocked=True)
    with pytest.raises(NotFound):
        set_blocked(office, letter.id, plain, is_blocked=True)
    with pytest.raises(NotFound):
        set_blocked(office, DeliveryId(99), letter.shop, is_blocked=True)
    (office.catalogue / file_name(letter.id)).unlink()
    with pytest.raises(Corruption):
        set_blocked(office, letter.id, letter.shop, is_blocked=True)
    with office.database.write() as connection:
        deliveries.change(connection, letter.id, state=DeliveryState.DELETED)
    with pytest.raises(InvalidInput, match=r"is deleted"):
        set_blocked(office, letter.id, letter.shop, is_blocked=False)
