"""A mail server for one machine: it takes everything and keeps it as files."""

import smtplib
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from aftersend.delivery import sink
from aftersend.delivery.sink import Received
from aftersend.errors import Transient

DATA = b"Subject: x\r\n\r\n.\r\n..dots\r\nHello\r\n"


def _client(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, timeout=20)


def test_messages_are_kept_as_numbered_files(tmp_path: Path) -> None:
    """Every message is a file, in the order of arrival, with its envelope in front."""
    with sink.running(tmp_path / "outbox") as port, _client(port) as client:
        client.sendmail("a@x.example", ["b@x.example", "c@x.example"], DATA)
        client.sendmail("a@x.example", ["d@x.example"], b"Subject: y\r\n\r\n")

    names = sorted(path.name for path in (tmp_path / "outbox").iterdir())
    assert ["00000001.eml", "00000002.eml"] == names
    assert (
        b"Return-Path: <a@x.example>\nX-Envelope-To: b@x.example, c@x.example\n"
        b"Subject: x\n\n.\n..dots\nHello\n"
    ) == (tmp_path / "outbox" / "00000001.eml").read_bytes()


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """Nothing is ever written over: a new sink, or a second one beside it, takes free numbers."""
    (tmp_path / "00000041.eml").write_bytes(b"mine")
    (tmp_path / "readme.txt").write_bytes(b"mine")
    with (
        sink.running(tmp_path) as first,
        sink.running(tmp_path) as second,
        _client(first) as client,
        _client(second) as other,
    ):
        client.sendmail("a@x.example", "b@x.example", DATA)
        other.sendmail("a@x.example", "c@x.example", DATA)

    names = sorted(path.name for path in tmp_path.glob("*.eml"))
    assert ["00000041.eml", "00000042.eml", "00000043.eml"] == names
    assert b"mine" == (tmp_path / "00000041.eml").read_bytes()


def test_messages_may_be_held_in_memory() -> None:
    """Instead of files, a message may go to any function, with the line ends of mail."""
    held: list[Received] = []
    with sink.running(held.append) as port, _client(port) as client:
        client.sendmail("a@x.example", "b@x.example", DATA)

    assert [Received("a@x.example", ("b@x.example",), DATA)] == held


def test_some_recipients_may_be_refused() -> None:
    """A sink can play a server that refuses somebody."""
    held: list[Received] = []

    def refuse(recipient: str) -> str | None:
        return "550 5.1.1 No such user" if recipient.startswith("bob") else None

    with sink.running(held.append, refuse=refuse) as port, _client(port) as client:
        refused = client.sendmail("a@x.example", ["ada@x.example", "bob@x.example"], DATA)

    assert {"bob@x.example": (550, b"5.1.1 No such user")} == refused
    assert [("ada@x.example",)] == [received.recipients for received in held]


@pytest.mark.parametrize(
    ("end", "count"), [(b"\r\n.\r\n", 1), (b"\r\n.\r", 0), (b"\r\n", 0), (b"", 0)]
)
def test_a_message_is_sent_once_its_end_is(end: bytes, count: int) -> None:
    """Who vanishes after the dot has sent a message, who vanishes before it has not."""
    held: list[Received] = []
    with sink.running(held.append) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        received = b""
        while b"354" not in received:
            received += client.recv(1000)
        client.sendall(b"Subject: x\r\n\r\n" + b"y" * 100_000 + end)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1000):
            pass

    assert count == len(held)


def test_an_empty_message_is_one() -> None:
    """A message without a single line is kept too."""
    held: list[Received] = []
    with sink.running(held.append) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        client.sendall(b".\r\nQUIT\r\n")
        while client.recv(1000):
            pass

    assert [b""] == [received.data for received in held]


@pytest.mark.parametrize(
    ("commands", "code"), [(b"DATA\r\n", b"503"), (b"EHLO x\r\nDATA\r\n", b"503 5.5.1")]
)
def test_a_message_for_nobody_is_refused(commands: bytes, code: bytes) -> None:
    """A message needs a greeting and a recipient first."""
    received = b""
    with (
        sink.running(lambda _: None) as port,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.sendall(commands + b"QUIT\r\n")
        while chunk := client.recv(1000):
            received += chunk

    assert code in received


def test_a_full_disk_is_told_to_who_sends() -> None:
    """A message that cannot be kept is put off, not lost."""

    def keep(_received: Received) -> None:
        raise OSError(28, "No space left on device")

    refused = pytest.raises(smtplib.SMTPDataError, match="No space left on device")
    with sink.running(keep) as port, _client(port) as client, refused as caught:
        client.sendmail("a@x.example", "b@x.example", DATA)

    assert 452 == caught.value.smtp_code


def test_a_message_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message beyond the limit is refused and never kept."""
    monkeypatch.setattr(sink._Session, "line_length_limit", 50_000)
    held: list[Received] = []
    with sink.running(held.append) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        with suppress(ConnectionError):
            client.sendall(b"y" * 200_000 + b"\r\n.\r\n")
            while client.recv(1000):
                pass

    assert [] == held


def test_a_taken_port_is_told() -> None:
    """Two sinks cannot share a port."""
    with sink.running(lambda _: None) as port:
        refused = pytest.raises(Transient, match=f"cannot listen on 127.0.0.1:{port}")
        with refused, sink.running(lambda _: None, port=port):
            pass
