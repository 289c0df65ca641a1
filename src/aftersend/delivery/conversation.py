"""The transactions of one SMTP connection, each with its mark in the ledger.

A connection is opened, secured and logged in by aiosmtplib (`mail_server`), which then hands over
its transport: what follows is MAIL, RCPT, DATA for one message after the other, in one go where
the server offers PIPELINING (RFC 2920).

When the process dies, every message must be known either as waiting or as sent. The end of a
message is the moment the server gets the line with the dot:

1. the body is handed over until nothing of it is left on our side of the kernel;
2. the state becomes HANDED_OVER, and the very next thing is the system call that writes the dot;
3. the answer comes, and the state becomes ACCEPTED or FAILED, or WAITING again after a 4xx.

Fault model: SIGKILL before 2 leaves a message without its end, which no server delivers; after 2
the kernel brings the end to the server, with or without us. Between the assignment and the system
call lie a few hundred nanoseconds without any other work: killed exactly there, a message counts
as sent and is not. The other order would send twice instead, and nothing between two machines can
rule out both. Over TLS the window is as long as one encryption, some ten microseconds. After a
power cut up to a second of marks may be missing (see `ledger`), and those messages are sent again,
with the same Message-ID.

A connection that breaks after the dot, while we live, tells that the server had not answered: the
message is sent again, as RFC 5321 §4.2.5 has it, with the same Message-ID.
"""

import asyncio
import os
import re
from dataclasses import dataclass
from typing import Any, Final

from aftersend.delivery.ledger import State
from aftersend.errors import ConnectionLost

__all__ = ["Answer", "Conversation", "Letter"]

_END: Final = b".\r\n"
_END_TIMEOUT_S: Final = 600.0
"""Servers check a message before they answer its end (RFC 5321 §4.5.3.2.6)."""
_ANSWER_BYTES_MAX: Final = 64 * 1024
_LINE: Final = re.compile(rb"(\d\d\d)(?:([ -])([^\r\n]*))?\r?")
_LOOK_AGAIN_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready for the wire.

    `data` has no line that begins with a dot and ends with a line end; addresses are as sent.
    """

    sender: str
    recipient: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a message.

    `is_sender_refused` when it would not even hear whom the message is for.
    """

    code: int
    text: str
    is_sender_refused: bool = False

    @property
    def is_accepted(self) -> bool:
        """Tell whether the server has taken the message."""
        return 200 <= self.code < 300


