"""Connections to the mail server that takes our messages."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from aftersend.delivery.conversation import Letter
from aftersend.delivery.ledger import State
from aftersend.delivery.mail_server import MailServer, connect
from aftersend.errors import InvalidSettings, Transient
from tests.support.smtp_server import ScriptedServer, running

LETTER = Letter("news@shop.example", "ada@example.com", b"Subject: x\r\n\r\n" + b"y\r\n" * 50_000)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a certificate for localhost that signed itself; its key stands beside it."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return directory / "certificate.pem"


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Give a server's context that our side trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


class _Mailbox:
    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def handle_DATA(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.kept.append(envelope.content)
        return "250 OK"


def _check_login(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
) -> AuthResult:
    is_right = data == LoginPassword(b"ada", b"secret")
    return AuthResult(success=is_right, handled=False)


def _send(server: MailServer) -> int:
    """Hand one letter over and give the state it was marked with."""
    states = memoryview(bytearray(1))

    async def main() -> None:
        conversation = await connect(server)
        assert (await conversation.hand_over(LETTER, states, 0)).is_accepted
        await conversation.close()

    asyncio.run(main())
    return states[0]


def _serve(session: Callable[[asyncio.AbstractEventLoop], SMTP], to: Callable[[int], None]) -> None:
    """Run aiosmtpd in a thread of its own while `to` is called with its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: session(loop), "127.0.0.1", 0))
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        to(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_a_connection_is_made_secure_from_the_start(tls: ssl.SSLContext) -> None:
    """With `is_tls` everything is encrypted; the end of a message is marked all the same.

    This also pins what we use of asyncio below TLS.
    """
    server = ScriptedServer()
    states = memoryview(bytearray(1))

    async def main() -> None:
        async with running(server, tls=tls):
            conversation = await connect(MailServer("localhost", server.port, is_tls=True))
            assert conversation._below is not None
            assert conversation._below is not conversation._transport
            assert (await conversation.hand_over(LETTER, states, 0)).is_accepted
            await conversation.close()

    asyncio.run(main())

    assert State.HANDED_OVER == states[0]
    assert [LETTER.data] == [each.data for each in server.taken]


def test_bytes_that_stay_below_tls_take_the_mark_back(tls: ssl.SSLContext) -> None:
    """A message counts as handed over only once its encrypted end is with the kernel, too."""

    class Below:
        """A transport that keeps what it gets for a while."""

        def __init__(self) -> None:
            self.sizes = [0, 7, 7, 0]
            self.marks: list[int] = []

        def get_write_buffer_size(self) -> int:
            self.marks.append(states[0])
            return self.sizes.pop(0)

    states = memoryview(bytearray(1))
    below = Below()
    server = ScriptedServer()

    async def main() -> None:
        async with running(server, tls=tls):
            conversation = await connect(MailServer("localhost", server.port, is_tls=True))
            conversation._below = below
            small = Letter("news@shop.example", "ada@example.com", b"Subject: x\r\n\r\n")
            assert (await conversation.hand_over(small, states, 0)).is_accepted
            await conversation.close()

    asyncio.run(main())

    # Flushed; the dot stays behind, so the mark is taken back until it has gone.
    assert [State.WAITING, State.HANDED_OVER, State.WAITING, State.WAITING] == below.marks
    assert State.HANDED_OVER == states[0]


@pytest.mark.parametrize("is_starttls", [None, True])
def test_starttls_and_a_log_in(tls: ssl.SSLContext, is_starttls: bool | None) -> None:
    """A connection is upgraded where the server offers it, and then logs in."""
    mailbox = _Mailbox()

    def session(loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            mailbox,
            hostname="localhost",
            tls_context=tls,
            auth_required=True,
            authenticator=_check_login,
            loop=loop,
        )

    def send(port: int) -> None:
        server = MailServer("localhost", port, "ada", "secret", is_starttls=is_starttls)
        assert State.HANDED_OVER == _send(server)

    _serve(session, send)

    assert [LETTER.data] == mailbox.kept


def test_a_wrong_password_is_told(tls: ssl.SSLContext) -> None:
    """A refused log-in is a matter of settings, not of time."""

    def session(loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            _Mailbox(),
            hostname="localhost",
            tls_context=tls,
            authenticator=_check_login,
            loop=loop,
        )

    def send(port: int) -> None:
        with pytest.raises(InvalidSettings, match=r"refuses the log-in of ada"):
            _send(MailServer("localhost", port, "ada", "wrong"))

    _serve(session, send)


def test_an_untrusted_certificate_is_refused(certificate: Path) -> None:
    """A server that cannot prove who it is gets nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = ScriptedServer()

    async def main() -> None:
        async with running(server, tls=context):
            with pytest.raises(Transient, match="certificate verify failed"):
                await connect(MailServer("localhost", server.port, is_tls=True))

    asyncio.run(main())

    assert [] == server.lines


def test_wanted_starttls_that_is_not_offered_is_told() -> None:
    """Where the settings ask for encryption, nothing goes without it."""
    server = ScriptedServer()

    async def main() -> None:
        async with running(server):
            with pytest.raises(InvalidSettings, match="STARTTLS"):
                await connect(MailServer("127.0.0.1", server.port, is_starttls=True))

    asyncio.run(main())


@pytest.mark.parametrize("greeting", ["421 Too busy", "554 Go away"])
def test_a_server_that_greets_with_a_refusal_is_for_later(greeting: str) -> None:
    """A server that does not want to talk now may want to later."""
    server = ScriptedServer(greeting=greeting)

    async def main() -> None:
        async with running(server):
            with pytest.raises(Transient, match="does not take mail now"):
                await connect(MailServer("127.0.0.1", server.port))

    asyncio.run(main())


def test_no_server_is_for_later() -> None:
    """A port where nobody listens is told with host and port."""

    async def main() -> None:
        with pytest.raises(Transient, match=r"127\.0\.0\.1:9 does not take mail now"):
            await connect(MailServer("127.0.0.1", 9))

    asyncio.run(main())


def test_an_old_server_is_greeted_the_old_way() -> None:
    """A server that knows no EHLO is told HELO, and nothing is expected of it."""
    answers = {"EHLO": "502 What?", "HELO": "250 old"}
    server = ScriptedServer(answer=lambda verb, _line: answers.get(verb))
    states = memoryview(bytearray(1))

    async def main() -> None:
        async with running(server):
            to = MailServer("127.0.0.1", server.port, is_starttls=False, name="localhost")
            conversation = await connect(to)
            assert (await conversation.hand_over(LETTER, states, 0)).is_accepted
            await conversation.close()

    asyncio.run(main())

    assert ["EHLO localhost", "HELO localhost"] == server.lines[:2]
