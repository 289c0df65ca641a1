"""Child processes that never outlive us, and are started again when they fall."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from aftersend.errors import Transient
from aftersend.platform.clock import ManualClock
from aftersend.platform.process import Supervisor, spawn
from tests.support.running import comes_true
from tests.support.spooling import AT

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
FAIL = [sys.executable, "-c", "raise SystemExit(3)"]
STUBBORN = [
    sys.executable,
    "-uc",
    "import signal; signal.signal(15, signal.SIG_IGN); print('ready'); signal.pause()",
]


@pytest.fixture
def clock() -> ManualClock:
    """Stand still."""
    return ManualClock(AT)


@pytest.fixture
def failing(clock: ManualClock) -> Iterator[Supervisor]:
    """Keep a process alive that ends at once."""
    supervisor = Supervisor({"x": FAIL}, clock, part="test")
    supervisor.start()
    yield supervisor
    supervisor.stop()


def _fall(supervisor: Supervisor) -> None:
    assert comes_true(lambda: supervisor.has_ended("x"), 30)


def test_who_falls_again_waits_longer_and_longer(failing: Supervisor, clock: ManualClock) -> None:
    """At once, then after 1, 2, 4 and 8 seconds; a sixth time in a minute is one too many."""
    pauses = []
    for _ in range(5):
        _fall(failing)
        fallen, waited = failing.process_id("x"), 0
        with capture_logs() as logs:
            failing.look_after()
            while failing.process_id("x") == fallen:
                clock.advance(1)
                waited += 1
                failing.look_after()
        pauses.append(waited)

        assert [(log["event"], log["exit_code"]) for log in logs] == [("started again", 3)]

    _fall(failing)

    assert pauses == [0, 1, 2, 4, 8]
    with pytest.raises(Transient, match=r"process x falls again and again \(exit status 3\)"):
        failing.look_after()


def test_an_old_fall_is_forgiven(failing: Supervisor, clock: ManualClock) -> None:
    """Five falls an hour apart are five first falls."""
    for _ in range(6):
        _fall(failing)
        fallen = failing.process_id("x")
        failing.look_after()
        clock.advance(3600)

        assert failing.process_id("x") != fallen


def test_all_are_ended(clock: ManualClock) -> None:
    """`stop` leaves nobody behind."""
    supervisor = Supervisor({"a": SLEEP, "b": SLEEP}, clock)
    supervisor.start()
    pids = [supervisor.process_id(name) for name in "ab"]
    supervisor.stop()

    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_who_does_not_listen_is_ended_by_force(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a patience of 15 seconds, none here."""
    monkeypatch.setattr("aftersend.platform.process._STOP_SECONDS_MAX", 0.1)
    told = tmp_path / "told"
    with told.open("wb") as file:
        process = subprocess.Popen(STUBBORN, stdout=file)
    assert comes_true(lambda: told.read_bytes() == b"ready\n", 30)
    supervisor = Supervisor({"x": STUBBORN}, clock)
    supervisor._running["x"] = process
    supervisor.stop()

    assert process.returncode == -signal.SIGKILL


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """Also when the parent had no time to say anything."""
    file = tmp_path / "pid"
    program = (
        "import os, pathlib, signal, sys;"
        "from aftersend.platform.process import spawn;"
        f"child = spawn({SLEEP!r});"
        f"pathlib.Path({str(file)!r}).write_text(str(child.pid));"
        "signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    assert comes_true(lambda: file.exists() and file.read_text() != "", 30)
    child = Path(f"/proc/{file.read_text()}")
    was_there = child.exists()
    parent.kill()
    parent.wait()

    assert was_there
    assert comes_true(lambda: not child.exists(), 30)


def test_open_files_are_handed_on() -> None:
    """A child finds those that are named under the same numbers, and no others."""
    ours, theirs = os.pipe()
    program = f"import os; os.write({theirs}, b'x'); os.fstat({ours})"
    child = spawn([sys.executable, "-c", program], descriptors=(theirs,))
    os.close(theirs)
    code = child.wait(60)

    assert (os.read(ours, 2), code) == (b"x", 1)

    os.close(ours)
