"""The budget of a source, in a real process behind a proxy: who is over it arrives all the same."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from aftersend import app
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.platform.entropy import SystemEntropy
from tests.support.lingering import Lingering, lingering
from tests.support.running import comes_true
from tests.support.spooling import stored_lines
from tests.support.tracking_server import PASSWORD, SHOP, spelled
from tests.support.workers import WorkerSet

pytestmark = pytest.mark.heavy

HITS_MAX = 20
GREEDY, MODEST, NEIGHBOUR = "203.0.113.9", "198.51.100.7", "2001:db8:1:2::"
LEFT_OUT = 2 * HITS_MAX


def test_the_budget_leaves_out_and_counts(tmp_path: Path) -> None:
    """Answers are alike, lines are bounded for each source, and what is left out is told.

    Killed: a count that neither address tells; a /64 of IPv6 that is many sources.
    """
    with lingering(
        tmp_path, trusted_proxies=("127.0.0.1",), source_hits_per_minute_max=HITS_MAX
    ) as server:
        answers = _clicks(server)
        health = _get(server, "/health").json()
        metrics = _get(server, "/metrics", authorization=f"Bearer {PASSWORD}").text
        lines = stored_lines(server.config.spool_directory)
        told, logs = server.stop()
    stored = Counter(line.address.partition("::")[0] for line in lines)

    assert answers == Counter({302: len(lines) + LEFT_OUT})
    assert stored == {GREEDY: HITS_MAX, "2001:db8:1:2": HITS_MAX, MODEST: HITS_MAX - 1}
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert (health["status"], health["unrecorded"]) == ("ok", {"budget": LEFT_OUT})
    assert f'unrecorded_total{{reason="budget",server="1"}} {LEFT_OUT}.0' in metrics
    assert told == 0
    assert not any(address in logs for address in (GREEDY, MODEST, NEIGHBOUR))


@pytest.mark.long
def test_every_click_is_recorded_or_counted(tmp_path: Path) -> None:
    """Of two servers on one port, too: what came is in the lake, or in what health leaves out."""
    instance = tmp_path / "instance"
    app.init(instance, entropy=SystemEntropy())
    home = app.open_instance(instance)
    link = _sent_link(home)
    budget = {
        "AFTERSEND_COLLECTOR__SOURCE_HITS_PER_MINUTE_MAX": str(HITS_MAX),
        "AFTERSEND_COLLECTOR__TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    servers = WorkerSet(instance, environment=budget)
    servers.start()
    try:
        with httpx.Client(base_url=servers.url) as client:
            for _ in range(5 * HITS_MAX):
                assert client.get(link, headers={"x-forwarded-for": GREEDY}).status_code == 302
        stored = sum(len(stored_lines(spool)) for spool in servers.spools)

        assert HITS_MAX <= stored <= 2 * HITS_MAX
        assert comes_true(lambda: _left_out(servers.url) == 5 * HITS_MAX - stored, 30)
    finally:
        servers.close()
    counts = app.run_workflow(home, "tracking").counts

    assert (counts.read, counts.loaded, sum(counts.rejected.values())) == (stored, stored, 0)


def _sent_link(home: app.Instance) -> str:
    file = home.var / "recipients.csv"
    file.write_text("email\nada@x.example\n")
    import_recipients(home.database, file, clock=home.clock)
    html = '<p><a href="https://shop.example/a">a</a></p>'
    with Post(home) as post:
        _, (letter,) = post.send(Draft("One", "A <a@b.example>", "Hello", html))
    return letter.links[0]


def _left_out(url: str) -> int:
    return int(httpx.get(f"{url}/health").json()["unrecorded"].get("budget", 0))


def _clicks(server: Lingering) -> Counter[int]:
    """Click from three sources in turn: two of them twice as often as they may, and one less."""
    asked = [
        (source, number)
        for number in range(2 * HITS_MAX)
        for source in (GREEDY, f"{NEIGHBOUR}{number + 1:x}", MODEST)
        if source != MODEST or number < HITS_MAX - 1
    ]
    path = f"/r/{spelled(SHOP)}"
    with httpx.Client(base_url=f"http://127.0.0.1:{server.config.port}") as client:
        return Counter(
            client.get(path, headers={"x-forwarded-for": f"192.0.2.{number}, {source}"}).status_code
            for source, number in asked
        )


def _get(server: Lingering, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.config.port}{path}", headers=headers)
