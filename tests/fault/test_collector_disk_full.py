"""A tracking server whose disk is full: people arrive, lines wait, health is red."""

import resource
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aftersend.collector.worker import listen
from tests.support.hammer import Server
from tests.support.spooling import stored_lines
from tests.support.tracking_server import SHOP, configured, made_catalogue, publish, spelled

CLICKS = 30


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server as a process, so that a limit on its files is its own."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    config = configured(tmp_path, port=port, fsync_interval_ms=20)
    publish(config, made_catalogue())
    made = Server(config, tmp_path / "config")
    made.start()
    yield made
    made.kill()


def _limit_files(server: Server, size: int) -> None:
    """Let writes behind `size` bytes come out short or fail, as on a full disk."""
    assert server.process is not None
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_people_arrive_and_every_line_comes_in_the_end(server: Server) -> None:
    """The first line that does not fit is cut in two, yet none is lost, doubled or disordered."""
    directory = server.config.spool_directory
    with httpx.Client(base_url=f"http://127.0.0.1:{server.config.port}") as client:
        numbers = iter(range(1, 3 * CLICKS + 1))

        def click() -> list[int]:
            return [
                client.get(f"/r/{spelled(SHOP, message_id=next(numbers))}").status_code
                for _ in range(CLICKS)
            ]

        before = click()
        size = sum(path.stat().st_size for path in directory.glob("*.log"))
        _limit_files(server, size + 100)
        during = click()
        red = client.get("/health")
        _limit_files(server, resource.RLIM_INFINITY)
        after = click()
        while (green := client.get("/health")).status_code != 200:
            pass
    lines = stored_lines(directory)

    assert before == during == after == [302] * CLICKS
    assert (red.status_code, red.json()["status"]) == (503, "red")
    assert red.json()["spool"]["unwritten"] >= CLICKS - 1
    assert green.json()["spool"] == {
        "last": 3 * CLICKS, "unwritten": 0, "lost": 0, "failed_syncs": 0,
    }  # fmt: skip
    assert [line.number for line in lines] == list(range(1, 3 * CLICKS + 1))
    assert [line.message_id for line in lines] == list(range(1, 3 * CLICKS + 1))
    assert server.stop() == 0
