"""What we are compared with does what a tracker has to do."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from bench import usual_tracker
from bench.contestant import SHOP, Contestant
from tests.support import postgres

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not postgres.is_available(), reason="PostgreSQL is not installed"),
]


@pytest.fixture(name="tracker", scope="module")
def _tracker() -> Iterator[Contestant]:
    with usual_tracker.usual_tracker() as tracker:
        yield tracker


def test_a_click_redirects_and_is_a_row(tracker: Contestant) -> None:
    """Each hit is one row with what was asked, and its browser gets a cookie."""
    path = usual_tracker.paths()[3]
    answer = httpx.get(tracker.url + path, headers={"user-agent": "Agent"})
    folder = _folder(tracker)
    with psycopg.connect(host=folder, user="postgres") as connection:
        row = connection.execute(
            "SELECT delivery_id, message_id, url_id, user_agent, host(address), source_id::text"
            " FROM hit ORDER BY id DESC LIMIT 1"
        ).fetchone()

    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    assert row == (4, 1_000_003, 2, "Agent", "127.0.0.1", answer.cookies["source"])


def test_a_forged_link_is_refused(tracker: Contestant) -> None:
    """A changed number leads nowhere: it checks signatures as we do."""
    path = usual_tracker.paths()[3].replace("/r/4-", "/r/5-")

    assert httpx.get(tracker.url + path).status_code == 404


def _folder(tracker: Contestant) -> str:
    from pathlib import Path

    command = Path(f"/proc/{tracker.pids[1]}/cmdline").read_text().split("\0")
    return str(Path(command[command.index("-D") + 1]).parent)
