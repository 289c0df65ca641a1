"""Two real tracking servers, one of which is away for a run; clocks that differ, late files."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.model.catalogue import Destination
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, ServerId, UrlId
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.tracking.source import Source, http_source
from tests.support.running import free_port
from tests.support.tracking import make_world
from tests.support.tracking_server import PASSWORD, Tracker, made_catalogue, spelled, tracking

pytestmark = pytest.mark.heavy

ONE, TWO = ServerId("1"), ServerId("2")
OF_DELIVERY_2 = made_catalogue(
    delivery_id=DeliveryId(2),
    urls={
        OPEN_URL_ID: Destination((), UrlType.OPEN, "Open"),
        UrlId(2): Destination(("https://shop.example/",)),
    },
)


def click(tracker: Tracker, count: int) -> None:
    """Click on a link of message 1 so many times."""
    for _ in range(count):
        answer = tracker.get(f"/r/{spelled(2, delivery_id=2, message_id=1)}")
        assert answer.status_code == 302, answer.text


@pytest.mark.parametrize("lines_max", [0, 1, 1000])
def test_a_server_that_was_away_is_caught_up(tmp_path: Path, lines_max: int) -> None:
    """The other one is loaded meanwhile; then every click of both is there once.

    Pages of one line, of a thousand, and a stream, compressed as tracking servers send them.
    """
    world = make_world(tmp_path / "world")
    with ExitStack() as stack:
        trackers = [
            stack.enter_context(tracking(tmp_path / server, OF_DELIVERY_2, server_id=server))
            for server in (ONE, TWO)
        ]
        trackers[1].clock.advance(-90)
        sources: list[Source] = [
            stack.enter_context(
                http_source(server, url=tracker.url, password=PASSWORD, lines_max=lines_max)
            )
            for server, tracker in zip((ONE, TWO), trackers, strict=True)
        ]
        away = stack.enter_context(
            http_source(
                TWO,
                url=f"http://127.0.0.1:{free_port()}",
                password=PASSWORD,
                lines_max=lines_max,
            )
        )
        click(trackers[0], 3)
        click(trackers[1], 2)
        first = download(world.context([sources[0], away]))
        assert 3 == load(world.context([sources[0], away])).counts.loaded
        click(trackers[0], 1)
        click(trackers[1], 4)
        second = download(world.context(sources))
        report = load(world.context(sources))

        assert [TWO] == first.details["failed_servers"]
        assert "Tracking server 2" in first.text
        assert not second.is_warning
        assert (7, {}) == (report.counts.loaded, report.counts.rejected)
        assert [4, 6] == [world.lake.pointer(server) for server in (ONE, TWO)]
        ids = [hit["log_id"] for hit in world.hits()]
        assert len(ids) == len(set(ids)) == 10
        moments = {hit["log_id"][0]: hit["at"] for hit in world.hits()}
        assert timedelta(seconds=90) == moments["1"] - moments["2"]
