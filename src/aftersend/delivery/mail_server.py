"""Connections to the mail server that takes our messages."""

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import Final

import aiosmtplib

from aftersend.delivery.conversation import Conversation
from aftersend.errors import InvalidSettings, Transient

__all__ = ["MailServer", "connect"]

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where messages are handed over.

    `is_starttls` None means: when the server offers it. `name` is what we call ourselves, None this
    machine's name. What the server puts off is tried again after `pause_s`.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    is_tls: bool = False
    is_starttls: bool | None = None
    connections: int = 4
    timeout_s: float = 60.0
    pause_s: float = 2.0
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def connect(server: MailServer) -> Conversation:
    """Open a connection, secure it and log in.

    Raises:
        Transient: the server does not answer, or not now.
        InvalidSettings: it refuses the log-in, or has none of what the settings ask for.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        local_hostname=server.name or _own_name(),
        timeout=server.timeout_s,
        use_tls=server.is_tls,
        start_tls=False if server.is_tls else server.is_starttls,
    )
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await _greet(client)
    except aiosmtplib.SMTPAuthenticationError as error:
        raise InvalidSettings(
            f"The mail server {server} refuses the log-in of {server.user}: {error.message}"
        ) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        client.close()
        # The bare class says that the server lacks what the settings ask for.
        if type(error) in (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported):
            raise InvalidSettings(f"The mail server {server} cannot be used: {error}") from error
        raise Transient(f"The mail server {server} does not take mail now: {error}") from error
    transport = client.transport
    assert isinstance(transport, asyncio.Transport), "a connected client has a transport"
    return Conversation(
        transport,
        extensions=frozenset(client.esmtp_extensions),
        timeout_s=server.timeout_s,
    )


def _own_name() -> str:
    # Not the fully qualified one: asking for it may take as long as a name server that is down.
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "localhost"


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()
