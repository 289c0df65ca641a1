"""Requests as no browser sends them, to every address there is: byte by byte what HTTP allows."""

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from select import select

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aftersend.spool import read
from tests.support.tracking_server import (
    DELIVERY,
    NAMED,
    PASSWORD,
    SHOP,
    Tracker,
    spelled,
    tracking,
)

_PATIENCE_S = 2.0
TOKEN = spelled(SHOP)
LAST = "Connection: close\r\n"
BODY = f"GET /r/{TOKEN} HTTP/1.1\r\nHost: t\r\n\r\n"
SOURCE = "e5155671-4ab7-4bd4-8b2c-0123456789ab"
PERMIT = f"Authorization: Bearer {PASSWORD}\r\n"
PLACE = "https://shop.example/?a=1&b=2#c"

addresses = st.sampled_from(
    [
        f"/r/{TOKEN}",
        f"/r/{TOKEN}.gif",
        f"/r/{spelled(NAMED, 'a')}",
        "/r/test",
        "/r/",
        "/r",
        "/r/ping/",
        "/r/ping/0123456789abcdef",
        "/r/consent",
        "/r/consent.js",
        "/res/",
        "/res/img/logo.png",
        "/spare/res/img/logo.png",
        "/registration",
        "/metrics",
        "/health",
        "/logs",
        "/logs/acknowledge",
        "/catalogue/7",
        "/catalogue/",
    ]
)
pieces = st.sampled_from(
    [
        "id=h1,7,2", "id=h1,7,3", "id=h1,7,1", "id=", "id=hffffffffffffffff,7,2", "id=h1,7,2,",
        "p1=%0d%0aX:y", "p64=a", "p65=a", "p1=%ff", "tagid=a", "tagid=a%7Cw", "tagid=a|t|b/c",
        "tagid=", "rcpid=email=x@y.example", "rcpid=%00=%ff", "jobid=7", "jobid=ffffffffffffffff",
        "amount=1e999", "article=-1", "choice=allow", "choice=forbid", "choice=", "choice=x",
        "next=https://evil.example", "count=0", "count=00", "count=1", "server=1", "server=%00",
        "after=", "after=10x0000000000000001", "after=10xFFFFFFFFFFFFFFFF", "reader=x", "upto=",
        "upto=10x0000000000000001", "&&", "=", "%", "%zz", ";", "\u00fc", "%ed%a0%80", "a=" * 300,
    ]
)  # fmt: skip
queries = st.lists(pieces, max_size=4).map("&".join)
headers = st.lists(
    st.sampled_from(
        [
            PERMIT,
            f"Cookie: uuid230={SOURCE}; nlid={TOKEN}; nllastdelid=7\r\n",
            "Cookie: acoptout=1\r\n",
            "Cookie: nlid=" + "a" * 199 + "; nllastdelid=ffffffffffffffff\r\n",
            "X-Forwarded-For: 2001:db8::1%eth0, 1.2.3.4:99999, ::ffff:1.2.3.4\r\n",
            "X-Forwarded-For: \u00fc\r\n",
            "Origin: https://evil.example\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Accept-Encoding: gzip;q=,*;q=x\r\n",
            "If-None-Match: *\r\n",
            "Range: bytes=9-1\r\n",
            "Expect: 100-continue\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\n",
            "Upgrade: websocket\r\nConnection: upgrade\r\n",
        ]
    ),
    max_size=4,
)
bodies = st.sampled_from(["", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", "ffffffff\r\n"])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """Run one server that has all its addresses, and follows every kind of link."""
    directory = tmp_path_factory.mktemp("raw")
    (directory / "res" / "img").mkdir(parents=True)
    (directory / "res" / "img" / "logo.png").write_bytes(b"logo")
    with tracking(
        directory,
        trusted_proxies=("127.0.0.1",),
        has_legacy_links=True,
        accepts_unsigned=True,
        resource_directory=directory / "res",
        source_hits_per_minute_max=0,
    ) as tracker:
        yield tracker
        _check_spool(tracker)


def _check_spool(tracker: Tracker) -> None:
    """Every line follows the format, and a reader comes to the end."""
    tracker.get(f"/r/{TOKEN}")
    numbers = [line.number for line in tracker.lines]
    after = 0
    while chunk := read(
        tracker.config.spool_directory, after=after, lines_max=9999, bytes_max=1 << 24
    ):
        after = chunk.last

    assert numbers == list(range(1, after + 1))
    assert {line.delivery_id for line in tracker.lines if line.url_id} == {DELIVERY}


def _exchange(tracker: Tracker, raw: bytes) -> bytes:
    """Send bytes and read all that comes back; who waits for more bytes is told that none follow.

    Not at once: a client that has gone away gets no answer.
    """
    host, port = tracker.url.removeprefix("http://").split(":")
    answer = b""
    connection = socket.create_connection((host, int(port)), timeout=20)
    with closing(connection), suppress(ConnectionError):  # the server had enough of it
        connection.sendall(raw)
        if not select([connection], [], [], _PATIENCE_S)[0]:
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def _count(tracker: Tracker) -> int:
    return len(tracker.lines)


def _statuses(answer: bytes) -> list[int]:
    """List the statuses of answers that came on one connection."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def _get(target: str, *lines: str, body: str = "", method: str = "GET") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: t\r\n{''.join(lines)}\r\n"
    return (head + body).encode()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]), addresses, queries, headers, bodies
)
@example("GET", "/logs", "count=0", [PERMIT], "")
@example("HEAD", "/logs", "count=0", [PERMIT], "")
@example("GET", "/metrics", "", [PERMIT], "")
@example("PUT", "/registration", "", [PERMIT, "Content-Length: 5\r\n"], "hello")
@example("GET", "/res/img/logo.png", "", ["Range: bytes=9-1\r\n"], "")
@example("GET", "/spare/res/img/logo.png", "", [PERMIT, "If-None-Match: *\r\n"], "")
def test_no_request_to_any_address_is_a_fault(
    target: Tracker, method: str, address: str, query: str, headers: list[str], body: str
) -> None:
    """The answer is never an error of ours, and no answer carries a header of the request's."""
    raw = _get(f"{address}?{query}", "Connection: close\r\n", *headers, body=body, method=method)
    answer = _exchange(target, raw)

    assert not any(status >= 500 for status in _statuses(answer)), answer
    assert b"\r\nx:y" not in answer.lower()


