"""Sending a delivery: its states, and taking up what was stopped."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import delete

from aftersend.content import Addresses
from aftersend.database import deliveries, messages, recipients, tracking_servers
from aftersend.database.messages import Outcome
from aftersend.database.recipients import Profile
from aftersend.database.schema import recipient
from aftersend.database.seeds import Seed
from aftersend.delivery import ledger as ledgers
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.ledger import ANSWER_NOT_SEEN, State
from aftersend.delivery.links import list_urls
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.send import Sent, send
from aftersend.errors import Busy, Corruption, InvalidInput, Transient
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    MessageStatus,
    UrlType,
)
from aftersend.model.ids import DeliveryId
from tests.support.post_office import add_recipients, delivery_of, draft, make_delivery, messages_of
from tests.support.sending import PEOPLE, reached, send_to
from tests.support.smtp_server import ScriptedServer


def test_everybody_gets_one_message(office: PostOffice) -> None:
    """Each recipient gets one message over few connections; all is written down at the end."""
    delivery_id = make_delivery(office, PEOPLE)
    server = ScriptedServer()
    heard: list[tuple[int, int]] = []

    sent = send_to(
        server, office, delivery_id, on_progress=lambda done, total: heard.append((done, total))
    )

    assert Counter(PEOPLE) == reached(server)
    assert (20, 0, False) == (sent.sent, sent.failed, sent.was_finished)
    assert 3 + 1 == server.connections  # one more, to see whether a server is there
    assert (20, 20) == heard[-1]
    delivery = delivery_of(office, delivery_id)
    assert DeliveryState.FINISHED is delivery.state
    assert (20, 0) == (delivery.success, delivery.error)
    assert office.clock.now() == delivery.contact_at == delivery.ended_at
    assert {(MessageStatus.SENT, "", office.clock.now())} == {
        (each.status, each.failure_text, each.event_at)
        for each in messages_of(office, delivery_id).values()
    }
    assert [] == list(office.sending.iterdir())


def test_sending_again_sends_nothing(office: PostOffice) -> None:
    """A finished delivery is told as such, with its figures."""
    delivery_id = make_delivery(office)
    send_to(ScriptedServer(), office, delivery_id)
    server = ScriptedServer()

    again = send_to(server, office, delivery_id)

    assert Sent(1, 0, 0.0, was_finished=True) == again
    assert 0 == server.connections


def test_seeds_get_it_too_and_are_not_counted(office: PostOffice) -> None:
    """Seed addresses get the message, and success counts recipients alone."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, replace(draft(), seeds=(Seed("seed@x.example"),)))
    server = ScriptedServer()

    sent = send_to(server, office, delivery_id)

    assert {"ada@x.example": 1, "seed@x.example": 1} == reached(server)
    assert 1 == sent.sent == delivery_of(office, delivery_id).success


def test_an_error_of_the_analysis_stops_the_send(office: PostOffice) -> None:
    """What the analysis finds wrong is told, and nobody gets anything."""
    add_recipients(office, PEOPLE)
    delivery_id = create(office, draft(subject=""))
    server = ScriptedServer()

    with pytest.raises(InvalidInput, match="cannot be sent: The subject is empty"):
        send_to(server, office, delivery_id)

    assert 0 == server.connections
    assert DeliveryState.BEING_EDITED is delivery_of(office, delivery_id).state


def test_without_a_server_a_delivery_can_still_be_changed(office: PostOffice) -> None:
    """Nothing is begun while no mail server answers."""
    delivery_id = make_delivery(office)

    with pytest.raises(Transient, match="does not take mail now"):
        send(office, MailServer("127.0.0.1", 9), delivery_id)

    assert DeliveryState.TARGET_READY is delivery_of(office, delivery_id).state
    analyse(office, delivery_id)


def test_one_recipient_who_cannot_be_rendered_fails_alone(office: PostOffice) -> None:
    """Values that make a link too long are that recipient's misfortune alone."""
    long_name = Profile("long@x.example", fields={"code": "x" * 9000})
    add_recipients(office, [long_name, "ada@x.example"])
    html = "<a href='https://x.example/?c=<%= escapeUrl(recipient.code) %>'>x</a>"
    delivery_id = create(office, draft(html=html))
    server = ScriptedServer()

    sent = send_to(server, office, delivery_id)

    assert {"ada@x.example": 1} == reached(server)
    assert (1, 1) == (sent.sent, sent.failed)
    message = messages_of(office, delivery_id)["long@x.example"]
    assert "too long for a link" in message.failure_text


def test_who_left_after_the_analysis_gets_nothing(office: PostOffice) -> None:
    """Who unsubscribed or was removed between analysis and sending is not written to."""
    ids = add_recipients(office, ["ada@x.example", "bob@x.example", "eve@x.example"])
    delivery_id = create(office, draft())
    analyse(office, delivery_id)
    with office.database.write() as connection:
        recipients.set_denylisted(connection, ids[0], at=office.clock.now())
        connection.execute(delete(recipient).where(recipient.c.id == ids[1]))
    server = ScriptedServer()

    sent = send_to(server, office, delivery_id)

    assert {"eve@x.example": 1} == reached(server)
    assert (1, 2) == (sent.sent, sent.failed)
    made = messages_of(office, delivery_id)
    assert FailureReason.DENYLISTED is made["ada@x.example"].failure_reason
    assert "no longer known" in made["bob@x.example"].failure_text


