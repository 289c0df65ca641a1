"""The client that keeps a pace."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, create_server, socket

import pytest

from bench import paced
from bench.paced import Client, Outcome, Pace, percentile

_FOUND = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 4\r\n\r\n"
_MISSED = b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\n"


@contextmanager
def _server(head: bytes, *, is_silent: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Answer on every connection, in two pieces; give where, and the requests that came."""
    asked: list[bytes] = []
    with create_server(("127.0.0.1", 0)) as listener:

        def answer(connection: socket) -> None:
            with connection:
                connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                while request := connection.recv(4096):
                    asked.append(request)
                    if not is_silent:
                        connection.sendall(head)
                        connection.sendall(b"body")

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(2)
        accepting.join()


def _ask(url: str, **changes: int) -> Outcome:
    values = {"rate": 100, "seconds": 1, "connections": 2} | changes
    return Client(url, Pace(paths=["/a", "/b"], **values)).run()


def test_every_due_request_is_sent_in_turn() -> None:
    """A rate times a duration gives that many answers, from all paths, and latencies."""
    with _server(_FOUND) as (url, asked):
        outcome = _ask(url)

    assert (outcome.answers, outcome.missing, outcome.errors) == (100, 0, 0)
    assert Counter({b"/a": 50, b"/b": 50}) == Counter(each.split(b" ")[1] for each in asked)
    assert 0 < outcome.p50_ms <= outcome.p99_ms <= outcome.max_ms


def test_errors_are_counted() -> None:
    """An answer of 400 or above is an error, and still an answer."""
    with _server(_MISSED) as (url, _):
        outcome = _ask(url, rate=10)

    assert (outcome.answers, outcome.errors) == (10, 10)


def test_who_never_answers_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is silent is charged with all that was due, not with what could be sent."""
    monkeypatch.setattr(paced, "_GRACE_SECONDS", 0.1)
    with _server(b"", is_silent=True) as (url, asked):
        outcome = _ask(url)

    assert (outcome.answers, outcome.missing, len(asked)) == (0, 100, 2)


def test_waiting_counts_from_when_it_was_due() -> None:
    """Where no connection is free, the wait for one belongs to the latency."""
    client = Client("http://127.0.0.1:1", Pace(10, 1, 1, ["/"]))
    client.latencies = [0.001, 0.5]

    outcome = client._outcome(10, 1.0)

    assert (outcome.missing, outcome.p50_ms, outcome.max_ms) == (8, 1.0, 500.0)


def test_a_run_is_a_process_of_its_own(tmp_path: Path) -> None:
    """What the child prints is what the caller gets."""
    with _server(_FOUND) as (url, _):
        outcome = paced.run(url, Pace(20, 1, 2, ["/"]), tmp_path)

    assert (outcome.answers, outcome.missing) == (20, 0)


def test_percentiles_are_values_that_were_seen() -> None:
    """The hundredth of a hundred is the largest; nothing has no percentile."""
    assert percentile(list(range(1, 101)), 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) != percentile([], 0.5)
