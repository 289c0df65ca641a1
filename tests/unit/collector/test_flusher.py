"""The thread that syncs."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.collector.flusher import Flusher
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