def test_a_delivery_is_sent_by_one_at_a_time(office: PostOffice) -> None:
    """While somebody sends a delivery, nobody else does."""
    delivery_id = make_delivery(office)

    with ledgers.locked(office.sending, delivery_id), pytest.raises(Busy):
        send_to(ScriptedServer(), office, delivery_id)


@pytest.mark.parametrize("state", [DeliveryState.STOPPED, DeliveryState.DELETED])
def test_a_stopped_delivery_is_not_sent(office: PostOffice, state: DeliveryState) -> None:
    """A delivery that somebody stopped or deleted stays so."""
    delivery_id = make_delivery(office)
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=state)

    with pytest.raises(InvalidInput, match=f"is {state.label.lower()}"):
        send_to(ScriptedServer(), office, delivery_id)


def test_links_that_nobody_knows_are_not_sent(office: PostOffice) -> None:
    """With tracking servers registered, one of them must know the links first."""
    delivery_id = make_delivery(office)
    with office.database.write() as connection:
        tracking_servers.put(
            connection, server_id="1", internal_url="http://127.0.0.1:9", at=office.clock.now()
        )
    server = ScriptedServer()

    with pytest.raises(Transient, match=r"No tracking server knows the links .*1: it does not"):
        send_to(server, office, delivery_id)

    assert [] == server.taken
    assert DeliveryState.TARGET_READY is delivery_of(office, delivery_id).state


def test_moved_pages_are_noticed_before_sending(office: PostOffice) -> None:
    """When public addresses changed since the analysis, links to them are tracked all the same."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    moved = replace(office, addresses=Addresses("https://t.example.com", "https://new.example"))
    server = ScriptedServer()

    send_to(server, moved, delivery_id)

    assert all("app.example.com" not in url.source for url in list_urls(moved, delivery_id))
    catalogue = decode((office.catalogue / file_name(delivery_id)).read_bytes())
    types = Counter(url.type for url in catalogue.urls.values())
    assert 2 == types[UrlType.OPT_OUT]


def _interrupt(office: PostOffice, people: list[str], *, after: int) -> DeliveryId:
    """Send to the first `after` people and leave the delivery in the middle."""
    delivery_id = make_delivery(office, people)
    ends = 0

    def answer(verb: str, _line: str) -> str | None:
        nonlocal ends
        ends += verb == "END"
        return "421 Bye" if ends >= after and verb == "MAIL" else None

    with pytest.raises(Transient):
        send_to(ScriptedServer(answer=answer), office, delivery_id, connections=1)
    return delivery_id


def test_a_message_that_was_handed_over_is_never_sent_again(office: PostOffice) -> None:
    """What a process that was killed handed over counts as sent, with a word about it."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    ledger = ledgers.open_ledger(office.sending, delivery_id)
    ledger.states[10] = State.HANDED_OVER
    ledger.close()
    server = ScriptedServer()

    sent = send_to(server, office, delivery_id)

    assert Counter(PEOPLE[5:10] + PEOPLE[11:]) == reached(server)
    assert (20, 0) == (sent.sent, sent.failed)
    message = messages_of(office, delivery_id)["p10@x.example"]
    assert (MessageStatus.SENT, ANSWER_NOT_SEEN) == (message.status, message.failure_text)


def test_what_came_of_a_message_since_is_kept(office: PostOffice) -> None:
    """Taking a send up again does not undo a bounce that came in between."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    bounced = messages_of(office, delivery_id)["p0@x.example"]
    with office.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE message SET status = 2 WHERE id = {bounced.id}")

    sent = send_to(ScriptedServer(), office, delivery_id)

    assert (19, 1) == (sent.sent, sent.failed)


def test_a_send_without_its_ledger_is_not_guessed_at(office: PostOffice) -> None:
    """When the ledger of a begun send is gone, a person has to look."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    ledgers.discard(office.sending, delivery_id)
    server = ScriptedServer()

    with pytest.raises(Corruption, match="missing"):
        send_to(server, office, delivery_id)

    assert [] == server.taken


def test_a_send_that_had_hardly_begun_begins_anew(office: PostOffice) -> None:
    """Before anybody could be sent anything, a half-made ledger is made again."""
    delivery_id = make_delivery(office, PEOPLE)
    analyse(office, delivery_id)
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=DeliveryState.START_PENDING)
    (office.sending / f"{delivery_id}.ledger").write_bytes(b"half")
    server = ScriptedServer()

    send_to(server, office, delivery_id)

    assert Counter(PEOPLE) == reached(server)


def test_outcomes_are_for_messages_that_wait(office: PostOffice) -> None:
    """An outcome that is stored late changes nothing that is known better."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    message = messages_of(office, delivery_id)["ada@example.com"]
    with office.database.write() as connection:
        for status in (MessageStatus.FAILED, MessageStatus.SENT):
            outcome = Outcome(message.id, status, office.clock.now())
            messages.store_outcomes(connection, [outcome])
        messages.store_outcomes(connection, [])

    assert MessageStatus.FAILED is messages_of(office, delivery_id)["ada@example.com"].status
