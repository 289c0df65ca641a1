"""A tracking server inside another process."""

import threading
from pathlib import Path

import httpx
import pytest

from aftersend.collector.embedded import running
from aftersend.collector.hit import Hits
from aftersend.errors import Busy
from aftersend.platform.clock import ManualClock
from tests.support.tracking_server import (
    NOW,
    SHOP,
    configured,
    made_catalogue,
    publish,
    spelled,
    tracking,
)


def test_time_is_that_of_the_given_clock(tmp_path: Path) -> None:
    """A month of clicks takes a second."""
    with tracking(tmp_path) as tracker:
        for _ in range(3):
            tracker.get(f"/r/{spelled(SHOP)}")
            tracker.clock.advance(10 * 86_400)

        assert [line.at.isoformat() for line in tracker.lines] == [
            "2026-01-02T03:04:05.000006+00:00",
            "2026-01-12T03:04:05.000006+00:00",
            "2026-01-22T03:04:05.000006+00:00",
        ]


def test_the_same_seed_gives_the_same_lines(tmp_path: Path) -> None:
    """A simulation can be repeated, byte for byte."""
    stored = []
    for name in "ab":
        with tracking(tmp_path / name) as tracker:
            tracker.get(f"/r/{spelled(SHOP)}")
            stored.append(tracker.lines)

    assert stored[0] == stored[1]


def test_several_run_side_by_side(tmp_path: Path) -> None:
    """Each has its own port and spool."""
    with tracking(tmp_path / "a") as first, tracking(tmp_path / "b") as second:
        first.get(f"/r/{spelled(SHOP)}")

        assert first.url != second.url
        assert (len(first.lines), len(second.lines)) == (1, 0)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """After the block, the port is closed, the spool free and every thread gone."""
    before = threading.active_count()
    with tracking(tmp_path) as tracker:
        tracker.get(f"/r/{spelled(SHOP)}")
    with pytest.raises(httpx.TransportError):
        httpx.get(tracker.url)
    with tracking(tmp_path) as again:
        again.get(f"/r/{spelled(SHOP)}")

        assert [line.number for line in again.lines] == [1, 2]

    assert threading.active_count() == before


def test_a_spool_in_use_is_told_at_once(tmp_path: Path) -> None:
    """The block is not even entered."""
    with tracking(tmp_path) as tracker, pytest.raises(Busy), running(tracker.config, tracker.clock):
        pass


def test_a_bug_is_told_at_the_end_of_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People get a page, the log a line, and a test cannot overlook it."""

    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Hits, "_click", break_down)
    answers: list[httpx.Response] = []
    with pytest.raises(ZeroDivisionError):
        _ask(tmp_path, answers)

    assert [answer.status_code for answer in answers] == [500, 200]
    assert "href" not in answers[0].text


def test_real_randomness_is_the_default(tmp_path: Path) -> None:
    """Without a seed, visitors get UUIDs that nobody can foretell."""
    config = configured(tmp_path)
    publish(config, made_catalogue())
    with running(config, ManualClock(NOW)) as url:
        first, second = (
            httpx.get(f"{url}/r/{spelled(SHOP)}").headers.get_list("set-cookie")[1]
            for _ in range(2)
        )

    assert first != second


def _ask(directory: Path, answers: list[httpx.Response]) -> None:
    with tracking(directory) as tracker:
        answers += [tracker.get(f"/r/{spelled(SHOP)}"), tracker.get("/r/test")]
