"""A tracking server that shares nothing with the app but settings and a password."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from aftersend import app
from aftersend.app import Instance, open_instance, run_workflow
from aftersend.audience.letter import Letter
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.errors import Transient
from aftersend.model.ids import RecipientId, ServerId
from aftersend.platform.entropy import SystemEntropy
from aftersend.reports.log_query import LogQuery
from aftersend.reports.logs import recipient_logs
from aftersend.settings import FILE_NAME
from aftersend.tracking.source import Chunk, http_source
from tests.support.command import aftersend
from tests.support.relay import Relay, relaying
from tests.support.running import comes_true, free_port, is_answered
from tests.support.spooling import AT, hit
from tests.support.spooling import opened as opened_spool
from tests.support.tracking_server import PASSWORD, Tracker, tracking

pytestmark = pytest.mark.heavy

HTML = '<p><a href="https://shop.example/a?x=%2F#b">a</a></p>'


@contextmanager
def _collector(instance: Path, *options: str) -> Iterator[str]:
    """Run a tracking server of its own id in a folder of its own; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(instance)]
    process = subprocess.Popen([*command, "--server-id", "2", "--port", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    try:
        assert comes_true(lambda: is_answered(f"{url}/r/test"), 60)
        yield url
    finally:
        process.terminate()
        process.wait()


def _send(opened: Instance) -> Letter:
    file = opened.var / "recipients.csv"
    file.write_text("email\nada@x.example\n")
    import_recipients(opened.database, file, clock=opened.clock)
    with Post(opened) as post:
        _, (letter,) = post.send(Draft("Remote", "A <a@b.example>", "Hello", HTML))
    return letter


def _has_lines(spool: Path) -> bool:
    return any(path.stat().st_size for path in spool.glob("*.log"))


def test_clicks_elsewhere_come_home(tmp_path: Path) -> None:
    """It starts with settings alone, gets old catalogues when registered, and gives its lines."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    app.init(home, entropy=SystemEntropy())
    elsewhere.mkdir()
    shutil.copy(home / FILE_NAME, elsewhere / FILE_NAME)
    opened = open_instance(home)
    letter = _send(opened)

    with _collector(elsewhere) as url:
        unknown = httpx.get(url + letter.links[0])
        registered = aftersend(
            home, "tracking", "server", "add", "--id", "2", "--internal-url", url
        )
        known = httpx.get(url + letter.links[0])
        stranger = httpx.get(f"{url}/logs", params={"count": 10})
        counts = run_workflow(opened, "tracking").counts
        again = run_workflow(opened, "tracking").counts
    page = recipient_logs(opened.database, opened.lake(), RecipientId(1), LogQuery())

    assert unknown.status_code == 404
    assert registered.status == 0
    assert (known.status_code, known.headers["Location"]) == (
        302,
        "https://shop.example/a?x=%2F#b",
    )
    assert stranger.status_code == 401
    assert (counts.read, counts.loaded, again.read) == (1, 1, 0)
    assert [row.log_id[0] for row in page.rows] == ["2"]
    assert not (elsewhere / "var" / "aftersend.sqlite").exists()


def test_a_server_that_is_down_stops_nothing(tmp_path: Path) -> None:
    """Its silence is told in the journal, and the run goes on with the others."""
    home = tmp_path / "home"
    app.init(home, entropy=SystemEntropy())
    url = f"http://127.0.0.1:{free_port()}"
    aftersend(home, "tracking", "server", "add", "--id", "2", "--internal-url", url)

    ran = aftersend(home, "workflow", "run", "tracking", "--json")
    journal = aftersend(home, "workflow", "journal", "tracking", "--severity", "warning", "--json")

    assert (ran.status, ran.document["state"]) == (0, "finished")
    assert any("server 2" in line["text"].lower() for line in journal.document)


def test_workers_at_one_address_come_home_as_a_stream(tmp_path: Path) -> None:
    """Both have lines of their own; each is read by its own pointer, from whoever answers."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    app.init(home, entropy=SystemEntropy())
    settings = (home / FILE_NAME).read_text()
    (home / FILE_NAME).write_text(f"{settings}\n[tracking]\nlog_count_per_request = 0\n")
    elsewhere.mkdir()
    shutil.copy(home / FILE_NAME, elsewhere / FILE_NAME)
    spools = elsewhere / "var" / "spool"
    opened_home = open_instance(home)
    letter = _send(opened_home)

    with _collector(elsewhere, "--workers", "2") as url:
        added = aftersend(home, "tracking", "server", "add", "--id", "2", "--internal-url", url)
        count = 0
        with ThreadPoolExecutor(8) as pool:
            while count < 800 and not all(_has_lines(spools / each) for each in "23"):
                # Many at once, each on a connection of its own, so that both workers get some.
                answers = list(pool.map(httpx.get, [url + letter.links[0]] * 8))
                assert [each.status_code for each in answers] == [302] * 8
                count += 8
        counts = run_workflow(opened_home, "tracking").counts
        again = run_workflow(opened_home, "tracking").counts
        acknowledged = {path.parent.name for path in spools.glob("*/ack-tracking")}
    pointers = [opened_home.lake().pointer(ServerId(each)) for each in "23"]

    assert added.status == 0
    assert (counts.read, counts.loaded, again.read) == (count, count, 0)
    assert sum(pointers) == count
    assert min(pointers) > 0
    assert acknowledged == {"2", "3"}


@contextmanager
def _filled(directory: Path, count: int) -> Iterator[tuple[Tracker, Relay, bytes]]:
    """Run a tracking server with lines in several segments, behind a relay; give its bytes."""
    writer = opened_spool(directory / "spool" / "1", segment_bytes_max=40_000)
    for number in range(1, count + 1):
        writer.append(AT, hit(number, user_agent=f"Mozilla/5.0 ({number * 7919 % 9973})"))
    writer.close()
    paths = sorted((directory / "spool" / "1").glob("*.log"))
    stored = b"".join(path.read_bytes() for path in paths)
    with tracking(directory) as tracker, relaying() as relay:
        relay.target = tracker.url
        yield tracker, relay, stored


def _download(url: str, *, lines_max: int, after: int = 0) -> list[Chunk]:
    """Take what comes until there is no more, or until it breaks off."""
    chunks: list[Chunk] = []
    with http_source(ServerId("1"), url=url, password=PASSWORD, lines_max=lines_max) as source:
        try:
            chunks.extend(source.chunks(after))  # keeps what came before an error
        except Transient:
            assert chunks, "something had come before"
    return chunks


@pytest.mark.parametrize("lines_max", [700, 10_000, 0])
def test_lines_are_the_same_by_pages_and_by_stream(tmp_path: Path, lines_max: int) -> None:
    """Every byte once, compressed on the way."""
    with _filled(tmp_path, 3000) as (_, relay, stored):
        chunks = _download(relay.url, lines_max=lines_max)

        assert b"".join(chunk.data for chunk in chunks) == stored
        assert relay.brought < len(stored) / 3
    assert chunks[-1].last == 3000


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_stream_that_was_cut_goes_on_where_it_was(tmp_path: Path, share: float) -> None:
    """Whole lines that had come are kept, and the next run asks for what follows them."""
    with _filled(tmp_path, 20_000) as (_, relay, stored):
        _download(relay.url, lines_max=0)
        relay.cut_at = int(relay.brought * share)
        first = _download(relay.url, lines_max=0)
        relay.cut_at = None
        rest = _download(relay.url, lines_max=0, after=first[-1].last)

    assert b"".join(chunk.data for chunk in (*first, *rest)) == stored
    assert all(one.last < two.last for one, two in pairwise((*first, *rest)))
    assert first[-1].last < 20_000 == rest[-1].last
