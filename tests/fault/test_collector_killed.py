"""A tracking server that is killed under load loses nothing that it answered."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from aftersend import spool
from aftersend.collector.worker import listen
from aftersend.model import logline
from aftersend.spool import Limits
from tests.support.hammer import Answered, Server, hammer
from tests.support.spooling import stored_lines
from tests.support.tracking_server import configured, made_catalogue, publish

KILLS = 20


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """Give a server with small segments, so that kills meet rotations too."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    config = configured(
        tmp_path,
        port=port,
        fsync_interval_ms=request.param,
        limits=Limits(segment_bytes_max=20_000),
    )
    publish(config, made_catalogue())
    made = Server(config, tmp_path / "config")
    yield made
    made.kill()


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.parametrize(("server", "kills"), [(50, KILLS), (0, 5)], indirect=["server"])
def test_every_answered_hit_is_stored_exactly_once(
    server: Server, kills: int, record_property: Callable[[str, object], None]
) -> None:
    """Killed twenty times at any moment, with and without waiting for the disk; read meanwhile."""
    directory = server.config.spool_directory
    ended = Event()
    read: list[bytes] = []
    reader = Thread(target=_read_on, args=(directory, ended, read))
    reader.start()
    try:
        answered = hammer(server, kills=kills, seed=kills)
        status = server.stop()
    finally:
        ended.set()
        reader.join()
    lines = stored_lines(directory)
    stored = Counter(Answered(line.message_id, line.url_id) for line in lines)
    numbers = [line.number for line in lines]
    record_property("answered", len(answered))

    assert status == 0
    assert len(answered) > 20 * kills
    assert set(answered) <= stored.keys()
    assert set(stored.values()) == {1}
    assert numbers == sorted(set(numbers))
    assert [logline.decode(raw) for raw in read] == lines


def _read_on(directory: Path, ended: Event, read: list[bytes]) -> None:
    """Read the spool while its server dies and comes back, and once more at the end."""
    after = 0
    is_last = False
    while not is_last:
        is_last = ended.wait(0.02)
        while chunk := spool.read(directory, after=after, lines_max=500, bytes_max=1 << 20):
            read += chunk.data.splitlines(keepends=True)
            after = chunk.last
