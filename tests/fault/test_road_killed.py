"""The collector killed under load, again and again: what was answered is in the lake, once."""

import http.client
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread

import pytest

from aftersend import app
from aftersend.app import Instance, open_instance, run_workflow
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.model.run import Counts
from aftersend.platform.entropy import SystemEntropy
from tests.support.running import free_port
from tests.support.sent_paths import sent_paths

KILLS = 20
VISITORS = 4
REQUESTS_MAX = 100_000


@dataclass(slots=True)
class _Seen:
    """What visitors asked, by the cookie that each request carried alone."""

    answered: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def note(self, source_id: str, *, is_answered: bool) -> None:
        with self.lock:
            (self.answered if is_answered else self.unanswered).add(source_id)


@pytest.fixture
def opened(tmp_path: Path) -> Instance:
    """Give an instance."""
    app.init(tmp_path / "instance", entropy=SystemEntropy())
    return open_instance(tmp_path / "instance")


def _start(opened: Instance, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "aftersend", "collector", "--instance"]
    process = subprocess.Popen(
        [*command, str(opened.directory), "--port", str(port)], stderr=subprocess.DEVNULL
    )
    for _ in range(3000):
        assert process.poll() is None, "the collector could not start"
        if _status(port, "/r/test", "") == 200:
            return process
        Event().wait(0.01)
    raise AssertionError("the collector does not answer")


def _status(port: int, path: str, source_id: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Cookie": f"uuid230={source_id}"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return answer.status
    finally:
        connection.close()


def _visit(port: int, paths: list[str], seen: _Seen, stop: Event, random: Random) -> None:
    for _ in range(REQUESTS_MAX):
        if stop.is_set():
            return
        source_id = str(uuid.UUID(bytes=random.randbytes(16), version=4))
        status = _status(port, random.choice(paths), source_id)
        assert status in (0, 200, 302)
        seen.note(source_id, is_answered=status != 0)
        if status == 0:
            stop.wait(0.02)


@contextmanager
def _visitors(port: int, paths: list[str], seed: int) -> Iterator[_Seen]:
    seen, stop = _Seen(), Event()
    threads = [
        Thread(target=_visit, args=(port, paths, seen, stop, Random(f"{seed}/{number}")))
        for number in range(VISITORS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _in_the_lake(opened: Instance) -> Counter[str]:
    connection = duckdb.connect()
    try:
        table = hits(connection, opened.lake())
        return Counter(table.select("source_id").to_pyarrow()["source_id"].to_pylist())
    finally:
        connection.disconnect()


@pytest.mark.heavy
@pytest.mark.long
def test_every_answered_hit_is_in_the_lake_exactly_once(opened: Instance) -> None:
    """Twenty SIGKILLs at random moments under load, with runs in between: none lost, none double.

    A request that got no answer may be there or not, but never twice. Mutants killed: the answer
    sent before the line is written; numbers that begin anew after a kill.
    """
    paths, port, seed = sent_paths(opened), free_port(), SystemEntropy().bytes(4).hex()
    random = Random(seed)
    total = Counts()
    collector = _start(opened, port)
    try:
        with _visitors(port, paths, int(seed, 16)) as seen:
            for kill in range(KILLS):
                Event().wait(random.uniform(0.05, 0.6))
                collector.send_signal(signal.SIGKILL)
                collector.wait()
                if kill % 5 == 4:
                    total += run_workflow(opened, "tracking").counts
                collector = _start(opened, port)
    finally:
        collector.terminate()
        collector.wait()
    total += run_workflow(opened, "tracking").counts
    in_the_lake = _in_the_lake(opened)

    assert len(seen.answered) > 200, f"seed {seed}: too little load to prove anything"
    assert {source: in_the_lake[source] for source in seen.answered} == dict.fromkeys(
        seen.answered, 1
    ), f"seed {seed}"
    assert set(in_the_lake) <= seen.answered | seen.unanswered
    assert max(in_the_lake.values()) == 1
    assert total.is_balanced
    assert (total.loaded, total.already, total.rejected) == (in_the_lake.total(), 0, {})
