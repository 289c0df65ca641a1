"""Sending a delivery: every recipient once, whatever a server answers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import delete

from aftersend.content import Addresses
from aftersend.database import deliveries, messages, recipients, tracking_servers
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Outcome
from aftersend.database.recipients import Profile
from aftersend.database.schema import recipient
from aftersend.database.seeds import Seed
from aftersend.delivery import ledger as ledgers
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create, list_urls
from aftersend.delivery.ledger import ANSWER_NOT_SEEN, State
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.send import Sent, send
from aftersend.errors import Busy, Corruption, InvalidInput, Transient
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    FailureType,
    MessageStatus,
    UrlType,
)
from aftersend.model.ids import DeliveryId
from tests.support.post_office import add_recipients, draft, make_delivery, messages_of, read
from tests.support.smtp_server import HANG_UP, ScriptedServer, serving

PEOPLE = [f"p{number}@x.example" for number in range(20)]


def _send(
    office: PostOffice,
    server: ScriptedServer,
    delivery_id: DeliveryId,
    *,
    connections: int = 3,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sent:
    with serving(server):
        to = MailServer("127.0.0.1", server.port, connections=connections, pause_s=0)
        return send(office, to, delivery_id, on_progress=on_progress)


def _reached(server: ScriptedServer) -> Counter[str]:
    return Counter(
        taken.recipient.removeprefix("RCPT TO:<").removesuffix(">") for taken in server.taken
    )


def _delivery(office: PostOffice, delivery_id: DeliveryId) -> Delivery:
    with office.database.read() as connection:
        return deliveries.get(connection, delivery_id)


def test_everybody_gets_one_message(office: PostOffice) -> None:
    """Each recipient gets one message over few connections; all is written down at the end."""
    delivery_id = make_delivery(office, PEOPLE)
    server = ScriptedServer()
    heard: list[tuple[int, int]] = []

    sent = _send(
        office, server, delivery_id, on_progress=lambda done, total: heard.append((done, total))
    )

    assert Counter(PEOPLE) == _reached(server)
    assert (20, 0, False) == (sent.sent, sent.failed, sent.was_finished)
    assert 3 + 1 == server.connections  # one more, to see whether a server is there
    assert (20, 20) == heard[-1]
    delivery = _delivery(office, delivery_id)
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
    _send(office, ScriptedServer(), delivery_id)
    server = ScriptedServer()

    again = _send(office, server, delivery_id)

    assert Sent(1, 0, 0.0, was_finished=True) == again
    assert 0 == server.connections


def test_seeds_get_it_too_and_are_not_counted(office: PostOffice) -> None:
    """Seed addresses get the message, and success counts recipients alone."""
    add_recipients(office, ["ada@x.example"])
    delivery_id = create(office, replace(draft(), seeds=(Seed("seed@x.example"),)))
    server = ScriptedServer()

    sent = _send(office, server, delivery_id)

    assert {"ada@x.example": 1, "seed@x.example": 1} == _reached(server)
    assert 1 == sent.sent == _delivery(office, delivery_id).success


def test_an_error_of_the_analysis_stops_the_send(office: PostOffice) -> None:
    """What the analysis finds wrong is told, and nobody gets anything."""
    add_recipients(office, PEOPLE)
    delivery_id = create(office, draft(subject=""))
    server = ScriptedServer()

    with pytest.raises(InvalidInput, match="cannot be sent: The subject is empty"):
        _send(office, server, delivery_id)

    assert 0 == server.connections
    assert DeliveryState.BEING_EDITED is _delivery(office, delivery_id).state


@pytest.mark.parametrize(
    ("answers", "status", "reason", "kind"),
    [
        ({"RCPT": "550 5.1.1 Unknown"}, 2, FailureReason.USER_UNKNOWN, FailureType.HARD),
        ({"RCPT": "552 5.2.2 Full"}, 2, FailureReason.MAILBOX_FULL, FailureType.SOFT),
        ({"END": "554 5.7.1 Spam"}, 2, FailureReason.REFUSED, FailureType.SOFT),
        ({"RCPT": "450 4.2.0 Greylisted"}, 2, FailureReason.ACCOUNT_DISABLED, FailureType.SOFT),
        ({"END": "451 4.7.1 Later"}, 2, FailureReason.REFUSED, FailureType.SOFT),
    ],
)
def test_a_refused_recipient_fails_alone(
    office: PostOffice,
    answers: dict[str, str],
    status: int,
    reason: FailureReason,
    kind: FailureType,
) -> None:
    """A refusal is written down with its reason and words; everybody else gets the message."""
    delivery_id = make_delivery(office, PEOPLE)
    server = ScriptedServer(answer=lambda verb, line: answers.get(verb) if "p7@" in line else None)

    sent = _send(office, server, delivery_id)

    assert Counter(set(PEOPLE) - {"p7@x.example"}) == _reached(server)
    assert (19, 1) == (sent.sent, sent.failed)
    message = messages_of(office, delivery_id)["p7@x.example"]
    assert (status, reason, kind) == (
        message.status,
        message.failure_reason,
        message.failure_type,
    )
    assert next(iter(answers.values())) == message.failure_text


def test_what_is_put_off_is_tried_again(office: PostOffice) -> None:
    """A temporary refusal is asked again behind all others, and forgotten once it is taken."""
    delivery_id = make_delivery(office, PEOPLE)
    refusals = Counter({"p3@x.example": 2, "p4@x.example": 1})

    def answer(verb: str, line: str) -> str | None:
        address = line.removeprefix("RCPT TO:<").removesuffix(">")
        if verb == "RCPT" and refusals[address] > 0:
            refusals[address] -= 1
            return "451 4.7.1 Greylisted"
        return None

    server = ScriptedServer(answer=answer)

    sent = _send(office, server, delivery_id)

    assert Counter(PEOPLE) == _reached(server)
    assert (20, 0) == (sent.sent, sent.failed)


@pytest.mark.parametrize(
    "answers",
    [
        {"MAIL": "452 4.3.1 Disk full"},
        {"END": "452 4.3.1 Disk full"},
        {"RCPT": "421 Shutting down"},
        {"DATA": HANG_UP},
    ],
)
def test_a_server_in_trouble_stops_the_send_and_nobody_is_forgotten(
    office: PostOffice, answers: dict[str, str]
) -> None:
    """Trouble of the server itself fails nobody: sending again reaches everybody once."""
    delivery_id = make_delivery(office, PEOPLE)
    taken = 0

    def answer(verb: str, _line: str) -> str | None:
        nonlocal taken
        if taken >= 5:
            return answers.get(verb)
        taken += verb == "END"
        return None

    ill, well = ScriptedServer(answer=answer), ScriptedServer()
    with pytest.raises(Transient, match=r"\d of 20 messages are done; send again"):
        _send(office, ill, delivery_id)
    in_between = _delivery(office, delivery_id)
    sent = _send(office, well, delivery_id)

    assert DeliveryState.IN_PROGRESS is in_between.state
    assert len(ill.taken) == in_between.success
    assert 5 <= len(ill.taken) < 20
    assert Counter(PEOPLE) == _reached(ill) + _reached(well)
    assert (20, 0) == (sent.sent, sent.failed)


def test_without_a_server_a_delivery_can_still_be_changed(office: PostOffice) -> None:
    """Nothing is begun while no mail server answers."""
    delivery_id = make_delivery(office)

    with pytest.raises(Transient, match="does not take mail now"):
        send(office, MailServer("127.0.0.1", 9), delivery_id)

    assert DeliveryState.TARGET_READY is _delivery(office, delivery_id).state
    analyse(office, delivery_id)


@pytest.mark.parametrize("verb", ["MAIL", "DATA"])
def test_connections_that_break_are_made_anew(office: PostOffice, verb: str) -> None:
    """A server that hangs up now and then before the end of a message costs nobody anything."""
    delivery_id = make_delivery(office, PEOPLE)
    count = 0

    def answer(said: str, _line: str) -> str | None:
        nonlocal count
        count += said == verb
        return HANG_UP if said == verb and count % 4 == 0 else None

    server = ScriptedServer(answer=answer)

    sent = _send(office, server, delivery_id)

    assert Counter(PEOPLE) == _reached(server)
    assert (20, 0) == (sent.sent, sent.failed)


def test_a_message_without_an_answer_is_sent_again_under_its_name(office: PostOffice) -> None:
    """When a connection breaks behind the end, the same Message-ID comes again."""
    delivery_id = make_delivery(office)
    names: list[str] = []
    ends = 0

    def answer(verb: str, _line: str) -> str | None:
        nonlocal ends
        ends += verb == "END"
        return HANG_UP if verb == "END" and ends == 1 else None

    server = ScriptedServer(answer=answer)

    _send(office, server, delivery_id)

    names = [read(taken.data)["Message-ID"] for taken in server.taken]
    assert 2 == ends
    assert 1 == len(names)


def test_a_message_that_breaks_every_connection_fails_alone(office: PostOffice) -> None:
    """A message that a server cannot bear is given up, and does not keep the others."""
    delivery_id = make_delivery(office, PEOPLE)
    server = ScriptedServer(
        answer=lambda verb, line: HANG_UP if verb == "RCPT" and "p7@" in line else None
    )

    sent = _send(office, server, delivery_id)

    assert (19, 1) == (sent.sent, sent.failed)
    message = messages_of(office, delivery_id)["p7@x.example"]
    assert FailureReason.UNREACHABLE is message.failure_reason
    assert "closed the connection" in message.failure_text


def test_a_refused_sender_stops_the_send(office: PostOffice) -> None:
    """A server that does not take the sender says nothing about recipients: nobody fails."""
    delivery_id = make_delivery(office, PEOPLE)
    ill = ScriptedServer(answer=lambda verb, _line: "550 5.7.1 No" if verb == "MAIL" else None)
    well = ScriptedServer()

    with pytest.raises(InvalidInput, match=r"refuses the sender Harbour & Pine .*: 550 5\.7\.1 No"):
        _send(office, ill, delivery_id)
    _send(office, well, delivery_id)

    assert Counter(PEOPLE) == _reached(well)


def test_one_recipient_who_cannot_be_rendered_fails_alone(office: PostOffice) -> None:
    """Values that make a link too long are that recipient's misfortune alone."""
    long_name = Profile("long@x.example", fields={"code": "x" * 9000})
    add_recipients(office, [long_name, "ada@x.example"])
    html = "<a href='https://x.example/?c=<%= escapeUrl(recipient.code) %>'>x</a>"
    delivery_id = create(office, draft(html=html))
    server = ScriptedServer()

    sent = _send(office, server, delivery_id)

    assert {"ada@x.example": 1} == _reached(server)
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

    sent = _send(office, server, delivery_id)

    assert {"eve@x.example": 1} == _reached(server)
    assert (1, 2) == (sent.sent, sent.failed)
    made = messages_of(office, delivery_id)
    assert FailureReason.DENYLISTED is made["ada@x.example"].failure_reason
    assert "no longer known" in made["bob@x.example"].failure_text


