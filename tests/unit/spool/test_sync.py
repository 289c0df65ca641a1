"""Bringing lines onto a disk that fails, and no more of it than is needed."""

import errno
import os
from pathlib import Path

import pytest

from aftersend.platform import files
from tests.support.spooling import AT, hit, opened


def _raise(error: OSError) -> None:
    raise error


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.log"))


def test_after_a_failed_sync_another_segment_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second try would prove nothing, so the segment is left; the trouble is counted."""
    real = files.sync
    writer = opened(tmp_path)
    writer.sync()
    writer.append(AT, hit())
    monkeypatch.setattr(files, "sync", lambda _descriptor: _raise(OSError(5, "I/O error")))
    writer.sync()
    monkeypatch.setattr(files, "sync", real)

    assert writer.state.failed_syncs == 1
    assert writer.append(AT, hit()) == 2
    assert _names(tmp_path) == ["0x0000000000000001.log", "0x0000000000000002.log"]

    writer.close()


def test_a_sync_without_news_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle server leaves the disk alone."""
    writer = opened(tmp_path)
    writer.append(AT, hit())
    writer.sync()
    calls: list[int] = []
    monkeypatch.setattr(files, "sync", calls.append)
    writer.sync()

    assert calls == []

    writer.append(AT, hit())
    writer.sync()

    assert len(calls) == 1

    writer.close()


def test_old_segments_are_synced_before_they_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a rotation has left is on the disk with the next sync, and its descriptor is closed."""
    writer = opened(tmp_path, segment_bytes_max=100)
    synced: list[str] = []
    for _ in range(3):
        writer.append(AT, hit())
    monkeypatch.setattr(
        files, "sync", lambda each: synced.append(Path(f"/proc/self/fd/{each}").readlink().name)
    )
    writer.sync()

    assert [name for name in synced if name.endswith(".log")] == _names(tmp_path)
    assert writer._retired == []

    writer.close()


def test_a_close_that_fails_is_told_and_costs_no_other_segment_its_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some disks tell only then that they lost something.

    Killed: an error of the close that ends the sync.
    """
    real_close, real_sync = os.close, files.sync
    writer = opened(tmp_path, segment_bytes_max=100)
    synced: list[str] = []
    for _ in range(3):
        writer.append(AT, hit())
    lossy = list(writer._retired)

    def close(descriptor: int) -> None:
        real_close(descriptor)
        if descriptor in lossy:
            lossy.remove(descriptor)  # its number is soon that of another file
            raise OSError(errno.EIO, "Input/output error")

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_sync(descriptor)

    monkeypatch.setattr(os, "close", close)
    monkeypatch.setattr(files, "sync", sync)
    writer.sync()
    monkeypatch.undo()

    assert lossy == []
    assert [name for name in synced if name.endswith(".log")] == _names(tmp_path)
    assert writer.state.failed_syncs == 2

    writer.close()
