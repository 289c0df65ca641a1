"""Sources of lines: a spool in a folder, and a tracking server over HTTP."""

import gzip
import zlib
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
    length: int | None = None
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
            length = len(answers.body) if answers.length is None else answers.length
            self.send_header("Content-Length", str(length))
            if length > len(answers.body):
                self.close_connection = True
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


PLACES = {"X-Stretches": f"0x0000000000000001.log@0+{len(LINES)}", "X-Last": "10x0000000000000002"}


def stream(answers: Answers) -> tuple[list[Chunk], str]:
    """Read streams from the start on; give what came, and the sentence of what went wrong."""
    chunks: list[Chunk] = []
    with (
        serving(answers) as url,
        http_source(ServerId("1"), url=url, password="secret", lines_max=0) as source,
    ):
        try:
            for chunk in source.chunks(0):
                chunks.append(chunk)
                answers.body, answers.length, answers.headers = b"", None, {}
        except (InvalidInput, Transient) as error:
            return chunks, str(error)
    return chunks, ""


def test_a_server_is_asked_for_everything_at_once() -> None:
    """A count of 0 asks for a stream; when that and a page are empty, there is nothing more."""
    answers = Answers(headers=PLACES)

    assert ([Chunk(2, LINES, "0x0000000000000001.log", 0)], "") == stream(answers)
    assert [
        ("0x0000000000000000", "0"),
        ("0x0000000000000002", "0"),
        ("0x0000000000000002", "10000"),
    ] == [(query["after"][0][1:], query["count"][0]) for _, _, query, _ in answers.asked]


def test_a_server_that_knows_no_streams_is_asked_for_pages() -> None:
    """An answer without places and without lines is no end before a page is empty too."""
    answers = Answers(body=b"", headers={})
    with (
        serving(answers) as url,
        http_source(ServerId("1"), url=url, password="secret", lines_max=0) as source,
    ):
        assert [] == list(source.chunks(0))
    assert ["0", "10000"] == [query["count"][0] for _, _, query, _ in answers.asked]


def test_a_compressed_stream_is_the_same() -> None:
    """Nobody below sees how lines have travelled."""
    answers = Answers(headers={**PLACES, "Content-Encoding": "gzip"}, body=gzip.compress(LINES, 1))

    assert ([Chunk(2, LINES, "0x0000000000000001.log", 0)], "") == stream(answers)


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("is_told", [False, True])
def test_a_stream_that_breaks_off_leaves_what_came(is_compressed: bool, is_told: bool) -> None:
    """The whole lines are kept, and the sentence says that it was not all.

    Killed: an end that comes too early and is believed.
    """
    body, headers = LINES[:40], dict(PLACES)
    if is_compressed:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH)
        headers["Content-Encoding"] = "gzip"
    answers = Answers(headers=headers, body=body, length=None if is_told else 9999)

    chunks, sentence = stream(answers)

    assert [(1, LINES[: LINES.index(b"\n") + 1])] == [(each.last, each.data) for each in chunks]
    assert "broke off" in sentence if is_told else "does not answer" in sentence


@pytest.mark.parametrize(
    "answers",
    [
        Answers(headers={**PLACES, "X-Last": ""}),
        Answers(headers={**PLACES, "X-Last": "20x0000000000000002"}),
        Answers(headers={**PLACES, "X-Stretches": "everything"}),
        Answers(headers={**PLACES, "X-Stretches": "0x0000000000000001.log@0+40"}),
        Answers(headers=PLACES, body=b"x" * len(LINES)),
    ],
    ids=["no end", "another's", "no places", "longer", "no lines"],
)
def test_a_stream_that_is_none_is_refused(answers: Answers) -> None:
    """Nothing of it is taken for lines."""
    chunks, sentence = stream(answers)

    assert [] == chunks
    assert "answers with something else than log lines" in sentence


def test_what_a_server_says_is_told() -> None:
    """Its own sentence helps more than a number; what is no sentence is left out."""
    said = b'{"error": "The registration password is missing or wrong."}'
    with pytest.raises(InvalidInput, match=r"refuses us: status 401 \(The regis.* wrong\)\."):
        ask(Answers(status=401, body=said))
    for body in (b"<html>", b"[]", b'{"error": 7}', b"[" * 5000):
        with pytest.raises(InvalidInput, match=r"refuses us: status 401\."):
            ask(Answers(status=401, body=body))
