"""The transactions of one SMTP connection, each with its mark in the ledger."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aftersend.delivery.conversation import Conversation, Letter
from aftersend.delivery.ledger import State
from aftersend.delivery.mail_server import MailServer, connect
from aftersend.errors import ConnectionLost
from tests.support.smtp_server import HANG_UP, ScriptedServer, running

LETTER = Letter("news@shop.example", "ada@example.com", b"Subject: x\r\n\r\nHello\r\n")


def _converse(
    server: ScriptedServer,
    talk: Callable[[Conversation, "memoryview[int]"], Awaitable[None]],
    *,
    timeout_s: float = 20.0,
) -> list[int]:
    states = memoryview(bytearray(3))

    async def main() -> None:
        async with running(server):
            to = MailServer("127.0.0.1", server.port, is_starttls=False, timeout_s=timeout_s)
            conversation = await connect(to)
            try:
                await talk(conversation, states)
            finally:
                await conversation.close()

    asyncio.run(main())
    return list(states)


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_messages_follow_each_other_on_one_connection(extensions: tuple[str, ...]) -> None:
    """Several messages go over one connection, with and without pipelining."""
    server = ScriptedServer(extensions=extensions)

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        for place in range(3):
            answer = await conversation.hand_over(LETTER, states, place)
            assert answer.is_accepted
            assert (250, "2.0.0 Kept") == (answer.code, answer.text)

    states = _converse(server, talk)

    assert [State.HANDED_OVER] * 3 == states
    assert 1 == server.connections
    assert [LETTER.data] * 3 == [each.data for each in server.taken]
    assert "MAIL FROM:<news@shop.example>" == server.taken[0].sender
    assert "RCPT TO:<ada@example.com>" == server.taken[0].recipient
    assert "QUIT" == server.lines[-1]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
@pytest.mark.parametrize("data_answer", ["503 Who is it for?", "354 Go on anyway"])
def test_a_refused_recipient_leaves_the_message_waiting(
    extensions: tuple[str, ...], data_answer: str
) -> None:
    """A refusal before the message is the recipient's; the next message goes through."""
    refused_lines: list[str] = []

    def answer(verb: str, line: str) -> str | None:
        if verb == "RCPT":
            refused_lines[:] = [line] if "bob" in line else []
        if not refused_lines:
            return None
        return {
            "RCPT": "550-5.1.1 No such\r\n550 5.1.1 user",
            "DATA": data_answer,
            "END": "554 No valid recipients",
        }.get(verb)

    server = ScriptedServer(extensions=extensions, answer=answer)
    bob = Letter(LETTER.sender, "bob@example.com", LETTER.data)

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        refused = await conversation.hand_over(bob, states, 0)
        assert (550, "5.1.1 No such 5.1.1 user") == (refused.code, refused.text)
        assert not refused.is_sender_refused
        assert (await conversation.hand_over(LETTER, states, 1)).is_accepted

    states = _converse(server, talk)

    assert [State.WAITING, State.HANDED_OVER, State.WAITING] == states
    assert 1 == len(server.taken)
    assert "RSET" in server.lines


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_a_refused_sender_is_told_apart(extensions: tuple[str, ...]) -> None:
    """A refusal of MAIL is not the recipient's fault, whatever is said to RCPT then."""
    answers = {"MAIL": "550 5.7.1 Not from you", "RCPT": "503 Sender first", "DATA": "503 No"}
    server = ScriptedServer(extensions=extensions, answer=lambda verb, _line: answers.get(verb))

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        answer = await conversation.hand_over(LETTER, states, 0)
        assert answer.is_sender_refused
        assert 550 == answer.code

    assert State.WAITING == _converse(server, talk)[0]


def test_a_refused_message_was_handed_over(tmp_path: Path) -> None:
    """A refusal of the whole message comes after its end, which is marked."""
    server = ScriptedServer(answer=lambda verb, _line: "554 5.7.1 Spam" if verb == "END" else None)

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        assert 554 == (await conversation.hand_over(LETTER, states, 0)).code

    assert State.HANDED_OVER == _converse(server, talk)[0]


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "END"])
def test_a_lost_connection_is_told(verb: str) -> None:
    """A server that hangs up loses the connection, and it stays lost."""
    server = ScriptedServer(answer=lambda said, _line: HANG_UP if said == verb else None)

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="closed the connection"):
                await conversation.hand_over(LETTER, states, 0)

    states = _converse(server, talk)

    assert (State.HANDED_OVER if verb == "END" else State.WAITING) == states[0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("hello there", "which is not SMTP"),
        ("250 OK\r\n250 OK\r\n250 OK\r\n250 OK", "without being asked"),
        ("250-" + "x" * 1_000_000, "does not end its answer"),
        ("250-x\r\n" * 200_000 + "250-x", "does not end its answer"),
    ],
)
def test_a_server_that_breaks_the_rules_is_left(said: str, why: str) -> None:
    """What is not SMTP ends the connection, and never reads as an answer to a message."""
    server = ScriptedServer(answer=lambda verb, _line: said if verb == "MAIL" else None)

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        with pytest.raises(ConnectionLost, match=why):
            await conversation.hand_over(LETTER, states, 0)

    assert State.WAITING == _converse(server, talk)[0]


