"""Clients that are slow, send too much, or never end: a real process, cut where it must be."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from aftersend.collector.worker import Patience
from aftersend.model.ids import DeliveryId
from tests.support.effort import some
from tests.support.lingering import Lingering, lingering, read_to_end
from tests.support.running import comes_true
from tests.support.spooling import stored_lines
from tests.support.tracking_server import SHOP, spelled

pytestmark = pytest.mark.heavy

REQUEST = b"GET /r/test HTTP/1.1\r\nHost: t.example\r\n"
END = b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lingering]:
    """Run one server for all tests that leave it as it was: the head of a request has a second."""
    with lingering(tmp_path_factory.mktemp("lingering"), Patience(head_seconds_max=1)) as each:
        yield each


def _open_files(server: Lingering) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", b""),
        (b"GET /r/x HTTP/1.1\r\nHost: t.exam", b""),
        (REQUEST + b"\r\n", b"HTTP/1.1 200 OK"),
    ],
)
def test_who_does_not_go_on_is_cut(impatient: Lingering, sent: bytes, expected: bytes) -> None:
    """Without a word, in the middle of a head, and idle after an answer."""
    assert impatient.ask(sent).partition(b"\r\n")[0] == expected


def test_who_sends_a_little_now_and_then_is_cut_too(impatient: Lingering) -> None:
    """The time is that of the whole head, so that drops of bytes do not buy more of it."""
    pause = threading.Event()
    drops = 0
    with impatient.open(REQUEST) as connection, suppress(ConnectionError):
        while drops < 200:
            connection.sendall(b"X-%d: y\r\n" % drops)
            drops += 1
            pause.wait(0.05)

    assert 5 < drops < 100


@pytest.mark.parametrize(
    "head",
    [b"X: " + b"a" * 128 * 1024 + b"\r\n", b"".join(b"X-%d: a\r\n" % n for n in range(101))],
)
def test_a_head_that_is_too_large_is_refused(impatient: Lingering, head: bytes) -> None:
    """Too many bytes or too many lines: the answer says so, and the connection is closed."""
    assert impatient.ask(REQUEST + head + END).startswith(b"HTTP/1.1 431 ")


def test_a_head_of_usual_size_is_served(impatient: Lingering) -> None:
    """Cookies of other applications on the same domain may be large."""
    head = b"Cookie: a=" + b"a" * 60 * 1024 + b"\r\n"

    assert impatient.ask(REQUEST + head + END).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("length", [5, 100_000_000])
def test_a_body_where_none_belongs_is_not_waited_for(impatient: Lingering, length: int) -> None:
    """The answer leaves at once; what was announced and did not come ends the connection."""
    request = REQUEST + b"Content-Length: %d\r\n\r\n" % length

    assert impatient.ask(request).startswith(b"HTTP/1.1 200 ")


def test_a_large_upload_without_the_password_is_refused_unread(impatient: Lingering) -> None:
    """The refusal comes before the first byte of 10 MB, and nobody takes them."""
    request = b"PUT /catalogue/7 HTTP/1.1\r\nHost: t.example\r\nContent-Length: 10000000\r\n\r\n"
    sent = 0
    with impatient.open(request) as connection:
        answer = read_to_end(connection)
        with suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"a" * 100_000)
                sent += 1

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert sent < 100


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /r/\xff\xfe HTTP/1.1\r\nHost: t.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 1000,
    ],
)
def test_noise_is_no_matter(impatient: Lingering, noise: bytes) -> None:
    """It gets a refusal or nothing at all, and the next one is served."""
    answer = impatient.ask(noise)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert impatient.ask(REQUEST + END).startswith(b"HTTP/1.1 200 ")


def test_cut_connections_leave_nothing_open(impatient: Lingering) -> None:
    """A thousand that never say a word are gone after their second."""
    before = _open_files(impatient)
    held = [impatient.open() for _ in range(1000)]
    assert impatient.ask(REQUEST + END).startswith(b"HTTP/1.1 200 ")
    during = _open_files(impatient)
    for connection in held:
        with closing(connection):
            assert read_to_end(connection) == b""
    assert impatient.ask(REQUEST + END).startswith(b"HTTP/1.1 200 ")

    assert during > before + 500
    assert _open_files(impatient) < before + 50


def test_connections_are_bounded(tmp_path: Path) -> None:
    """Who comes when all are taken waits in the queue of the port, and is served when one ends."""
    with lingering(tmp_path, Patience(head_seconds_max=2, connections_max=20)) as server:
        before = _open_files(server)
        held = [server.open() for _ in range(60)]
        answer = server.ask(REQUEST + END)
        during = _open_files(server)
        for connection in held:
            connection.close()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert during <= before + 20 + 5


@pytest.mark.parametrize("fsync_interval_ms", some([0, 60_000]))
def test_the_end_loses_nothing_that_was_answered(tmp_path: Path, fsync_interval_ms: int) -> None:
    """SIGTERM among clicks and slow clients: who was answered has a line; the log says who was cut.

    No sync happens before the end where there is a minute between two of them.
    """
    answered: list[int] = []
    with lingering(tmp_path, fsync_interval_ms=fsync_interval_ms) as server:
        held = [server.open(REQUEST[:count]) for count in range(0, 20, 2)]
        clickers = [
            threading.Thread(target=_click_on, args=(server.config.port, first, answered))
            for first in (1_000_000, 2_000_000, 3_000_000)
        ]
        for clicker in clickers:
            clicker.start()
        assert comes_true(lambda: len(answered) > 300, 60)
        status, logs = server.stop()
        for clicker in clickers:
            clicker.join()
        for connection in held:
            connection.close()
        lines = stored_lines(server.config.spool_directory)

    stored = [line.message_id for line in lines]
    assert status == 0
    assert sorted(set(answered) - set(stored)) == []
    assert len(stored) == len(set(stored))
    assert '"event": "connections were cut"' in logs
    assert all(line.delivery_id == DeliveryId(7) for line in lines)


def _click_on(port: int, message_id: int, answered: list[int]) -> None:
    """Click until the server is gone; note who was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        while True:
            message_id += 1
            connection.request("GET", f"/r/{spelled(SHOP, message_id=message_id)}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 302
            answered.append(message_id)