def test_a_delivery_is_sent_by_one_at_a_time(office: PostOffice) -> None:
    """While somebody sends a delivery, nobody else does."""
    delivery_id = make_delivery(office)

    with ledgers.locked(office.sending, delivery_id), pytest.raises(Busy):
        _send(office, ScriptedServer(), delivery_id)


@pytest.mark.parametrize("state", [DeliveryState.STOPPED, DeliveryState.DELETED])
def test_a_stopped_delivery_is_not_sent(office: PostOffice, state: DeliveryState) -> None:
    """A delivery that somebody stopped or deleted stays so."""
    delivery_id = make_delivery(office)
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=state)

    with pytest.raises(InvalidInput, match=f"is {state.label.lower()}"):
        _send(office, ScriptedServer(), delivery_id)


def test_links_that_nobody_knows_are_not_sent(office: PostOffice) -> None:
    """With tracking servers registered, one of them must know the links first."""
    delivery_id = make_delivery(office)
    with office.database.write() as connection:
        tracking_servers.put(
            connection, server_id="1", internal_url="http://127.0.0.1:9", at=office.clock.now()
        )
    server = ScriptedServer()

    with pytest.raises(Transient, match=r"No tracking server knows the links .*1: it does not"):
        _send(office, server, delivery_id)

    assert [] == server.taken
    assert DeliveryState.TARGET_READY is _delivery(office, delivery_id).state


