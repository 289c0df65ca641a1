"""Handing lines on: compressed, as a stream, for every server on the port."""

import gzip
import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aftersend.collector import logs
from aftersend.model.ids import ServerId
from aftersend.platform.clock import ManualClock
from aftersend.spool import Limits, Writer, acknowledged
from tests.support.spooling import hit
from tests.support.tracking_server import NOW, PASSWORD, SHOP, Tracker, spelled, tracking

PERMIT = {"Authorization": f"Bearer {PASSWORD}"}


def _fill(tracker: Tracker, count: int, *, user_agent: str = "") -> None:
    """Have lines written by clicks."""
    for number in range(1, count + 1):
        tracker.get(f"/r/{spelled(SHOP, message_id=number)}", **{"user-agent": user_agent})


def _pages(tracker: Tracker, count: int, **query: str) -> bytes:
    """Ask page by page until there is no more."""
    found, after = b"", query.pop("after", "")
    while True:
        answer = tracker.admin("GET", f"/logs?after={after}&count={count}")
        if not answer.content:
            return found
        found, after = found + answer.content, answer.headers["x-last"]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Tracker]:
    """Run a tracking server that has written forty lines into several segments."""
    with tracking(tmp_path, limits=Limits(segment_bytes_max=1000)) as tracker:
        _fill(tracker, 40)
        yield tracker


@pytest.mark.parametrize("after", ["", "10x0000000000000001", "10x0000000000000017"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_stream_is_all_pages_in_one(filled: Tracker, after: str, coding: str) -> None:
    """The same bytes, from any position on, however they travel."""
    headers = {**PERMIT, "accept-encoding": coding}
    answer = filled.client.get(f"/logs?after={after}&count=0", headers=headers)

    assert answer.status_code == 200
    assert answer.headers.get("content-encoding", "identity") == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["x-last"] == "10x0000000000000028"
    assert answer.headers["x-server-id"] == "1"
    assert answer.content == _pages(filled, 7, after=after)


def test_a_stream_says_where_its_bytes_stand(filled: Tracker) -> None:
    """File by file: name, offset and number of bytes."""
    answer = filled.admin("GET", "/logs?after=10x0000000000000002&count=0")
    at = 0
    for stretch in answer.headers["x-stretches"].split(";"):
        segment, _, place = stretch.partition("@")
        offset, _, size = place.partition("+")
        stored = (filled.config.spool_directory / segment).read_bytes()

        assert answer.content[at : at + int(size)] == stored[int(offset) : int(offset) + int(size)]
        at += int(size)

    assert at == len(answer.content)


def test_a_stream_of_too_many_files_is_cut(
    filled: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header stays small; whoever asks on gets the rest."""
    monkeypatch.setattr(logs, "_STRETCHES_MAX", 2)
    found, after, count = b"", "", 0
    while content := (answer := filled.admin("GET", f"/logs?after={after}&count=0")).content:
        found, after, count = found + content, answer.headers["x-last"], count + 1

    assert count > 1
    assert found == _pages(filled, 100)


def test_without_news_a_stream_is_empty(filled: Tracker) -> None:
    """It says where to ask on, and names no place."""
    answer = filled.admin("GET", "/logs?after=10x0000000000000028&count=0")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-last"] == "10x0000000000000028"
    assert answer.headers["x-stretches"] == ""


@pytest.mark.parametrize(
    ("wish", "is_compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("identity", False),
        ("x-gzip-not", False),
        ("", False),
    ],
)
def test_pages_are_compressed_for_who_wants_it(
    filled: Tracker, wish: str, is_compressed: bool
) -> None:
    """The weight of a wish counts, too."""
    with closing(http.client.HTTPConnection(filled.url.removeprefix("http://"))) as connection:
        connection.request("GET", "/logs", headers={**PERMIT, "Accept-Encoding": wish})
        answer = connection.getresponse()
        body = answer.read()

    assert answer.getheader("content-encoding") == ("gzip" if is_compressed else None)
    plain = gzip.decompress(body) if is_compressed else body
    assert len(plain.splitlines()) == 9  # a page ends with its file
    assert is_compressed == (len(body) < len(plain))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Tracker]:
    """Run one of two tracking servers that share a port; the other one has written three lines."""
    ids = ServerId("1"), ServerId("B")
    with tracking(tmp_path, server_ids=ids) as tracker:
        writer = Writer.open(
            tracker.config.spool_of(ids[1]), server=ids[1], clock=ManualClock(NOW), limits=Limits()
        )
        for number in (1, 2, 3):
            writer.append(NOW, hit(number))
        _fill(tracker, 2)
        yield tracker
        writer.close()


@pytest.mark.parametrize(
    ("query", "last", "count"),
    [
        ("", "10x0000000000000002", 2),
        ("server=1", "10x0000000000000002", 2),
        ("server=B", "B0x0000000000000003", 3),
        ("after=B0x0000000000000000", "B0x0000000000000003", 3),
        ("after=B0x0000000000000001", "B0x0000000000000003", 2),
        ("after=B0x0000000000000001&server=B", "B0x0000000000000003", 2),
        ("after=&server=B", "B0x0000000000000003", 3),
        ("after=B0x0000000000000001&count=0", "B0x0000000000000003", 2),
        ("server=B&count=0", "B0x0000000000000003", 3),
    ],
)
def test_a_worker_speaks_for_all_of_them(pair: Tracker, query: str, last: str, count: int) -> None:
    """The log id, or the server that is named, says whose lines are meant."""
    answer = pair.admin("GET", f"/logs?{query}")

    assert (answer.headers["x-last"], len(answer.content.splitlines())) == (last, count)
    assert all(line[:1] == last[:1].encode() for line in answer.content.splitlines())


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("server=2", "'2' is no tracking server here: there is 1, B."),
        ("server=", "'' is no tracking server here"),
        ("server=1B", "'1B' is no tracking server here"),
        ("after=20x0000000000000001", "no log id of this tracking server"),
        ("after=10x0000000000000001&server=B", "they look like B0x0000000000000001."),
        ("after=B", "no log id of this tracking server"),
    ],
)
def test_ids_of_others_are_refused(pair: Tracker, query: str, sentence: str) -> None:
    """Nobody reads one server's lines as another's.

    Killed: a log id of one server that is read in the spool of another.
    """
    answer = pair.admin("GET", f"/logs?{query}")

    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_a_worker_notes_what_others_lines_were_read(pair: Tracker) -> None:
    """An acknowledgement goes to the spool that its log id names."""
    answer = pair.admin("POST", "/logs/acknowledge?reader=tracking&upto=B0x0000000000000002")

    assert answer.json() == {"acknowledged": 2, "segments_removed": 0}
    assert acknowledged(pair.config.spool_of(ServerId("B"))) == {"tracking": 2}
    assert acknowledged(pair.config.spool_of(ServerId("1"))) == {}


def test_a_worker_that_never_ran_has_nothing_to_note(tmp_path: Path) -> None:
    """That is no fault of the disk, and there is nothing to read either."""
    with tracking(tmp_path, server_ids=(ServerId("1"), ServerId("B"))) as tracker:
        noted = tracker.admin("POST", "/logs/acknowledge?reader=archive&upto=B0x0000000000000000")
        read = tracker.admin("GET", "/logs?server=B&count=0")

    assert noted.status_code == 409
    assert noted.json() == {"error": "Tracking server B has written nothing yet."}
    assert (read.status_code, read.content) == (200, b"")
