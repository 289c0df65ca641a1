"""Whatever bytes come in, the server answers within bounds and goes on."""

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.tracking_server import DELIVERY, PASSWORD, SHOP, Tracker, spelled, tracking

pathish = st.one_of(
    st.binary(max_size=80),
    st.text("/r.gifpn%27abcdef234567=&?#", max_size=80).map(str.encode),
    st.sampled_from(
        [
            "logs",
            "logs?after=&count=1",
            "logs?x",
            "logs/acknowledge",
            "catalogue/7",
            "r/test",
            "health",
            f"r/{spelled(SHOP)}",
        ]
    ).map(str.encode),
)
PERMIT = (b"Authorization", f"Bearer {PASSWORD}".encode())
header = st.just(PERMIT) | st.tuples(
    st.sampled_from([b"Cookie", b"User-Agent", b"X-Forwarded-For", b"Host", b"Authorization", b"X"])
    | st.binary(max_size=10),
    st.binary(max_size=60)
    | st.sampled_from(
        [b"uuid230=" + b"a" * 36, b"acoptout=1", b"1.1.1.1, ::1", b"Bearer x", b"\xff\xfe", b"\t"]
    ),
)
method = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"", b"G\x00T", b"OPTIONS"])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """Run one server for all of them: none may harm the next.

    In the end the spool holds lines that follow the format, and nothing else.
    """
    with tracking(tmp_path_factory.mktemp("hostile"), trusted_proxies=("127.0.0.1",)) as tracker:
        yield tracker
        tracker.get(f"/r/{spelled(SHOP)}")

        assert {line.delivery_id for line in tracker.lines} == {DELIVERY}


def _exchange(tracker: Tracker, raw: bytes, *, is_all: bool = False) -> bytes:
    """Send bytes and read all that comes back; `is_all` tells the server that no more follow."""
    address = tracker.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((address[0], int(address[1])), timeout=20)) as connection:
        answer = b""
        with suppress(ConnectionError):  # the server had enough of it
            connection.sendall(raw)
            if is_all:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                answer += piece
    return answer


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method, pathish, st.lists(header, max_size=4))
@example(b"GET", b"r/" + b"\xff" * 60, [])
@example(b"GET", b"r/" + b"a" * 9000 + b".gif", [])
@example(b"GET", f"r/{spelled(SHOP)}".encode(), [(b"Cookie", b"\xff" * 30)])
@example(b"GET", f"r/{spelled(SHOP)}".encode(), [(b"User-Agent", b"a\x80\t\xff")])
@example(b"GET", f"r/{spelled(SHOP)}".encode(), [(b"User-Agent", b"a\tb"), (b"Cookie", b"a\tb")])
@example(b"GET", b"logs?after=%00&count=%ff", [(b"Authorization", b"Bearer \xff")])
@example(b"GET", b"logs?&%=;", [PERMIT])
@example(b"POST", b"logs/acknowledge?reader=%2e%2e%2f&upto=%00", [PERMIT])
@example(b"PUT", b"catalogue/%00", [PERMIT])
@example(b"PUT", b"catalogue/7", [(b"Content-Length", b"99999999999999999999")])
@example(b"GET", b"r%252F%25", [(b"X-Forwarded-For", b"," * 60)])
def test_no_request_breaks_the_server(
    target: Tracker, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """The answer, if the bytes were HTTP at all, is never an error of ours.

    Killed: a query parser that may raise.
    """
    lines = [method + b" /" + path + b" HTTP/1.1", b"Host: t", b"Connection: close"]
    raw = b"\r\n".join([*lines, *(name + b": " + value for name, value in headers)]) + b"\r\n\r\n"
    answer = _exchange(target, raw)

    assert answer.startswith(b"HTTP/1.")
    assert not answer.partition(b" ")[2].startswith(b"5")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_bytes_break_the_server(target: Tracker, raw: bytes) -> None:
    """What is no HTTP is refused or dropped, and the next one is served."""
    answer = _exchange(target, raw, is_all=True)

    assert not answer.partition(b" ")[2].startswith(b"5")
    assert target.get("/r/test").status_code == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /r/" + b"a" * 60_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /r/" + b"a" * 66_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /r/x HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"431"),
        (b"GET /r/x HTTP/1.1\r\nA: " + b"b" * 200_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_too_large_is_refused(target: Tracker, raw: bytes, status: bytes) -> None:
    """Path, headers and their number have limits."""
    answer = _exchange(target, raw)

    assert answer == b"" or answer.split(b" ")[1] == status  # a reset may overtake the refusal