def test_moved_pages_are_noticed_before_sending(office: PostOffice) -> None:
    """When public addresses changed since the analysis, links to them are tracked all the same."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    moved = replace(office, addresses=Addresses("https://t.example.com", "https://new.example"))
    server = ScriptedServer()

    _send(moved, server, delivery_id)

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
        _send(office, ScriptedServer(answer=answer), delivery_id, connections=1)
    return delivery_id


def test_a_message_that_was_handed_over_is_never_sent_again(office: PostOffice) -> None:
    """What a process that was killed handed over counts as sent, with a word about it."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    ledger = ledgers.open_ledger(office.sending, delivery_id)
    ledger.states[10] = State.HANDED_OVER
    ledger.close()
    server = ScriptedServer()

    sent = _send(office, server, delivery_id)

    assert Counter(PEOPLE[5:10] + PEOPLE[11:]) == _reached(server)
    assert (20, 0) == (sent.sent, sent.failed)
    message = messages_of(office, delivery_id)["p10@x.example"]
    assert (MessageStatus.SENT, ANSWER_NOT_SEEN) == (message.status, message.failure_text)


def test_what_came_of_a_message_since_is_kept(office: PostOffice) -> None:
    """Taking a send up again does not undo a bounce that came in between."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    bounced = messages_of(office, delivery_id)["p0@x.example"]
    with office.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE message SET status = 2 WHERE id = {bounced.id}")

    sent = _send(office, ScriptedServer(), delivery_id)

    assert (19, 1) == (sent.sent, sent.failed)


def test_a_send_without_its_ledger_is_not_guessed_at(office: PostOffice) -> None:
    """When the ledger of a begun send is gone, a person has to look."""
    delivery_id = _interrupt(office, PEOPLE, after=5)
    ledgers.discard(office.sending, delivery_id)
    server = ScriptedServer()

    with pytest.raises(Corruption, match="missing"):
        _send(office, server, delivery_id)

    assert [] == server.taken


def test_a_send_that_had_hardly_begun_begins_anew(office: PostOffice) -> None:
    """Before anybody could be sent anything, a half-made ledger is made again."""
    delivery_id = make_delivery(office, PEOPLE)
    analyse(office, delivery_id)
    with office.database.write() as connection:
        deliveries.change(connection, delivery_id, state=DeliveryState.START_PENDING)
    (office.sending / f"{delivery_id}.ledger").write_bytes(b"half")
    server = ScriptedServer()

    _send(office, server, delivery_id)

    assert Counter(PEOPLE) == _reached(server)


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
