"""Nothing that a request holds ends a line of the spool, or a header of its answer."""

import socket
from pathlib import Path

import pytest

from tests.support.tracking_server import SHOP, Tracker, spelled, tracking

SOURCE = "e5155671-4ab7-4bd4-8b2c-0123456789ab"


@pytest.mark.parametrize("name", ["User-Agent", "X-Forwarded-For", "Cookie", "Host", "Referer"])
@pytest.mark.parametrize(
    "value", [b"a\tb", b"a\x0bb", b"a\x0cb", b"a\x85b", b"a\\nb", b"\xe2\x80\xa8"]
)
def test_no_header_breaks_a_line(tmp_path: Path, name: str, value: bytes) -> None:
    """However a client names itself, its hit is one line of eleven fields, or is refused."""
    with tracking(tmp_path, trusted_proxies=("127.0.0.1",)) as tracker:
        status = _raw_click(tracker, f"/r/{spelled(SHOP)}", name.encode() + b": " + value)
        raws = [path.read_bytes() for path in tracker.config.spool_directory.glob("*.log")]

        assert (status, [raw.count(b"\t") for raw in raws]) in [(302, [10]), (400, [0])]
        assert [raw.count(b"\n") for raw in raws] == [int(status == 302)]
        assert all(raw.isascii() for raw in raws)


@pytest.mark.parametrize(
    "path",
    [
        f"/r/{spelled(SHOP)}%0d%0aX-Evil:%20yes",
        f"/r/{spelled(SHOP)}%0a%09",
        f"/r/{spelled(SHOP)}=%0d%0aX-Evil:%20yes",
        "/r/?id=h1%0a,7,3&p1=%0d%0aX-Evil:%20yes",
        "/r/?id=h1,7,3&p1=%0d%0aX-Evil:%20yes%09",
        "/r/x?tagid=%0d%0a%09a&rcpid=%0a=b",
    ],
)
def test_no_address_breaks_a_line_or_an_answer(tmp_path: Path, path: str) -> None:
    """Line feeds and tabs in it end neither a line of the spool nor a header."""
    with tracking(tmp_path, has_legacy_links=True, accepts_unsigned=True) as tracker:
        answer = tracker.get(path, cookie=f"uuid230={SOURCE}; nlid={spelled(SHOP)}")
        raw = b"".join(each.read_bytes() for each in tracker.config.spool_directory.glob("*.log"))

        assert "x-evil" not in answer.headers
        assert "\n" not in answer.headers.get("location", "")
        assert raw.count(b"\t") == 10 * raw.count(b"\n") == 10 * len(tracker.lines)


def _raw_click(tracker: Tracker, path: str, header: bytes) -> int:
    """Send a header that no HTTP client would send; give the status."""
    host, port = tracker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        lines = [f"GET {path} HTTP/1.1".encode(), b"Connection: close", header, b"", b""]
        connection.sendall(b"\r\n".join(lines))
        return int(connection.makefile("rb").read().split(b" ")[1])
