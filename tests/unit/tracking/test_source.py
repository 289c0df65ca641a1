"""Sources of lines: a spool in a folder, and a tracking server over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from aftersend import spool
from aftersend.errors import Corruption, InvalidInput, Transient
from aftersend.model.ids import ServerId
from aftersend.tracking.source import Chunk, LocalSource, http_source
from tests.support.spooling import AT, SERVER, hit, opened

LINES = b"10x0000000000000001\tfirst\n10x0000000000000002\tsecond\n"
HEADERS = {
    "X-Segment": "0x0000000000000001.log",
    "X-Offset": "40",
    "X-Last": "10x0000000000000002",
}


@dataclass(slots=True)
class Answers:
    """What a tracking server answers, and what it was asked."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    body: bytes = LINES
    asked: list[tuple[str, str, dict[str, list[str]], str | None]] = field(default_factory=list)


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """Answer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            password = self.headers["Authorization"]
            answers.asked.append((self.command, parts.path, parse_qs(parts.query), password))
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body)

        do_POST = do_GET  # noqa: N815 - the name the library calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(answers: Answers, *, after: int = 0) -> Chunk | None:
    """Ask a server for lines."""
    with (
        serving(answers) as url,
        http_source(ServerId("1"), url=url, password="secret", lines_max=500) as source,
    ):
        return source.read(after)


def test_a_server_is_asked_for_what_follows_a_line() -> None:
    """The question carries the log id, the count and the password; the answer is taken apart."""
    answers = Answers()

    chunk = ask(answers, after=1)

    query = {"after": ["10x0000000000000001"], "count": ["500"]}
    assert [("GET", "/logs", query, "Bearer secret")] == answers.asked
    assert Chunk(2, LINES, "0x0000000000000001.log", 40) == chunk


def test_a_server_is_told_what_is_ours_for_good() -> None:
    """An acknowledgement names the reader and the last log id."""
    answers = Answers(status=204, body=b"")
    with (
        serving(answers) as url,
        http_source(ServerId("1"), url=url, password="secret", lines_max=5) as source,
    ):
        source.acknowledge(255)

    query = {"reader": ["tracking"], "upto": ["10x00000000000000FF"]}
    assert [("POST", "/logs/acknowledge", query, "Bearer secret")] == answers.asked


def test_an_empty_answer_means_no_lines_yet() -> None:
    """Nothing new is no chunk."""
    assert ask(Answers(status=204, body=b"")) is None
    assert ask(Answers(body=b"")) is None


@pytest.mark.parametrize(
    "answers",
    [
        Answers(status=401),
        Answers(status=404),
        Answers(headers={}),
        Answers(headers={**HEADERS, "X-Last": "10x0000000000000000"}),
        Answers(headers={**HEADERS, "X-Last": "2"}),
        Answers(headers={**HEADERS, "X-Last": "20x0000000000000002"}),
        Answers(headers={**HEADERS, "X-Offset": "-1"}),
        Answers(headers={**HEADERS, "X-Segment": "../passwords"}),
        Answers(body=b"<html>"),
        Answers(body=b"x" * 500 * 16_384 + b"\n"),
    ],
    ids=lambda answers: f"{answers.status} {len(answers.headers)} {len(answers.body)}",
)
def test_an_answer_that_is_none_is_refused(answers: Answers) -> None:
    """A wrong password, another program, lines without a place, or too much of them."""
    with pytest.raises(InvalidInput, match="Tracking server 1 at http"):
        ask(answers)


def test_a_server_out_of_order_is_tried_again_later() -> None:
    """Trouble of the server, and no server at all, pass."""
    with pytest.raises(Transient, match="status 503"):
        ask(Answers(status=503))
    with (
        http_source(
            ServerId("1"), url="http://127.0.0.1:1", password="secret", lines_max=5
        ) as source,
        pytest.raises(Transient, match="does not answer"),
    ):
        source.read(0)


def test_a_spool_is_read_on_and_acknowledged(tmp_path: Path) -> None:
    """Lines of a real spool come in their order; what was acknowledged is known to it."""
    writer = opened(tmp_path)
    for message in (1, 2, 3):
        writer.append(AT, hit(message))
    source = LocalSource(SERVER, tmp_path, lines_max=2)

    first = source.read(0)
    assert first is not None
    second = source.read(first.last)
    assert second is not None
    source.acknowledge(second.last)

    assert (2, 3, 0, len(first.data)) == (first.last, second.last, first.offset, second.offset)
    assert source.read(second.last) is None
    assert {"tracking": 3} == spool.acknowledged(tmp_path)
    writer.close()


def test_a_spool_that_was_replaced_is_no_spool_without_news(tmp_path: Path) -> None:
    """A pointer behind the last line of a spool is a contradiction, not silence."""
    with pytest.raises(Corruption):
        LocalSource(SERVER, tmp_path, lines_max=2).read(5)
