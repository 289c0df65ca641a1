"""A process that is a tracking server: how it starts, and how it ends."""

import json
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from aftersend.collector.config import CollectorConfig
from aftersend.collector.server import serve
from aftersend.collector.worker import listen
from aftersend.errors import Busy, Transient
from tests.support.running import comes_true
from tests.support.spooling import opened, stored_lines
from tests.support.tracking_server import SHOP, configured, made_catalogue, publish, spelled

Start = Callable[..., subprocess.Popen[bytes]]

# What a click must never wait for.
FOREIGN = {
    "alembic", "deltalake", "duckdb", "ibis", "litestar", "numpy", "pandas", "psycopg", "pyarrow",
    "sqlalchemy", "sqlite3",
}  # fmt: skip
FOREIGN_PARTS = {
    "content",
    "database",
    "delivery",
    "lake",
    "reports",
    "tracking",
    "web",
    "workflow",
}


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a server that starts inside this process does to its logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> CollectorConfig:
    """Describe a server on a port that is free now."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    made = configured(tmp_path, port=port)
    publish(made, made_catalogue())
    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers as processes; all are gone after the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(config: CollectorConfig, *, is_awaited: bool = True) -> subprocess.Popen[bytes]:
        file = tmp_path / f"config{len(processes)}"
        file.write_bytes(pickle.dumps(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.tracking_server", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        if is_awaited:
            _wait_until_it_answers(process, config)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def _wait_until_it_answers(process: subprocess.Popen[bytes], config: CollectorConfig) -> None:
    transport = httpx.HTTPTransport(verify=False)
    with httpx.Client(base_url=_url(config), transport=transport, timeout=1) as client:
        while process.poll() is None:
            try:
                client.get("/r/test")
            except httpx.TransportError:
                continue
            return
    raise AssertionError(process.communicate()[1].decode())


def _url(config: CollectorConfig) -> str:
    return f"http://127.0.0.1:{config.port}"


def test_it_starts_without_a_database_and_ends_in_order(
    config: CollectorConfig, start: Start
) -> None:
    """A click needs none of the packages that a report needs, and SIGTERM loses nothing."""
    process = start(config)
    answer = httpx.get(f"{_url(config)}/r/{spelled(SHOP)}")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    loaded = set(json.loads(output))

    assert answer.status_code == 302
    assert process.returncode == 0
    assert {name.partition(".")[0] for name in loaded} & FOREIGN == set()
    assert {f"aftersend.{part}" for part in FOREIGN_PARTS} & loaded == set()
    assert len(stored_lines(config.spool_directory)) == 1


def test_what_is_under_way_is_answered_before_the_end(
    config: CollectorConfig, start: Start
) -> None:
    """A request that has begun when the signal comes gets its answer, and its line stays."""
    process = start(config)
    with socket.create_connection(("127.0.0.1", config.port)) as connection:
        connection.sendall(f"GET /r/{spelled(SHOP)} HTTP/1.1\r\nHost: t".encode())
        assert comes_true(lambda: _is_read(connection, config.port), 30)
        process.send_signal(signal.SIGTERM)
        connection.sendall(b".example\r\n\r\n")
        answer = connection.recv(4096)

    process.communicate(timeout=30)

    assert answer.startswith(b"HTTP/1.1 302 Found\r\n")
    assert len(stored_lines(config.spool_directory)) == 1


def _is_read(connection: socket.socket, port: int) -> bool:
    """Tell whether the server has accepted a connection and taken all that was sent."""
    ends = f":{port:04X}", f":{connection.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines():
        words = line.split()
        local, remote, queues = words[1], words[2], words[4]
        if local.endswith(ends[0]) and remote.endswith(ends[1]):
            return words[9] != "0" and queues.endswith(":00000000")
    return False


def test_a_client_that_never_ends_does_not_hold_the_server(
    config: CollectorConfig, start: Start
) -> None:
    """After a while, connections are cut; the status is still 0."""
    process = start(config)
    with socket.create_connection(("127.0.0.1", config.port)) as connection:
        connection.sendall(b"GET /r/x HTTP/1.1\r\nHost: t")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 0


def test_a_killed_server_leaves_port_and_spool_at_once(
    config: CollectorConfig, start: Start
) -> None:
    """SIGKILL leaves no second process behind that would hold either."""
    first = start(config)
    httpx.get(f"{_url(config)}/r/{spelled(SHOP)}")
    first.kill()
    first.wait()

    opened(config.spool_directory).close()
    listen("127.0.0.1", config.port).close()

    start(config)

    assert len(stored_lines(config.spool_directory)) == 1


def test_a_port_in_use_is_told(config: CollectorConfig) -> None:
    """One sentence that says what to do; the spool is not touched."""
    with (
        listen("127.0.0.1", config.port),
        pytest.raises(Busy, match=f"127.0.0.1:{config.port} is in use by another program; choose"),
    ):
        serve(config)

    opened(config.spool_directory).close()


def test_a_spool_in_use_is_told(config: CollectorConfig) -> None:
    """Two servers with one id would give the same numbers; the second frees its port again."""
    writer = opened(config.spool_directory)
    with pytest.raises(Busy, match="in use by another tracking server"):
        serve(config)
    writer.close()

    listen("127.0.0.1", config.port).close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "192.0.2.1"}, "192.0.2.1:[0-9]+ cannot be listened on: "),
        ({"host": "nowhere.invalid"}, "nowhere.invalid:[0-9]+ cannot be listened on: "),
        ({"spool_directory": Path("/proc/spool")}, "cannot use /proc/spool"),
        ({"catalogue_directory": Path("/dev/null/catalogue")}, "cannot use /dev/null"),
    ],
)
def test_an_impossible_place_is_told(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """One sentence, no traceback."""
    with pytest.raises(Transient, match=sentence):
        serve(configured(tmp_path, **({"port": 0} | changes)))


def test_many_connections_are_possible(config: CollectorConfig, start: Start) -> None:
    """More than the usual limit of open files of a process: mail arrives everywhere at once."""
    process = start(config)
    limit = Path(f"/proc/{process.pid}/limits").read_text()
    soft, hard = next(
        line.split()[3:5] for line in limit.splitlines() if line.startswith("Max open files")
    )

    assert int(soft) == min(int(hard), 65_536)
