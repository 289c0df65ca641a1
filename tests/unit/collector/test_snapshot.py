"""How the tracking servers on one port tell each other how they fare."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aftersend.collector.catalogues import Catalogues
from aftersend.collector.config import CollectorConfig
from aftersend.collector.metrics import Metrics
from aftersend.collector.snapshot import (
    SILENT_SECONDS,
    Fares,
    Snapshot,
    Snapshots,
    path_of,
    pid_of,
)
from aftersend.model.ids import ServerId
from aftersend.platform.clock import ManualClock
from aftersend.spool import Writer
from tests.support.spooling import AT, hit
from tests.support.tracking_server import configured

ONE, TWO = ServerId("1"), ServerId("2")


class Pair:
    """Two servers on one port, in one process here."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock(AT)
        self.directory = directory / "run"
        self.writers: list[Writer] = []
        self.metrics = Metrics(), Metrics()
        self.one = self._made(directory, self.metrics[0], ONE, TWO)
        self.two = self._made(directory, self.metrics[1], TWO, ONE)

    def _made(self, directory: Path, metrics: Metrics, *server_ids: ServerId) -> Snapshots:
        config = _config(directory, *server_ids)
        writer = Writer.open(config.spool_directory, server=server_ids[0], clock=self.clock)
        self.writers.append(writer)
        made = Snapshots(config, metrics, _catalogues(config, self.clock), self.clock)
        made.open(writer)
        return made

    @property
    def told(self) -> list[tuple[str, str]]:
        """Ask the first how both fare."""
        return [(each.server_id, each.fares) for each in self.one.all()]


def _config(directory: Path, *server_ids: ServerId) -> CollectorConfig:
    return configured(
        directory,
        server_id=server_ids[0],
        server_ids=server_ids,
        spool_directory=directory / "spool" / server_ids[0],
        run_directory=directory / "run",
    )


def _catalogues(config: CollectorConfig, clock: ManualClock) -> Catalogues:
    return Catalogues(config.catalogue_directory, clock=clock, capacity=50)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Open both."""
    made = Pair(tmp_path)
    yield made
    for writer in made.writers:
        writer.close()


def _ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_snapshot_reads_back_as_it_was_written(pair: Pair) -> None:
    """Nothing is lost on the way, down to the microsecond."""
    pair.writers[0].append(AT, hit())
    pair.metrics[0].requests["click", "found"] += 2
    pair.metrics[0].unrecorded["budget"] += 3
    pair.metrics[0].syncs.add(0.5, now=pair.clock.monotonic())
    own = pair.one.own()

    assert Snapshot.decode(own.encode()) == own
    assert (own.last, own.syncs, own.sync_seconds, own.sync_seconds_max) == (1, 1, 0.5, 0.5)
    assert own.requests == (("click", "found", 2),)
    assert own.unrecorded == {"budget": 3}
    assert (own.server_id, own.process_id) == ("1", os.getpid())
    assert own.started_at == own.written_at == AT


def test_whoever_is_asked_tells_of_all(pair: Pair) -> None:
    """Of itself at this moment, of the others what they wrote last, with its age."""
    pair.writers[1].append(AT, hit())
    early = [each.snapshot and each.snapshot.last for each in pair.one.all()]
    pair.two.write()
    pair.clock.advance(1.5)
    told = pair.one.all()

    assert pair.told == [("1", "ok"), ("2", "ok")]
    assert early == [0, 0]
    assert [each.snapshot and each.snapshot.last for each in told] == [0, 1]
    assert [each.age_seconds for each in told] == [0.0, 1.5]


def test_a_silent_server_is_told(pair: Pair) -> None:
    """Its process is there, but its numbers are old."""
    pair.clock.advance(SILENT_SECONDS)
    early = pair.told
    pair.clock.advance(0.5)

    assert (early[1], pair.told[1]) == (("2", Fares.OK), ("2", Fares.SILENT))


def test_a_server_that_ended_in_order_is_gone(pair: Pair) -> None:
    """It takes its snapshot along."""
    pair.two.close()
    pair.two.close()

    assert pair.told[1] == ("2", Fares.GONE)
    assert [each.name for each in pair.directory.iterdir()] == ["collector-1.json"]


def test_a_killed_server_is_gone(pair: Pair) -> None:
    """What it has left says which process it was, and that one is not there any more."""
    killed = replace(pair.two.own(), process_id=_ended_process())
    path_of(pair.directory, TWO).write_bytes(killed.encode())

    assert pair.told[1] == ("2", Fares.GONE)
    assert pid_of(pair.directory, TWO) == killed.process_id


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b"null", b'{"started_at": 1}', b"\xff", b"{" * 300_000]
)
def test_a_damaged_snapshot_is_as_none(pair: Pair, raw: bytes) -> None:
    """Nobody falls over a file that a full disk has left."""
    path_of(pair.directory, TWO).write_bytes(raw)

    assert pair.told[1] == ("2", Fares.GONE)
    assert pid_of(pair.directory, TWO) == 0


def test_a_server_whose_lines_wait_is_red(pair: Pair) -> None:
    """Also when another is asked."""
    path_of(pair.directory, TWO).write_bytes(replace(pair.two.own(), unwritten=1).encode())

    assert pair.told == [("1", Fares.OK), ("2", Fares.RED)]


def test_a_disk_that_takes_no_snapshot_stops_nothing(pair: Pair) -> None:
    """It is told once, and again when it fails again."""
    for each in pair.directory.iterdir():
        each.unlink()
    pair.directory.rmdir()
    pair.directory.write_text("in the way")
    with capture_logs() as logs:
        pair.one.write()
        pair.one.write()
        pair.directory.unlink()
        pair.one.write()
        written = path_of(pair.directory, ONE).exists()
        path_of(pair.directory, ONE).unlink()
        pair.directory.rmdir()
        pair.directory.write_text("in the way again")
        pair.one.write()

    assert written
    assert [log["event"] for log in logs] == ["the others cannot be told how we fare"] * 2


def test_a_server_alone_leaves_no_snapshot(tmp_path: Path) -> None:
    """Nobody would read it."""
    config, clock = _config(tmp_path, ONE), ManualClock(AT)
    writer = Writer.open(config.spool_directory, server=ONE, clock=clock)
    alone = Snapshots(config, Metrics(), _catalogues(config, clock), clock)
    alone.open(writer)
    alone.write()
    clock.advance(timedelta(days=1).total_seconds())
    told = alone.all()
    alone.close()
    writer.close()

    assert not (tmp_path / "run").exists()
    assert [(each.server_id, each.fares, each.age_seconds) for each in told] == [("1", "ok", 0.0)]
