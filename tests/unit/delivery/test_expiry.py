"""How long links last: from the analysis to a real tracking server."""

import re
from datetime import datetime, timedelta

import httpx
import pytest

from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import Transient
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import ManualClock
from tests.support.post_office import (
    ADDRESSES,
    HTML,
    NOW,
    add_recipients,
    delivery_of,
    draft,
    html_of,
    make_delivery,
    read,
)
from tests.support.sending import send_to
from tests.support.smtp_server import HANG_UP, ScriptedServer

DAY = timedelta(days=1)
DAY_S = 86_400.0


def _expiry(office: PostOffice, delivery_id: DeliveryId) -> datetime | None:
    return decode((office.catalogue / file_name(delivery_id)).read_bytes()).expires_at


def _links(server: ScriptedServer) -> list[str]:
    html = html_of(read(server.taken[-1].data))
    return re.findall(rf'href=[\'"]{ADDRESSES.redirect}(/r/\w+)', html)


def test_links_end_when_their_time_has_come(
    office: PostOffice, clock: ManualClock, visitor: httpx.Client
) -> None:
    """A link works until the contact date and the validity, then it leads to the substitution.

    The unsubscription works on. The operator may prolong the offer, or leave it without substitute.
    """
    server = ScriptedServer()
    add_recipients(office, ["ada@example.com"])
    lasting = Properties(validity_s=86_400, substitution_url="https://shop.example/over")
    delivery_id = create(office, draft(html=HTML))
    change_properties(office, delivery_id, lasting)
    analyse(office, delivery_id)
    clock.advance(5 * DAY_S)
    send_to(server, office, delivery_id)
    shop, bye = _links(server)

    clock.advance(DAY_S - 2)
    in_time = visitor.get(shop)
    clock.advance(2)
    late, goodbye = visitor.get(shop), visitor.get(bye)
    change_properties(office, delivery_id, Properties(validity_s=2 * 86_400))
    clock.advance(2)
    prolonged = visitor.get(shop)
    change_properties(office, delivery_id, Properties(validity_s=1, substitution_url=""))
    clock.advance(2)
    gone = visitor.get(shop)

    assert "https://shop.example/lamps" == in_time.headers["location"]
    assert "https://shop.example/over" == late.headers["location"]
    assert goodbye.headers["location"].startswith(f"{ADDRESSES.app}/u/")
    assert "https://shop.example/lamps" == prolonged.headers["location"]
    assert 410 == gone.status_code


def test_a_validity_counts_from_the_contact_date(office: PostOffice, clock: ManualClock) -> None:
    """Before the send nobody knows when links expire; without a validity they never do."""
    lasting, endless = make_delivery(office), make_delivery(office)
    change_properties(office, lasting, Properties(validity_s=3600))
    for delivery_id in (lasting, endless):
        analyse(office, delivery_id)
        assert _expiry(office, delivery_id) is None
    clock.advance(DAY_S)

    for delivery_id in (lasting, endless):
        send_to(ScriptedServer(), office, delivery_id)

    assert NOW + DAY == delivery_of(office, lasting).contact_at
    assert NOW + DAY + timedelta(hours=1) == _expiry(office, lasting)
    assert _expiry(office, endless) is None


def test_the_expiry_is_known_before_the_first_message(
    office: PostOffice, clock: ManualClock
) -> None:
    """When a mail server hears of the first message, tracking servers have its dates."""
    delivery_id = make_delivery(office)
    change_properties(office, delivery_id, Properties(validity_s=3600))
    analyse(office, delivery_id)
    clock.advance(DAY_S)
    seen: list[datetime | None] = []

    def answer(verb: str, _line: str) -> str | None:
        if verb == "MAIL":
            seen.append(_expiry(office, delivery_id))
        return None

    send_to(ScriptedServer(answer=answer), office, delivery_id)

    assert [NOW + DAY + timedelta(hours=1)] == seen


def test_a_send_that_did_not_begin_counts_from_the_one_that_does(
    office: PostOffice, clock: ManualClock
) -> None:
    """Who could not greet the mail server has sent nothing: the next attempt has its own date."""
    delivery_id = make_delivery(office)
    change_properties(office, delivery_id, Properties(validity_s=3600))
    analyse(office, delivery_id)
    with pytest.raises(Transient):
        send_to(ScriptedServer(answer=lambda _verb, _line: HANG_UP), office, delivery_id)
    assert DeliveryState.TARGET_READY is delivery_of(office, delivery_id).state
    assert delivery_of(office, delivery_id).contact_at is None
    clock.advance(DAY_S)

    send_to(ScriptedServer(), office, delivery_id)

    assert NOW + DAY + timedelta(hours=1) == _expiry(office, delivery_id)


def test_a_send_that_is_taken_up_keeps_its_contact_date(
    office: PostOffice, clock: ManualClock
) -> None:
    """Links last as long for the last message of a send as for its first, not longer."""
    delivery_id = make_delivery(office, ["ada@example.com", "bob@example.com"])
    change_properties(office, delivery_id, Properties(validity_s=3600))
    analyse(office, delivery_id)
    busy = ScriptedServer(answer=lambda verb, _line: "421 Not now" if verb == "RCPT" else None)
    with pytest.raises(Transient):
        send_to(busy, office, delivery_id)
    clock.advance(DAY_S)

    send_to(ScriptedServer(), office, delivery_id)

    assert DeliveryState.FINISHED is delivery_of(office, delivery_id).state
    assert NOW + timedelta(hours=1) == _expiry(office, delivery_id)
