"""Several tracking servers on one port, as real processes."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from aftersend.app import init, open_instance, run_workflow
from aftersend.audience.letter import Letter
from aftersend.cli.post import Post
from aftersend.collector.worker import listen
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.platform.entropy import SystemEntropy
from tests.support.hammer import Answered, hammer
from tests.support.running import Running, comes_true, free_port, up
from tests.support.spooling import opened, stored_lines
from tests.support.tracking_server import SHOP, spelled
from tests.support.workers import WorkerSet

pytestmark = [pytest.mark.heavy, pytest.mark.long]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[WorkerSet]:
    """Give two servers that are not started yet."""
    made = WorkerSet(tmp_path / "instance")
    yield made
    made.close()


def _click(workers: WorkerSet, message_id: int = 300) -> httpx.Response:
    """Click once, on a connection of its own."""
    token = spelled(SHOP, message_id=message_id, keys=workers.config.keys)
    return httpx.get(f"{workers.url}/r/{token}")


def _stored(workers: WorkerSet) -> Counter[Answered]:
    lines = [line for spool in workers.spools for line in stored_lines(spool)]
    log_ids = [(line.server, line.number) for line in lines]
    assert len(set(log_ids)) == len(log_ids), "a log id is given once"
    return Counter(Answered(line.message_id, line.url_id) for line in lines)


@pytest.mark.parametrize("is_gentle", [False, True])
def test_every_answered_hit_is_in_one_spool(workers: WorkerSet, is_gentle: bool) -> None:
    """While servers are killed and come back, and while all are asked to end, under load."""
    workers.is_gentle = is_gentle
    answered = hammer(workers, kills=2 if is_gentle else 4, seed=4)
    status, logs = workers.stop()
    stored = _stored(workers)

    assert status == 0
    assert len(answered) > 100
    assert set(answered) <= stored.keys()
    assert set(stored.values()) == {1}
    assert logs.count('"event": "started again"') == (0 if is_gentle else 4)
    if not is_gentle:  # who is killed leaves its clients to the other
        assert all(stored_lines(spool) for spool in workers.spools), "both have served"


def test_one_falls_and_the_other_goes_on(workers: WorkerSet) -> None:
    """Nobody notices, health tells it, and the fallen one comes back with its own spool."""
    workers.start()
    first, second = workers.process_ids
    os.kill(first, signal.SIGSTOP)  # so that the other gets the click
    _click(workers, 1)
    os.kill(first, signal.SIGKILL)
    answer = _click(workers, 2)
    health = httpx.get(f"{workers.url}/health").json()
    workers.killed.append(first)
    workers.start()
    later = httpx.get(f"{workers.url}/health").json()

    assert answer.status_code == 302
    assert {each["server_id"] for each in health["servers"]} == {"1", "2"}
    assert later["status"] == "ok"
    assert workers.process_ids[1] == second
    assert workers.process_ids[0] not in (0, first)


def test_all_end_with_the_one_that_keeps_them(workers: WorkerSet) -> None:
    """Killed without a word, it leaves neither processes nor port nor spools behind."""
    workers.start()
    pids = workers.process_ids
    assert workers.process is not None
    workers.process.kill()
    workers.process.communicate()

    assert comes_true(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30)
    listen("127.0.0.1", workers.port).close()
    for spool in workers.spools:
        opened(spool).close()


def test_ctrl_c_ends_all_in_order(workers: WorkerSet) -> None:
    """The terminal tells everybody at once; that is no fall."""
    workers.start()
    _click(workers)
    for pid in workers.process_ids:
        os.kill(pid, signal.SIGINT)
    status, logs = workers.stop(signal.SIGINT)

    assert status == 0
    assert "started again" not in logs
    assert workers.process_ids == [0, 0]
    assert sum(_stored(workers).values()) == 1


def test_who_is_told_again_and_again_ends_in_order(workers: WorkerSet) -> None:
    """Whatever it is doing at that moment, to its last one.

    Mutant killed: signals heard by the event loop alone, which is closed before the rest is.
    """
    workers.start()
    _click(workers)
    pids = workers.process_ids
    while any(workers.process_ids):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            break
    left = workers.process_ids
    workers.stop(signal.SIGINT)

    assert set(left).isdisjoint(pids)
    assert sum(_stored(workers).values()) == 1


def test_a_port_in_use_is_told(workers: WorkerSet) -> None:
    """One sentence, exit status 1, and no server was started."""
    with listen("127.0.0.1", workers.port):
        ended = subprocess.run(workers.command, capture_output=True, timeout=60)

    assert ended.returncode == 1
    assert ended.stderr.decode() == (
        f"aftersend: 127.0.0.1:{workers.port} is in use by another program; choose another port.\n"
    )
    assert not any(spool.exists() for spool in workers.spools)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--server-id", "2"], "Server id 2 is in use by another tracking server"),
        (["--server-id", "0", "--workers", "2"], "Server id 1 is in use by another tracking"),
        (["--server-id", "y", "--workers", "3"], "there are ids for 2 workers, not for 3"),
    ],
)
def test_ids_never_collide(workers: WorkerSet, options: list[str], sentence: str) -> None:
    """A second start that would take an id again says which, and ends; the first goes on."""
    workers.start()
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(workers.instance)]
    port = ["--port", str(free_port())]
    ended = subprocess.run([*command, *port, *options], capture_output=True, timeout=60)

    assert ended.returncode == 1
    assert sentence in ended.stderr.decode()
    assert _click(workers).status_code == 302


def test_what_a_last_time_has_left_is_not_believed(workers: WorkerSet) -> None:
    """A machine that starts anew gives the same process ids again."""
    workers.start()
    run = workers.instance / "var" / "run"
    left = {path.name: path.read_bytes() for path in run.glob("collector-*.json")}
    workers.stop()
    for name, raw in left.items():
        (run / name).write_bytes(raw)
    writer = opened(workers.spools[1])
    ended = subprocess.run(workers.command, capture_output=True, timeout=60)
    writer.close()

    assert len(left) == 2
    assert ended.returncode == 1
    assert ended.stderr.decode().count("Server id 2 is in use by another tracking server") == 1
    assert "The tracking server 2 could not start; see above." in ended.stderr.decode()
    assert not any((run / name).exists() for name in left)


def test_a_second_set_takes_nothing_from_the_first(workers: WorkerSet) -> None:
    """Started twice by mistake, on another port: the first serves, and tells of all its servers."""
    workers.start()
    pids = workers.process_ids
    command = [*workers.command[: workers.command.index("--port") + 1], str(free_port())]
    ended = subprocess.run(
        [*command, "--workers", "2", "--server-id", "1"], capture_output=True, timeout=60
    )
    answers = [_click(workers, number).status_code for number in range(1, 21)]

    assert ended.returncode == 1
    assert "is in use by another tracking server" in ended.stderr.decode()
    assert answers == [302] * 20
    assert comes_true(lambda: workers.process_ids == pids, 30), "they tell again how they fare"
    assert httpx.get(f"{workers.url}/health").json()["status"] == "ok"
    assert set(_stored(workers).values()) == {1}


def test_who_is_killed_while_telling_is_told_of(workers: WorkerSet) -> None:
    """Half a snapshot is never read, a stale one is known by its age, and both are replaced."""
    workers.start()
    first, second = workers.process_ids
    run = workers.instance / "var" / "run"
    os.kill(second, signal.SIGSTOP)
    stale = (run / "collector-2.json").read_bytes()
    assert comes_true(lambda: _fares(workers, "2") == "silent", 30)
    os.kill(second, signal.SIGKILL)
    (run / ".collector-2.json.new").write_bytes(stale[:100])
    workers.killed.append(second)
    workers.start()

    assert comes_true(lambda: _fares(workers, "2") == "ok", 30)
    assert workers.process_ids[0] == first
    assert (run / "collector-2.json").read_bytes() != stale


def _fares(workers: WorkerSet, server_id: str) -> str:
    servers = httpx.get(f"{workers.url}/health").json()["servers"]
    return str({each["server_id"]: each["status"] for each in servers}[server_id])


def test_everything_at_once_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` follows `collector.workers`, and brings all back when the one that keeps them falls."""
    monkeypatch.setenv("AFTERSEND_COLLECTOR__WORKERS", "2")
    instance = tmp_path / "instance"
    init(instance, entropy=SystemEntropy())
    with up(instance) as running:
        assert comes_true(lambda: _are_well(running), 30)
        (keeper,) = running.children("collector")
        os.kill(keeper, signal.SIGKILL)

        assert comes_true(lambda: keeper not in running.children("collector"), 30)
        assert comes_true(lambda: _are_well(running), 60)


