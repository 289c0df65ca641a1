"""What others have met while collecting and loading: rows G of the field lessons."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from aftersend.database.engine import Database
from aftersend.model.ids import ServerId
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.tracking.source import LocalSource
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.spooling import AT, hit, opened
from tests.support.tracking import FakeSource, make_world, numbered, story_sources

ONE, TWO = ServerId("1"), ServerId("2")


def test_g1_two_hundred_opens_at_once_are_two_hundred(tmp_path: Path) -> None:
    """Row G1: threads open the same message at once; each open is loaded, once, without a lock."""
    world = make_world(tmp_path / "world")
    writer = opened(tmp_path / "spool")
    one = hit(1)._replace(delivery_id=2, url_id=1)
    with ThreadPoolExecutor(20) as threads:
        given = list(threads.map(lambda _: writer.append(AT, one), range(200)))
    writer.close()

    context = world.context([LocalSource(ONE, tmp_path / "spool", 1000)])
    download(context)
    counts = load(context).counts

    assert set(range(1, 201)) == set(given)
    assert (200, 200) == (counts.read, counts.loaded)
    assert 200 == len({each["log_id"] for each in world.hits()})


def test_g3_a_database_that_is_away_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Row G3: lines wait in the inbox until the database is back; then each is loaded once."""
    whole, world = make_world(tmp_path / "whole"), make_world(tmp_path / "world")
    for each in (whole, world):
        download(each.context(story_sources()))
    load(whole.context([]))
    away = OperationalError("select", {}, Exception("away"))

    with patch.object(Database, "read", side_effect=away), pytest.raises(OperationalError):
        load(world.context([]))
    assert 0 == world.lake.pointer(ONE)
    load(world.context([]))

    assert whole.hits() == world.hits()
    assert whole.rejected() == world.rejected()


def at_two_servers(skew: timedelta) -> dict[str, list[NaiveHit]]:
    """Give clicks of two servers, of which the second's clock is wrong by `skew`."""
    start = datetime(2026, 1, 2, 12, 4, tzinfo=naive.START.tzinfo)
    clicks = [
        NaiveHit("", start + timedelta(seconds=20 * n), 1 + n % 2, 2, f"browser-{n % 3}")
        for n in range(12)
    ]
    return {
        "1": clicks[::2],
        "2": [replace(each, at=each.at + skew) for each in clicks[1::2]],
    }


@pytest.mark.parametrize("skew_s", [0, 90, -90, 400])
def test_g5_clocks_apart_and_a_late_file_count_once_in_their_bucket(
    tmp_path: Path, skew_s: int
) -> None:
    """Row G5: each hit stands once in the five minutes that its server wrote, whenever it comes.

    The late file comes an hour after the others, and lines in it go back and forth in time.
    """
    stories = at_two_servers(timedelta(seconds=skew_s))
    stories["2"].reverse()
    sources = [
        FakeSource(ServerId(server), list(numbered(server, story)))
        for server, story in stories.items()
    ]
    world = make_world(tmp_path)
    world.run(sources[:1])
    world.run([sources[0], replace(sources[1], lines=sources[1].lines[:3])])

    world.run(sources)
    world.run(sources)

    written = [
        replace(each, log_id=f"{server}0x{number:016X}")
        for server, story in stories.items()
        for number, each in enumerate(story, start=1)
    ]
    assert sorted(each.log_id for each in written) == [each["log_id"] for each in world.hits()]
    assert naive.buckets(written, 300) == {
        (row.delivery_id, row.url_id, row.start): row.total_clicks
        for row in world.state()["tracking_stats"]
    }
