"""Whatever is asked of the addresses beside the clicks, there is an answer, and none is a fault."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.model import catalogue
from aftersend.model.ids import ServerId
from tests.support.tracking_server import (
    PASSWORD,
    SHOP,
    Tracker,
    made_catalogue,
    spelled,
    tracking,
)

RAW = catalogue.encode(made_catalogue())
LOG_IDS = ["10x0000000000000001", "20x0000000000000000", "10xFFFFFFFFFFFFFFFF", "B0x1", "1", "\0"]
NUMBERS = ["0", "1", "30", "10000", "10001", "-1", "1e3", "9" * 30, "٣", "0x10", "", " 1"]
GUARDED = ("/logs", "/logs/acknowledge", "/registration")

names = st.sampled_from(["after", "server", "count", "reader", "upto", "x", "", "a&b", "\0"])
values = st.sampled_from([*LOG_IDS, *NUMBERS, "2", "tracking", "../x", "%", "a" * 300]) | st.text(
    max_size=12
)
queries = st.lists(st.tuples(names, values), max_size=4)
pieces = st.sampled_from(["..", ".", "", "%2e", "a.png", "img", "\\", "\0", "7", "7.json", "ü"])
paths = st.one_of(
    st.sampled_from(["/logs", "/logs/acknowledge", "/registration", "/health", "/metrics"]),
    (st.sampled_from(NUMBERS) | st.integers().map(str) | st.text(max_size=8)).map(
        lambda text: f"/catalogue/{quote(text, safe='/%', errors='replace')}"
    ),
    st.tuples(
        st.sampled_from(["/res/", "/spare/res/", "/catalogue/", "/logs/"]),
        st.lists(pieces | st.text(max_size=6), max_size=4),
    ).map(lambda parts: parts[0] + quote("/".join(parts[1]), safe="/%.", errors="replace")),
)
headers = st.dictionaries(
    st.sampled_from(
        [
            "Accept-Encoding",
            "If-None-Match",
            "If-Modified-Since",
            "Content-Type",
            "X-Forwarded-For",
            "Range",
            "Cookie",
        ]
    ),
    st.sampled_from(["gzip", "gzip;q=x", ",,;=", "*", '"', "Tue, 99 Foo 2023", "bytes=0-", "é"])
    | st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20
    ),
    max_size=3,
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["format", "delivery", "published", "expires", "urls", "1", "to", "type", "instance",
             "application", "force"]
        )
        | st.text(max_size=4),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
bodies = (
    st.just(b"")
    | st.binary(max_size=60)
    | documents.map(lambda document: json.dumps(document).encode())
    | st.just(RAW)
    | st.integers(0, len(RAW)).map(lambda at: RAW[:at])
    | st.fixed_dictionaries(
        {
            "instance": st.sampled_from(["aftersend", "other", "", 7]),
            "application": st.sampled_from(["0" * 32, "1" * 32, "x", None]),
            "force": st.booleans() | st.none(),
        }
    ).map(lambda document: json.dumps(document).encode())
)
AIMED = [
    ("GET", "/logs", ("after", "count")),
    ("GET", "/logs", ("server", "count")),
    ("POST", "/logs/acknowledge", ("reader", "upto")),
    ("PUT", "/catalogue/7", ()),
    ("PUT", "/registration", ()),
    ("GET", "/res/a.png", ()),
]
methods = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "FOO"])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """Run one server for all questions: a fault of any of them fails its end."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "res" / "img").mkdir(parents=True)
    (directory / "res" / "a.png").write_bytes(b"png")
    with tracking(
        directory,
        server_ids=(ServerId("1"), ServerId("2")),
        resource_directory=directory / "res",
        run_directory=directory / "run",
        spare_servers=("http://127.0.0.1:1",),
    ) as tracker:
        for number in range(1, 4):
            tracker.get(f"/r/{spelled(SHOP, message_id=number)}")
        yield tracker


