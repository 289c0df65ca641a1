"""A mail server for one machine: it takes everything and keeps it as files.

Nothing leaves the machine. What is kept are the bytes that arrived, with line ends of this machine
and two lines in front that a mail server adds on delivery: `Return-Path` and `X-Envelope-To`, the
address of the envelope, which the message itself need not name.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from aftersend.errors import Transient

__all__ = ["MESSAGE_BYTES_MAX", "Keep", "Received", "Refuse", "running"]

MESSAGE_BYTES_MAX: Final = 32 * 1024 * 1024
_NAME: Final = re.compile(r"(\d{8,})\.eml")
_END: Final = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came in; `data` has the line ends of mail."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


Keep = Callable[[Received], object]
Refuse = Callable[[str], str | None]
"""Gives the answer to a recipient who is to be refused, such as ``550 5.1.1 No such user``."""


@contextmanager
def running(
    outbox: Path | Keep,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    refuse: Refuse = lambda _recipient: None,
) -> Iterator[int]:
    """Take mail while the block runs; give the port, chosen freely when `port` is 0.

    `outbox` is the folder of numbered ``.eml`` files, in the order of arrival, or what to do with
    each message instead; it is called in a thread of the sink.

    Raises:
        Transient: the port is taken.
    """
    keep = _folder(outbox) if isinstance(outbox, Path) else outbox
    loop = asyncio.new_event_loop()

    def session() -> _Session:
        return _Session(_Handler(keep, refuse), loop=loop)

    try:
        server = loop.run_until_complete(loop.create_server(session, host, port))
    except OSError as error:
        loop.close()
        raise Transient(f"The mail sink cannot listen on {host}:{port}: {error}.") from error
    thread = Thread(target=loop.run_forever, name="mail-sink", daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # lets closed connections say so


def _folder(directory: Path) -> Keep:
    directory.mkdir(parents=True, exist_ok=True)
    numbers = [int(match[1]) for path in directory.iterdir() if (match := _NAME.match(path.name))]
    last = max(numbers, default=0)

    def keep(received: Received) -> None:
        nonlocal last
        descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".new")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_as_file(received))
            last = _link(temporary, directory, last + 1)
        finally:
            Path(temporary).unlink()

    return keep


def _link(temporary: str, directory: Path, number: int) -> int:
    """Give a finished file the first free number; a link never takes the place of another file."""
    while True:
        try:
            os.link(temporary, directory / f"{number:08}.eml")
        except FileExistsError:
            number += 1
        else:
            return number


def _as_file(received: Received) -> bytes:
    head = f"Return-Path: <{received.sender}>\nX-Envelope-To: {', '.join(received.recipients)}\n"
    return head.encode() + received.data.replace(b"\r\n", b"\n")


class _Handler:
    """What aiosmtpd asks on the way of a message."""

    def __init__(self, keep: Keep, refuse: Refuse) -> None:
        self._keep = keep
        self._refuse = refuse

    async def handle_EHLO(  # noqa: N802 - the name is aiosmtpd's
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Say that commands may come in one go; the session reads from a buffer."""
        del server, envelope
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient or say why not."""
        del server, session, options
        answer = self._refuse(address)
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a message before it is answered, without giving way to anything in between.

        Whoever hands over the end of a message and vanishes has sent it.
        """
        del server, session
        content: Any = envelope.content
        try:
            self._keep(Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), bytes(content)))
        except OSError as error:
            return f"452 4.3.1 The outbox cannot take it: {error.strerror}"
        return "250 2.0.0 Kept"


class _Session(SMTP):
    """aiosmtpd's session, reading a message in one go instead of line by line."""

    line_length_limit = MESSAGE_BYTES_MAX

    def __init__(self, handler: _Handler, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            handler,
            hostname="sink.localhost",
            loop=loop,
            enable_SMTPUTF8=True,
            data_size_limit=MESSAGE_BYTES_MAX,
        )

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if await self.check_helo_needed():
            return
        envelope, transport = self.envelope, self.transport
        assert envelope is not None, "there is one from the first line on"
        assert transport is not None, "somebody is talking"
        if arg or not envelope.rcpt_tos:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 Who is it for?")
            return
        await self.push("354 End with a line that is a dot")
        data = await self._reader.readexactly(3)
        if data != b".\r\n":
            try:
                data += await self._reader.readuntil(_END)
            except asyncio.LimitOverrunError:
                await self.push("552 5.3.4 The message is too large")
                transport.close()
                return
        # What begins with a dot was sent with two (RFC 5321 §4.5.2).
        envelope.content = (b"\r\n" + data[:-3]).replace(b"\r\n..", b"\r\n.")[2:]
        answer = await self._call_handler_hook("DATA")
        self.envelope = self._create_envelope()
        await self.push(answer)
