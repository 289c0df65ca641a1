"""Handing messages over: what each answer of a server means."""

from collections import Counter

import pytest

from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.send import send
from aftersend.errors import InvalidInput, InvalidSettings, Transient
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    FailureType,
)
from tests.support.post_office import delivery_of, make_delivery, messages_of, read
from tests.support.sending import PEOPLE, reached, send_to
from tests.support.smtp_server import HANG_UP, ScriptedServer, serving


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

    sent = send_to(server, office, delivery_id)

    assert Counter(set(PEOPLE) - {"p7@x.example"}) == reached(server)
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

    sent = send_to(server, office, delivery_id)

    assert Counter(PEOPLE) == reached(server)
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
        send_to(ill, office, delivery_id)
    in_between = delivery_of(office, delivery_id)
    sent = send_to(well, office, delivery_id)

    assert DeliveryState.IN_PROGRESS is in_between.state
    assert len(ill.taken) == in_between.success
    assert 5 <= len(ill.taken) < 20
    assert Counter(PEOPLE) == reached(ill) + reached(well)
    assert (20, 0) == (sent.sent, sent.failed)


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

    sent = send_to(server, office, delivery_id)

    assert Counter(PEOPLE) == reached(server)
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

    send_to(server, office, delivery_id)

    names = [read(taken.data)["Message-ID"] for taken in server.taken]
    assert 2 == ends
    assert 1 == len(names)


def test_a_message_that_breaks_every_connection_fails_alone(office: PostOffice) -> None:
    """A message that a server cannot bear is given up, and does not keep the others."""
    delivery_id = make_delivery(office, PEOPLE)
    server = ScriptedServer(
        answer=lambda verb, line: HANG_UP if verb == "RCPT" and "p7@" in line else None
    )

    sent = send_to(server, office, delivery_id)

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
        send_to(ill, office, delivery_id)
    send_to(well, office, delivery_id)

    assert Counter(PEOPLE) == reached(well)


def test_a_refused_log_in_stops_the_send(office: PostOffice) -> None:
    """A password that is wrong from some moment on stops the send, and nobody fails."""
    delivery_id = make_delivery(office, PEOPLE)
    connections = 0

    def answer(verb: str, _line: str) -> str | None:
        nonlocal connections
        connections += verb == "EHLO"
        # The first connection only looks whether there is a server.
        return "250-server\r\n250 AUTH PLAIN" if verb == "EHLO" and connections > 1 else None

    extensions = ("AUTH PLAIN", "PIPELINING")
    server = ScriptedServer(
        extensions=extensions,
        answer=lambda verb, line: (
            ("235 Welcome" if connections == 1 else "535 5.7.8 No")
            if verb == "AUTH"
            else answer(verb, line)
        ),
    )

    with serving(server), pytest.raises(InvalidSettings, match="refuses the log-in of ada"):
        send(office, MailServer("127.0.0.1", server.port, "ada", "secret"), delivery_id)

    assert DeliveryState.IN_PROGRESS is delivery_of(office, delivery_id).state
    assert (0, 0) == (len(server.taken), delivery_of(office, delivery_id).error)
