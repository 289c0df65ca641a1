"""What strangers may make up takes no memory that lasts, and no more time than a click.

Every table that a request can reach is bounded: user agents, judged addresses, catalogues that are
not there, links that lead nowhere.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import BinaryIO

import pytest

from tests.support.lingering import Lingering, lingering
from tests.support.soak import resident_bytes
from tests.support.tracking_server import SHOP, spelled

pytestmark = [pytest.mark.heavy, pytest.mark.long]

REQUESTS = 200_000
AT_ONCE = 50
GROWTH_BYTES_MAX = 2 * 1024 * 1024
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lingering]:
    """Run a server whose tables are all in use, but for that of the budget: it lasts a minute."""
    with lingering(
        tmp_path,
        trusted_proxies=("127.0.0.1",),
        has_legacy_links=True,
        resource_directory=tmp_path,
        source_hits_per_minute_max=0,
    ) as running:
        yield running


def test_strangers_take_no_memory(server: Lingering) -> None:
    """After as many requests again, no two alike, the process has not grown.

    Killed: user agents, missing catalogues and judged addresses that are kept without a bound.
    """
    chance = random.Random(9)
    with server.open() as connection:
        reader = connection.makefile("rb")
        memory = []
        for _ in range(2):
            statuses = set()
            for _ in range(REQUESTS // 2 // AT_ONCE):
                raws = [_made_up(chance) for _ in range(AT_ONCE)]
                connection.sendall("".join(raws).encode())
                statuses |= {_status(reader) for _ in raws}
            memory.append(resident_bytes(server.process.pid))

    assert statuses == {200, 302, 404}
    assert memory[1] - memory[0] < GROWTH_BYTES_MAX, memory


def test_garbage_is_refused_as_fast_as_a_click_is_answered(server: Lingering) -> None:
    """A token of ten kilobytes that is none costs about what a click does."""
    click, garbage = spelled(SHOP), "a" * 10_000
    signed = spelled(SHOP)[:-4] + "a" * 7_000
    times: dict[str, list[float]] = {path: [] for path in (click, garbage, signed)}
    with server.open() as connection:
        reader = connection.makefile("rb")
        for _ in range(300):
            for path, taken in times.items():
                begun_at = perf_counter()
                connection.sendall(f"GET /r/{path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
                assert _status(reader) == (302 if path == click else 404)
                taken.append(perf_counter() - begun_at)

    assert median(times[garbage]) < 5 * median(times[click])
    assert median(times[signed]) < 5 * median(times[click])


def _made_up(chance: random.Random) -> str:
    """Spell a request as nobody has sent it before."""
    path = chance.choice(MADE_UP)(chance)
    source = f"{chance.getrandbits(128):032x}"
    uuid = "-".join((source[:8], source[8:12], source[12:16], source[16:20], source[20:]))
    address = f"2001:db8:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}::1"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {source}.example\r\nUser-Agent: {source} (Linux)\r\n"
        f"X-Forwarded-For: {address}\r\nCookie: uuid230={uuid}; nlid={_token(chance)}\r\n\r\n"
    )


def _token(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=chance.choice((22, 24, 30, 60))))


def _garbled(chance: random.Random) -> str:
    """Change one letter of a token of ours: it is answered as one that nobody has signed."""
    token = spelled(SHOP)
    at = chance.randrange(len(token))
    return f"/r/{token[:at]}{chance.choice(LETTERS)}{token[at + 1 :]}"


MADE_UP: list[Callable[[random.Random], str]] = [
    lambda chance: f"/r/{_token(chance)}",
    lambda chance: f"/r/{_token(chance)}.gif",
    _garbled,
    lambda chance: f"/r/{spelled(SHOP, message_id=chance.getrandbits(40) + 1)}",
    lambda chance: f"/r/?tagid=t{chance.getrandbits(64):x}%7Cw&rcpid=email=x{chance.random()}",
    # Most often: what is kept of one is the least.
    *3 * (lambda chance: f"/r/?id=h1,{chance.getrandbits(60):x},2&p1={chance.random()}",),
    lambda chance: f"/r/consent?choice={chance.choice(('allow', 'forbid'))}&x={chance.random()}",
    lambda chance: f"/r/ping/{chance.getrandbits(128):032x}",
    lambda chance: f"/res/img/{chance.getrandbits(64):x}.png",
    lambda chance: f"/{chance.getrandbits(64):x}",
]


def _status(reader: BinaryIO) -> int:
    """Read one whole answer and give its status."""
    line = reader.readline()
    length = 0
    while (header := reader.readline().lower()) not in (b"\r\n", b""):
        if header.startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    reader.read(length)
    return int(line.split(b" ")[1])