def test_a_server_that_says_nothing_is_left() -> None:
    """An answer that does not come in time loses the connection."""

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        conversation._timeout_s = 0.05
        with pytest.raises(ConnectionLost, match=r"did not answer for 0\.05 seconds"):
            await conversation.hand_over(LETTER, states, 0)

    # A line that goes on is waited for.
    server = ScriptedServer(answer=lambda verb, _line: "250-wait" if verb == "DATA" else None)
    assert State.WAITING == _converse(server, talk)[0]


def test_an_address_outside_ascii_needs_a_server_that_takes_it() -> None:
    """SMTPUTF8 is asked for where it is needed, and its lack refuses the recipient alone."""
    zoe = Letter("news@shop.example", "zoë@example.com", LETTER.data)
    server, poor = ScriptedServer(), ScriptedServer(extensions=("PIPELINING",))

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        assert (await conversation.hand_over(zoe, states, 0)).is_accepted

    async def talk_in_vain(conversation: Conversation, states: "memoryview[int]") -> None:
        assert 553 == (await conversation.hand_over(zoe, states, 0)).code

    _converse(server, talk)
    _converse(poor, talk_in_vain)

    assert "MAIL FROM:<news@shop.example> SMTPUTF8" == server.taken[0].sender
    assert "RCPT TO:<zoë@example.com>" == server.taken[0].recipient
    assert [] == poor.taken


def test_nothing_comes_between_the_mark_and_the_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is with the kernel before the mark, and the dot is the next thing it gets.

    Dies when the dot is written before the mark, or with the body, or through the transport.
    """
    seen: list[tuple[int, bytes]] = []
    states = memoryview(bytearray(1))

    def write(descriptor: int, data: bytes) -> int:
        transport: Any = conversations[0]._transport
        assert 0 == transport.get_write_buffer_size()
        seen.append((states[0], data))
        return os_write(descriptor, data)

    os_write = os.write
    conversations: list[Conversation] = []
    large = Letter(LETTER.sender, LETTER.recipient, (b"y" * 900 + b"\r\n") * 8_000)
    server = ScriptedServer()

    async def talk(conversation: Conversation, _states: "memoryview[int]") -> None:
        conversations.append(conversation)
        monkeypatch.setattr("os.write", write)
        try:
            assert (await conversation.hand_over(large, states, 0)).is_accepted
        finally:
            monkeypatch.undo()

    _converse(server, talk)

    assert [(State.HANDED_OVER, b".\r\n")] == seen
    assert [large.data] == [each.data for each in server.taken]


def test_a_full_kernel_takes_the_mark_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no room for the dot, the message waits until it has."""
    refusals = 3

    def write(descriptor: int, data: bytes) -> int:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise BlockingIOError
        return os_write(descriptor, data[:1]) if len(data) == 3 else os_write(descriptor, data)

    os_write = os.write
    server = ScriptedServer()

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        monkeypatch.setattr("os.write", write)
        try:
            assert (await conversation.hand_over(LETTER, states, 0)).is_accepted
        finally:
            monkeypatch.undo()

    assert State.HANDED_OVER == _converse(server, talk)[0]
    assert 0 == refusals
    assert [LETTER.data] == [each.data for each in server.taken]


def test_a_dead_socket_takes_the_mark_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses the dot, the message was not sent."""

    def write(_descriptor: int, _data: bytes) -> int:
        raise BrokenPipeError

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        monkeypatch.setattr("os.write", write)
        try:
            with pytest.raises(ConnectionLost):
                await conversation.hand_over(LETTER, states, 0)
        finally:
            monkeypatch.undo()

    assert State.WAITING == _converse(ScriptedServer(), talk)[0]


def test_an_answer_before_the_end_of_a_connection_counts() -> None:
    """A server that answers and hangs up at once has taken the message."""
    server = ScriptedServer(extensions=("PIPELINING",))

    async def talk(conversation: Conversation, states: "memoryview[int]") -> None:
        answer = await conversation._begin(LETTER)
        assert 354 == answer.code
        conversation._expect(1)
        conversation.data_received(b"250 2.0.0 Kept\r\n")
        conversation.connection_lost(None)
        (answer,) = await conversation._wait(1)
        assert answer.is_accepted
        with pytest.raises(ConnectionLost):
            await conversation.hand_over(LETTER, states, 0)

    _converse(server, talk)
