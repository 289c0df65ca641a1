"""A tracking server that shares nothing with the app but settings and a password."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from aftersend import app
from aftersend.app import Instance, open_instance, run_workflow
from aftersend.audience.letter import Letter
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.model.ids import RecipientId
from aftersend.platform.entropy import SystemEntropy
from aftersend.reports.log_query import LogQuery
from aftersend.reports.logs import recipient_logs
from aftersend.settings import FILE_NAME
from tests.support.command import aftersend
from tests.support.running import comes_true, free_port, is_answered

pytestmark = pytest.mark.heavy

HTML = '<p><a href="https://shop.example/a?x=%2F#b">a</a></p>'


@contextmanager
def _collector(instance: Path) -> Iterator[str]:
    """Run a tracking server of its own id in a folder of its own; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(instance)]
    process = subprocess.Popen([*command, "--server-id", "2", "--port", str(port)])
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
