"""The budget of a source, in a real process behind a proxy: who is over it arrives all the same."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.support.lingering import Lingering, lingering
from tests.support.spooling import stored_lines
from tests.support.tracking_server import PASSWORD, SHOP, spelled

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
