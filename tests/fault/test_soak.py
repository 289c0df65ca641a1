"""A steady load for a long time, everything falling over now and then: nothing lost or doubled.

``make soak`` runs ten minutes of it; among the other tests it runs for one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from threading import Event, Thread

import pytest

from aftersend import app
from aftersend.app import Instance, open_instance
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.platform.entropy import SystemEntropy
from tests.support.running import free_port
from tests.support.sent_paths import sent_paths
from tests.support.soak import Load, resident_bytes, source_id

SECONDS = int(os.environ.get("AFTERSEND_SOAK_SECONDS", "60"))
RATE = 2000
KILL_EVERY_S = 60 if SECONDS > 120 else 10
COLLECT_EVERY_S = 10
WARM_UP_S = 4
MEGABYTE = 1024 * 1024


@dataclass(slots=True)
class _Life:
    """A tracking server from its start to its end, and its memory in between."""

    process: subprocess.Popen[bytes]
    memory: list[int] = field(default_factory=list)


@pytest.fixture
def opened(tmp_path: Path) -> Instance:
    """Give an instance."""
    app.init(tmp_path / "instance", entropy=SystemEntropy())
    return open_instance(tmp_path / "instance")


def _start(opened: Instance, port: int) -> _Life:
    command = [sys.executable, "-m", "aftersend", "collector", "--instance"]
    command += [str(opened.directory), "--port", str(port)]
    return _Life(subprocess.Popen(command, stderr=subprocess.DEVNULL))


@contextmanager
def _load(port: int, paths: list[str]) -> Iterator[Load]:
    load, stop = Load(port, paths, RATE), Event()
    thread = Thread(target=load.run, args=(stop,))
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join()


@contextmanager
def _workflow(opened: Instance) -> Iterator[list[dict[str, int]]]:
    """Collect in a process of its own; the runs are there when the block has ended."""
    command = [sys.executable, "-m", "tests.support.soak", str(opened.directory)]
    process = subprocess.Popen(
        [*command, str(COLLECT_EVERY_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    runs: list[dict[str, int]] = []
    try:
        yield runs
        told, _ = process.communicate("", timeout=120)
        runs += map(json.loads, told.splitlines())
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def _live(opened: Instance, port: int) -> list[_Life]:
    """Let one tracking server follow the other, each killed but the last."""
    lives: list[_Life] = []
    for second in range(SECONDS):
        age = second % KILL_EVERY_S
        if age == 0:
            if lives:
                lives[-1].process.kill()
                lives[-1].process.wait()
            lives.append(_start(opened, port))
        Event().wait(1)
        assert lives[-1].process.poll() is None, "the tracking server ended by itself"
        if age >= WARM_UP_S:
            lives[-1].memory.append(resident_bytes(lives[-1].process.pid))
    return lives


def _check_lake(opened: Instance, load: Load) -> int:
    """Check that answered hits are there once, others at most once; tell how many there are."""
    connection = duckdb.connect()
    try:
        log = hits(connection, opened.lake())
        found = log.group_by("source_id").aggregate(count=log.count()).to_pyarrow()
    finally:
        connection.disconnect()
    assert found.num_rows == sum(found["count"].to_pylist()), "a hit is there twice"
    there = set(found["source_id"].to_pylist())
    asked = [source_id(number) for number in range(len(load.answered))]
    lost = set(compress(asked, load.answered)) - there
    assert not lost, f"{len(lost)} answered hits are lost"
    assert there <= set(asked)
    return len(there)


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(SECONDS + 300)
def test_a_long_load_with_kills_loses_nothing_doubles_nothing_and_keeps_memory_flat(
    opened: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """2,000 hits a second, a run of Tracking every 10 seconds, the tracking server killed often."""
    paths, port = sent_paths(opened), free_port()
    with _workflow(opened) as runs:
        with _load(port, paths) as load:
            lives = _live(opened, port)
        lives[-1].process.terminate()
        assert lives[-1].process.wait(30) == 0
    answered, stored = sum(load.answered), _check_lake(opened, load)

    # A busy machine may not keep the pace; a tenth of it still proves something.
    assert answered > RATE * SECONDS / 10, "too little load to prove anything"
    assert answered <= stored
    assert stored == sum(run["loaded"] for run in runs)
    assert all(run["read"] == run["loaded"] for run in runs), "nothing was rejected or read twice"
    growth = max(max(life.memory) - life.memory[0] for life in lives if life.memory)
    assert growth < 16 * MEGABYTE
    memory = [run["memory"] for run in runs]
    assert max(memory) - max(memory[:3]) < 100 * MEGABYTE
    with capsys.disabled():
        sys.stdout.write(
            f"\nsoak: {answered:,} hits answered in {SECONDS} s, {stored:,} stored,"
            f" {len(lives) - 1} kills, {len(runs)} runs; memory grew by"
            f" {growth / MEGABYTE:.1f} MiB in a tracking server, in the workflow from"
            f" {max(memory[:3]) / MEGABYTE:.0f} to {max(memory) / MEGABYTE:.0f} MiB\n"
        )