class Conversation(asyncio.Protocol):
    """Hands messages over on one connection, one after the other."""

    def __init__(
        self, transport: asyncio.Transport, *, extensions: frozenset[str], timeout_s: float
    ) -> None:
        """Take over a connection on which EHLO was said and nothing is outstanding."""
        self._transport = transport
        self._extensions = extensions
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._lines: list[bytes] = []
        self._answers: list[Answer] = []
        self._wanted = 0
        self._complete: asyncio.Future[None] = self._loop.create_future()
        self._drained: asyncio.Future[None] | None = None
        self._lost: ConnectionLost | None = None
        self._needs_reset = False
        # Whatever a transport keeps back is not with the kernel yet.
        transport.set_write_buffer_limits(high=0)
        self._below = _below_tls(transport)
        if self._below is not None:
            self._below.set_write_buffer_limits(high=0)
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        transport.set_protocol(self)

    async def hand_over(self, letter: Letter, states: "memoryview[int]", place: int) -> Answer:
        """Send one message and give the answer; marks ``states[place]`` when its end is sent.

        Raises:
            ConnectionLost: the server went away; the message was not answered.
        """
        if self._needs_utf8(letter) and "smtputf8" not in self._extensions:
            return Answer(553, "5.6.7 The mail server takes no addresses outside ASCII.")
        answer = await self._begin(letter)
        if answer.code != 354:
            self._needs_reset = True
            return answer
        self._write(letter.data)
        await self._flush()
        await self._end(states, place)
        (answer,) = await self._wait(max(self._timeout_s, _END_TIMEOUT_S))
        return answer

    async def close(self) -> None:
        """Take leave; never fails."""
        try:
            if self._lost is None:
                self._write(b"QUIT\r\n")
                await self._read(1)
        except ConnectionLost:
            pass
        finally:
            self._transport.abort()

    async def _begin(self, letter: Letter) -> Answer:
        """Say who it is from and for, and ask for the go-ahead: 354."""
        commands = self._commands(letter)
        if "pipelining" in self._extensions:
            self._write(b"".join(commands))
            answers = await self._read(len(commands))
        else:
            answers = []
            for command in commands:
                self._write(command)
                answers += await self._read(1)
                if answers[-1].code >= 400:
                    break
        for index, answer in enumerate(answers):
            if answer.code >= 400:
                if answers[-1].code == 354:
                    # Nobody is to get it, yet the server asks for a message (RFC 2920 §3.1).
                    self._write(_END)
                    await self._read(1)
                is_sender_refused = index < len(commands) - 2
                return Answer(answer.code, answer.text, is_sender_refused)
        if answers[-1].code != 354:
            raise self._lose(f"The mail server answered {answers[-1].code} to DATA.")
        return answers[-1]

    def _commands(self, letter: Letter) -> tuple[bytes, ...]:
        option = " SMTPUTF8" if self._needs_utf8(letter) else ""
        commands = (
            f"MAIL FROM:<{letter.sender}>{option}\r\n".encode(),
            f"RCPT TO:<{letter.recipient}>\r\n".encode(),
            b"DATA\r\n",
        )
        if not self._needs_reset:
            return commands
        self._needs_reset = False
        return (b"RSET\r\n", *commands)

    @staticmethod
    def _needs_utf8(letter: Letter) -> bool:
        return not (letter.recipient.isascii() and letter.sender.isascii())

    async def _end(self, states: "memoryview[int]", place: int) -> None:
        """Write the dot, marking it in the same breath; see the top of the module."""
        if self._lost is not None:
            raise self._lost
        self._expect(1)
        if self._below is not None:
            states[place] = State.HANDED_OVER
            self._transport.write(_END)
            if self._below.get_write_buffer_size():
                states[place] = State.WAITING
                await self._flush()
                states[place] = State.HANDED_OVER
            return
        descriptor, write, handed_over = self._descriptor, os.write, int(State.HANDED_OVER)
        while True:
            try:
                states[place] = handed_over
                written = write(descriptor, _END)
            except BlockingIOError:
                # The kernel is full to the brim and took nothing.
                states[place] = State.WAITING
                await asyncio.sleep(_LOOK_AGAIN_S)
                if self._lost is not None:
                    raise self._lost from None
            except OSError as error:
                states[place] = State.WAITING
                raise self._lose(f"The mail server went away: {error}.") from error
            else:
                if written < len(_END):
                    self._write(_END[written:])
                return

    async def _flush(self) -> None:
        """Wait until nothing that was written is left on our side of the kernel."""
        if self._transport.get_write_buffer_size():
            self._drained = self._loop.create_future()
            await self._timed(self._drained, self._timeout_s)
        while self._below is not None and self._below.get_write_buffer_size():
            if self._lost is not None:
                raise self._lost
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _read(self, count: int) -> list[Answer]:
        self._expect(count)
        return await self._wait(self._timeout_s)

    def _expect(self, count: int) -> None:
        self._wanted = count
        self._complete = self._loop.create_future()

    async def _wait(self, timeout_s: float) -> list[Answer]:
        await self._timed(self._complete, timeout_s)
        answers, self._answers, self._wanted = self._answers, [], 0
        return answers

    async def _timed(self, future: "asyncio.Future[None]", timeout_s: float) -> None:
        if self._lost is not None and not future.done():
            raise self._lost
        timer = self._loop.call_later(
            timeout_s, self._lose, f"The mail server did not answer for {timeout_s:g} seconds."
        )
        try:
            await future
        finally:
            timer.cancel()

    def _write(self, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        self._transport.write(data)

    def _lose(self, sentence: str) -> ConnectionLost:
        if self._lost is None:
            self._lost = ConnectionLost(sentence)
            self._transport.abort()
        for future in (self._complete, self._drained):
            if future is not None and not future.done():
                future.set_exception(self._lost)
                future.exception()  # heard, even if nobody waits for it
        return self._lost

    def data_received(self, data: bytes) -> None:
        """Read answers; `_read` hears of them once there are as many as it wants."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None:
                self._lose(f"The mail server answered {line[:100]!r}, which is not SMTP.")
                return
            self._lines.append(match[3] or b"")
            if match[2] != b"-":
                text = b" ".join(self._lines).decode("utf-8", "replace")
                self._answers.append(Answer(int(match[1]), text))
                self._lines = []
        if len(self._buffer) + sum(len(line) + 6 for line in self._lines) > _ANSWER_BYTES_MAX:
            self._lose("The mail server does not end its answer.")
        elif len(self._answers) > self._wanted:
            said = self._answers[-1]
            self._lose(f"The mail server said {said.code} {said.text[:200]} without being asked.")
        elif len(self._answers) == self._wanted and not self._complete.done():
            self._complete.set_result(None)

    def resume_writing(self) -> None:
        """Hear that everything written is with the kernel."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Hear that the server is gone."""
        reason = f": {error}" if error is not None else ""
        self._lose(f"The mail server closed the connection{reason}.")


def _below_tls(transport: asyncio.Transport) -> Any:
    """Give the transport below a TLS one, None for a plain one.

    asyncio has no public way to ask whether encrypted bytes have left the process.
    """
    if transport.get_extra_info("sslcontext") is None:
        return None
    return transport._ssl_protocol._transport  # type: ignore[attr-defined]  # noqa: SLF001