def _are_well(running: Running) -> bool:
    try:
        health = httpx.get(f"{running.collector_url}/health").json()
    except httpx.HTTPError:
        return False
    return [each["status"] for each in health["servers"]] == ["ok", "ok"]


def test_ipv6_works_with_workers_too(workers: WorkerSet) -> None:
    """The address is printed as it is typed into a browser; clients keep theirs."""
    workers.host = "::1"
    workers.start()
    answer = _click(workers)
    status, logs = workers.stop()

    assert (status, answer.status_code) == (0, 302)
    assert f'"address": "http://[::1]:{workers.port}"' in logs
    lines = [line for spool in workers.spools for line in stored_lines(spool)]
    assert [line.address for line in lines] == ["::1"]


def test_all_addresses_at_once(workers: WorkerSet) -> None:
    """`::` takes IPv4 too where the system lets it, and an IPv4 client is noted as one."""
    workers.host = "::"
    workers.start()
    workers.host = "127.0.0.1"
    answers = [_click(workers), httpx.get(f"http://[::1]:{workers.port}/r/test")]
    workers.stop()

    assert [answer.status_code for answer in answers] == [302, 200]
    lines = [line for spool in workers.spools for line in stored_lines(spool)]
    assert [line.address for line in lines] == ["127.0.0.1"]


def test_the_workflow_loads_all_spools(workers: WorkerSet) -> None:
    """Each server's lines come by its own pointer, once."""
    home = open_instance(workers.instance)
    letter = _send(workers.instance)
    workers.start()
    for alone, stopped in (workers.process_ids, workers.process_ids[::-1]):
        os.kill(stopped, signal.SIGSTOP)
        assert Path(f"/proc/{alone}").exists()
        for link in letter.links:
            assert httpx.get(workers.url + link).status_code == 302
        os.kill(stopped, signal.SIGCONT)
    workers.stop()
    counts = run_workflow(home, "tracking").counts
    again = run_workflow(home, "tracking").counts

    count = len(letter.links)
    assert [len(stored_lines(spool)) for spool in workers.spools] == [count, count]
    assert (counts.read, counts.loaded, again.read) == (2 * count, 2 * count, 0)


def _send(instance: Path) -> Letter:
    home = open_instance(instance)
    file = home.var / "recipients.csv"
    file.write_text("email\nada@x.example\n")
    import_recipients(home.database, file, clock=home.clock)
    html = '<p><a href="https://shop.example/a">a</a> <a href="https://shop.example/b">b</a></p>'
    with Post(home) as post:
        _, (letter,) = post.send(Draft("Two", "A <a@b.example>", "Hello", html))
    return letter
