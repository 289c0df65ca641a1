"""Registration on the way of lines: what is fetched, and what is told instead."""

from pathlib import Path

import pytest

from aftersend import app
from aftersend.app import Instance, open_instance, run_workflow
from aftersend.database import tracking_servers
from aftersend.database.tracking_servers import TrackingServer
from aftersend.delivery.registration import register
from aftersend.model.ids import ServerId
from aftersend.platform.entropy import SystemEntropy
from aftersend.workflow.supervision import journal
from tests.support.running import free_port
from tests.support.tracking_server import DELIVERY, Tracker, made_catalogue, spelled, tracking

pytestmark = pytest.mark.heavy


@pytest.fixture
def opened(tmp_path: Path) -> Instance:
    """Open a new instance."""
    app.init(tmp_path / "instance", entropy=SystemEntropy())
    return open_instance(tmp_path / "instance")


def _only(opened: Instance) -> TrackingServer:
    with opened.database.read() as connection:
        (server,) = tracking_servers.every(connection)
    return server


def _journal(opened: Instance) -> str:
    return "\n".join(line.text for line in journal(opened.database, "tracking"))


def _move(opened: Instance, url: str) -> None:
    """Let a server that was silent answer: the tests cannot choose its port."""
    with opened.database.write() as connection:
        tracking_servers.put(connection, server_id="2", internal_url=url, at=opened.clock.now())


def _click(opened: Instance, server: Tracker) -> int:
    return server.get(f"/r/{spelled(keys=opened.keys)}").status_code


def test_a_run_registers_who_was_silent_and_fetches_its_lines(
    opened: Instance, tmp_path: Path
) -> None:
    """The first run says who is missing; the next one has everything."""
    register(app.registry(opened), "2", f"http://127.0.0.1:{free_port()}")
    before = run_workflow(opened, "tracking").counts
    told = _journal(opened)
    password = opened.settings.collector.password
    with tracking(
        tmp_path / "far", server_id=ServerId("2"), keys=opened.keys, password=password
    ) as server:
        assert _click(opened, server) == 302
        _move(opened, server.url)
        after = run_workflow(opened, "tracking").counts

    assert before.read == 0
    assert "Tracking server 2 is not registered: http://127.0.0.1:" in told
    assert after.read == 1
    assert _only(opened).is_registered


def test_nothing_is_fetched_from_a_server_that_was_taken_over(
    opened: Instance, tmp_path: Path
) -> None:
    """Its lines are the other application's now: none is read, and the journal says why."""
    password = opened.settings.collector.password
    app.init(tmp_path / "other", entropy=SystemEntropy())
    file = "aftersend.toml"
    (tmp_path / "other" / file).write_text((opened.directory / file).read_text())
    other = open_instance(tmp_path / "other")
    with tracking(
        tmp_path / "far",
        made_catalogue(delivery_id=DELIVERY),
        server_id=ServerId("2"),
        keys=opened.keys,
        password=password,
    ) as server:
        register(app.registry(opened), "2", server.url)
        register(app.registry(other), "2", server.url, is_forced=True)
        _click(opened, server)
        lost, gained = (run_workflow(each, "tracking").counts for each in (opened, other))

    assert (0, 1) == (lost.read, gained.read)
    assert not _only(opened).is_registered
    assert "registered by another application" in _journal(opened)