@pytest.mark.parametrize("count", [1, 2, 50])
def test_pipelined_requests_are_answered_in_their_order(target: Tracker, count: int) -> None:
    """Each gets its own answer, quick ones do not overtake slow ones, each click is one line."""
    before = _count(target)
    paths = [f"/r/{TOKEN}", "/res/img/logo.png", "/r/nothing"] * count
    raws = [_get(path) for path in paths[:-1]]
    answer = _exchange(target, b"".join([*raws, _get(paths[-1], LAST)]))

    assert _statuses(answer) == [302, 200, 404] * count
    assert _count(target) == before + count


@pytest.mark.parametrize(
    ("raw", "statuses", "clicks"),
    [
        # A body that looks like a request is a body.
        (
            _get("/r/test", LAST, f"Content-Length: {len(BODY)}\r\n", body=BODY),
            {(200,)},
            0,
        ),
        (
            _get("/r/test", "Transfer-Encoding: chunked\r\n", body="5\r\nGET /\r\n0\r\n\r\n")
            + _get(f"/r/{TOKEN}", LAST),
            {(200, 302), (200,), (200, 400)},
            1,
        ),
        # Two lengths, or a length and chunks, are how requests are smuggled past proxies.
        (
            _get(f"/r/{TOKEN}", "Content-Length: 5\r\nContent-Length: 6\r\n", body="hello"),
            {(400,)},
            0,
        ),
        (_get(f"/r/{TOKEN}", "Content-Length: 5, 6\r\n", body="hello"), {(400,)}, 0),
        (_get(f"/r/{TOKEN}", "Content-Length: -1\r\n"), {(400,)}, 0),
        (_get(f"/r/{TOKEN}", "Content-Length: +5\r\n", body="hello"), {(400,)}, 0),
        (_get(f"/r/{TOKEN}", "Transfer-Encoding: x\r\n", body="hello"), {(400,)}, 0),
        (_get(f"/r/{TOKEN}", "Transfer-Encoding : chunked\r\n"), {(400,)}, 0),
        # Forms of an address that proxies are told.
        (_get(f"http://else.example/r/{TOKEN}", LAST), {(302,)}, 1),
        (_get("*", LAST, method="OPTIONS"), {(404,), (405,), (400,)}, 0),
        (_get("else.example:443", LAST, method="CONNECT"), {(404,), (405,), (400,)}, 0),
        (_get(f"r/{TOKEN}", LAST), {(400,)}, 0),
        (_get(f"//r/{TOKEN}", LAST), {(404,)}, 0),
        (_get(f"/r/{TOKEN}#x", LAST), {(302,), (400,)}, 1),
        (_get(f"/r/{TOKEN}", "Expect: 100-continue\r\n", LAST), {(302,)}, 1),
        (f"GET /r/{TOKEN}\r\n\r\n".encode(), {(), (400,)}, 0),
        (f"GET /r/{TOKEN} HTTP/1.0\r\n\r\n".encode(), {(302,), ()}, 1),
        (f"GET /r/{TOKEN} HTTP/2.0\r\n\r\n".encode(), {(400,), ()}, 0),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {(400,), ()}, 0),
    ],
)
def test_odd_requests_mean_one_thing(
    target: Tracker, raw: bytes, statuses: set[tuple[int, ...]], clicks: int
) -> None:
    """What may be understood in two ways is refused; nothing in a body is a request."""
    before = _count(target)
    answer = _exchange(target, raw)

    assert (tuple(_statuses(answer)) in statuses, _count(target) - before) == (True, clicks), answer


def test_no_query_is_a_way_out(tmp_path: Path) -> None:
    """Banners are answered with a pixel, whatever place is named; nothing there redirects."""
    with tracking(tmp_path) as tracker:
        for query in ("choice=allow", "choice=forbid", "choice=x", ""):
            answer = tracker.get(f"/r/consent?{query}&next=https://evil.example&url=//evil.example")

            assert answer.status_code in (200, 404)
            assert "location" not in answer.headers