Answer = tuple[int, str, bytes]


def _ask(tracker: Tracker, method: str, path: str, head: dict[str, bytes], body: bytes) -> Answer:
    """Ask without a client that tidies up; tell the status, the type, and the body."""
    host, _, port = tracker.url.removeprefix("http://").partition(":")
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: t", b"Connection: close"]
    raw = b"\r\n".join([*lines, *(name.encode() + b": " + head[name] for name in head)])
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        connection.sendall(raw + b"\r\n\r\n" + body)
        with closing(http.client.HTTPResponse(connection, method=method)) as answer:
            answer.begin()
            return answer.status, answer.getheader("content-type") or "", answer.read()


def _is_guarded(path: str) -> bool:
    return path in GUARDED or path.startswith(("/catalogue/", "/spare/res/"))


def _check_sentence(kind: str, body: bytes) -> None:
    sentence = json.loads(body)["error"]

    assert kind == "application/json"
    assert len(sentence) > 10
    assert sentence.endswith(".")
    assert "Traceback" not in sentence


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with the password or without."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    is_permitted: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_chunked: bool = False


aimed = st.sampled_from(AIMED).flatmap(
    lambda aim: st.builds(
        Question,
        st.just(aim[0]),
        st.just(aim[1]),
        st.tuples(*(st.tuples(st.just(name), values) for name in aim[2])),
        headers=headers,
        body=bodies,
        is_chunked=st.booleans(),
    )
)
anything = st.builds(
    Question, methods, paths, queries, st.booleans(), headers, bodies, st.booleans()
)


@settings(deadline=None, max_examples=400)
@given(aimed | anything)
@example(Question("PUT", "/catalogue/7", body=RAW, is_chunked=True))
@example(Question("PUT", "/catalogue/7", body=b"[" * 5000))
@example(Question("PUT", "/registration", body=b"[" * 4000))
@example(Question("GET", "/logs", [("after", "20x0000000000000000"), ("count", "0")]))
@example(
    Question("GET", "/logs", [("server", "2"), ("count", "0")], headers={"Accept-Encoding": "gzip"})
)
@example(Question("GET", "/res/%00.png", is_permitted=False))
@example(Question("GET", "/spare/res/a.png"))
@example(Question("GET", "/catalogue/7"))
@example(Question("GET", "/logs?x"))
@example(Question("POST", "/logs/acknowledge", [("reader", "a"), ("upto", "20x0000000000000000")]))
@example(Question("POST", "/logs/acknowledge?&;=%"))
def test_no_question_is_a_fault(target: Tracker, question: Question) -> None:
    """Refusals are sentences, in JSON, with a status that blames who asked.

    Killed: a number that is read before it is looked at; a query whose errors are not caught.
    """
    path, body = question.path, question.body
    text = "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='replace')}"
        for name, value in question.query
    )
    given = {name: value.strip().encode("latin-1") for name, value in question.headers.items()}
    if question.is_permitted:
        given["Authorization"] = f"Bearer {PASSWORD}".encode()
    if question.is_chunked:
        given["Transfer-Encoding"] = b"chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body, b"") if part)
        body += b"0\r\n\r\n"
    else:
        given["Content-Length"] = str(len(body)).encode()
    try:
        answer = _ask(target, question.method, f"{path}?{text}" if text else path, given, body)
    except ConnectionError:
        return  # refused before all of it was sent, and the refusal was overtaken
    status, kind, content = answer
    assert 200 <= status < 500
    if _is_guarded(path):
        assert question.is_permitted or status == 401
        if status >= 400 and question.method != "HEAD":
            _check_sentence(kind, content)


def test_after_all_of_it_the_server_serves(target: Tracker) -> None:
    """Clicks are answered, and lines can be fetched."""
    assert target.get(f"/r/{spelled(SHOP, message_id=9)}").status_code in (302, 404, 410)
    assert target.admin("GET", "/logs?count=1").status_code == 200
