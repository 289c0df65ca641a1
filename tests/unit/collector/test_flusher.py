"""The thread that syncs."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.collector.flusher import Flusher
from aftersend.collector.metrics import SyncTimes
from aftersend.platform import files
from aftersend.platform.clock import ManualClock
from tests.support.spooling import AT, hit, opened, stored_lines


def test_an_answer_leaves_after_its_line_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that come in during a sync wait for the next, and then go together."""
    events: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def sync(_descriptor: int) -> None:
        events.append("sync")
        entered.set()
        leave.wait()

    writer = opened(tmp_path)
    writer.sync()
    monkeypatch.setattr(files, "sync", sync)
    flusher = Flusher(writer, interval_ms=0, clock=ManualClock(AT))
    flusher.start()
    writer.append(AT, hit())
    flusher.after_sync(lambda: events.append("first"))
    entered.wait()
    for name in ("second", "third"):
        writer.append(AT, hit())
        flusher.after_sync(lambda name=name: events.append(name))  # type: ignore[misc]
    leave.set()
    flusher.stop()

    assert events == ["sync", "first", "sync", "second", "third"]

    writer.close()


def test_answers_leave_although_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People are redirected whatever happens to the disk."""

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    writer = opened(tmp_path)
    flusher = Flusher(writer, interval_ms=0, clock=ManualClock(AT))
    sent: list[int] = []
    monkeypatch.setattr(files, "sync", fail)
    flusher.start()
    flusher.after_sync(lambda: sent.append(1))
    flusher.stop()

    assert sent == [1]

    monkeypatch.undo()
    writer.close()


def test_a_bug_does_not_end_the_thread(tmp_path: Path) -> None:
    """The edge of the thread swallows and tells; what comes after is served."""
    writer = opened(tmp_path)
    flusher = Flusher(writer, interval_ms=0, clock=ManualClock(AT))
    done = threading.Event()

    def break_down() -> None:
        raise ZeroDivisionError

    flusher.start()
    flusher.after_sync(break_down)
    flusher.after_sync(done.set)

    assert done.wait(10)

    flusher.stop()
    writer.close()


def test_old_segments_are_removed_beside(tmp_path: Path) -> None:
    """Nobody has to remember to clean up."""
    clock = ManualClock(AT)
    writer = opened(tmp_path, clock, segment_bytes_max=100, segment_seconds_max=1e9, keep_days=1)
    flusher = Flusher(writer, interval_ms=0, clock=clock)
    for _ in range(3):
        writer.append(AT, hit())
    clock.advance(timedelta(days=2).total_seconds())
    flusher.start()
    flusher.stop()

    assert [line.number for line in stored_lines(tmp_path)] == [3]

    writer.close()


def test_chores_are_done_once_a_second(tmp_path: Path) -> None:
    """However often answers wake the thread; trouble with one is told and stops nothing."""
    clock = ManualClock(AT)
    writer = opened(tmp_path)
    done: list[str] = []
    is_done = threading.Semaphore(0)

    def chore() -> None:
        done.append("chore")
        is_done.release()
        raise ZeroDivisionError

    flusher = Flusher(writer, interval_ms=0, clock=clock, chores=(chore,))
    flusher.start()
    for _ in range(3):
        sent = threading.Event()
        flusher.after_sync(sent.set)
        assert sent.wait(10)
    early = list(done)
    clock.advance(1)
    flusher.after_sync(lambda: None)

    assert is_done.acquire(timeout=10)
    assert (early, done) == ([], ["chore"])

    flusher.stop()
    writer.close()


def test_a_long_interval_does_not_delay_chores(tmp_path: Path) -> None:
    """A server that syncs once a minute still tells every second how it fares."""
    clock = ManualClock(AT)
    writer = opened(tmp_path)
    is_done = threading.Event()
    flusher = Flusher(writer, interval_ms=60_000, clock=clock, chores=(is_done.set,))
    clock.advance(1)
    flusher.start()

    assert is_done.wait(10)

    flusher.stop()
    writer.close()


def test_syncs_that_bring_lines_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync of nothing says nothing about the disk, so it is not counted."""
    clock = ManualClock(AT)
    writer = opened(tmp_path)
    writer.sync()
    times = SyncTimes()
    monkeypatch.setattr(files, "sync", lambda _descriptor: clock.advance(0.5))
    flusher = Flusher(writer, interval_ms=0, clock=clock, times=times)
    flusher.start()
    for has_line in (True, False, True, False):
        if has_line:
            writer.append(AT, hit())
        sent = threading.Event()
        flusher.after_sync(sent.set)
        assert sent.wait(10)
    flusher.stop()

    assert (times.count, times.seconds) == (2, 1.0)

    monkeypatch.undo()
    writer.close()
