"""Loading lines: what is rejected and why, and what a row of the lake holds."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aftersend.database import schema
from aftersend.database.user_agents import agent_id
from aftersend.errors import Busy
from aftersend.model.ids import DeliveryId, ServerId, UrlId
from aftersend.model.run import Counts
from aftersend.tracking import inbox
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.load import load
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import NOW, World, line, make_world, story_sources

ONE = ServerId("1")
HIT = NaiveHit("", naive.START, 1, 2, "browser")


def keep(world: World, data: bytes, *, first: int, last: int, offset: int = 0) -> None:
    """Put lines into the inbox of server 1."""
    inbox.keep(world.inbox, ONE, Stretch(first, last, "0x1.log", offset, data))


def load_lines(world: World, *lines: bytes) -> Counts:
    """Load some lines as one stretch of numbers 1 to 9."""
    keep(world, b"".join(lines), first=1, last=9)
    report = load(world.context([]))
    assert report.counts.is_balanced
    return report.counts


def test_a_row_tells_all_of_a_line_and_its_message(tmp_path: Path) -> None:
    """The line's own fields, and recipient, domain and type from the control plane."""
    world = make_world(tmp_path)
    at = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    parameters = "x=1&amount=10.5&article=2"

    load_lines(world, line(HIT, "1", 1, at=at, parameters=parameters, user_agent="Ü", flags="x"))

    assert [
        {
            "log_id": "10x0000000000000001",
            "at": at,
            "day": at.date(),
            "delivery_id": 2,
            "message_id": 1,
            "recipient_id": 101,
            "url_id": 2,
            "url_type": 1,
            "part": "h",
            "source_id": "browser",
            "flags": "x",
            "domain": "example1.com",
            "is_seed": False,
            "agent_id": agent_id("Ü"),
            "address": "127.0.0.1",
            "amount": 10.5,
            "article": 2,
            "parameters": parameters,
        }
    ] == world.hits()
    with world.database.read() as connection:
        assert [(agent_id("Ü"), "Ü")] == connection.execute(
            select(schema.user_agent.c.id, schema.user_agent.c.text)
        ).all()


@pytest.mark.parametrize(
    ("parameters", "amount", "article"),
    [
        ("", None, None),
        ("amount=1e9&article=1.5", None, None),
        ("amount=-3&article=-1", -3.0, -1),
        ("xamount=1&articles=2", None, None),
        ("article=9999999999999999&amount=nan", None, None),
    ],
)
def test_only_numbers_are_amounts(
    tmp_path: Path, parameters: str, amount: float | None, article: int | None
) -> None:
    """What is no plain number is no amount; the text of the parameters stays."""
    world = make_world(tmp_path)

    load_lines(world, line(HIT, "1", 1, parameters=parameters, address="", user_agent=""))

    [row] = world.hits()
    assert (amount, article, parameters) == (row["amount"], row["article"], row["parameters"])
    assert (None, 0) == (row["address"], row["agent_id"])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (line(HIT, "2", 2), "server"),
        (line(HIT, "1", 10), "range"),
        (line(HIT, "1", 0), "range"),
        (line(HIT, "1", 1), "duplicate"),
        (line(HIT, "1", 2, message_id=0), "unresolved"),
        (line(HIT, "1", 2, message_id=2**62), "unresolved"),
        (line(HIT, "1", 2, delivery_id=DeliveryId(3)), "unresolved"),
        (line(HIT, "1", 2, url_id=UrlId(0)), "unknown_url"),
        (line(HIT, "1", 2, url_id=UrlId(99)), "unknown_url"),
        (line(HIT, "1", 2, url_id=UrlId(naive.URL_OF_DELIVERY_1)), "unknown_url"),
        (line(HIT, "1", 2).replace(b"2026", b"20x6"), "shape"),
    ],
)
def test_a_line_that_cannot_be_true_is_rejected(tmp_path: Path, raw: bytes, reason: str) -> None:
    """It is kept with its place, its bytes and the reason; the line before it is loaded."""
    world = make_world(tmp_path)
    good = line(HIT, "1", 1)

    counts = load_lines(world, good, raw)

    assert Counts(read=2, loaded=1, rejected={reason: 1}) == counts
    assert [("1", "0x1.log", len(good), reason, raw[:-1])] == world.rejected()
    assert 9 == world.lake.pointer(ONE)


def test_lines_that_are_all_rejected_move_the_pointer(tmp_path: Path) -> None:
    """Damage alone does not hold up the lines behind it."""
    world = make_world(tmp_path)

    counts = load_lines(world, b"damaged\n", b"more\n")

    assert {"fields": 2} == counts.rejected
    assert (9, []) == (world.lake.pointer(ONE), world.hits())


def test_a_line_rejected_before_stays_rejected(tmp_path: Path) -> None:
    """Rejected by a run that ended before its commit, a line counts as dealt with.

    That its message has become known since changes nothing.
    """
    world = make_world(tmp_path)
    raw = line(HIT, "1", 1, message_id=77) + b"damaged\n"
    keep(world, raw, first=1, last=9)

    class Stopped(BaseException):
        pass

    def stop(point: str) -> None:
        if point == "load:rejected":
            raise Stopped

    with pytest.raises(Stopped):
        load(world.context([], stop))
    with world.database.write() as connection:
        connection.execute(
            schema.message.insert().values(
                id=77,
                delivery_id=2,
                recipient_id=1,
                address="new@example.com",
                domain="example.com",
                status=1,
                event_at=NOW,
            )
        )

    assert Counts(read=2, already=2) == load(world.context([])).counts
    assert ([], 2) == (world.hits(), len(world.rejected()))


def test_lines_of_a_file_that_was_half_loaded_count_as_loaded_before(tmp_path: Path) -> None:
    """A stretch that begins behind the pointer's line is new, what lies before is not."""
    world = make_world(tmp_path)
    load_lines(world, line(HIT, "1", 1))
    keep(world, b"".join(line(HIT, "1", number) for number in (8, 9, 10, 11)), first=8, last=11)

    counts = load(world.context([])).counts

    assert Counts(read=4, loaded=2, already=2) == counts


def test_files_are_loaded_in_bounded_batches(tmp_path: Path) -> None:
    """As many commits as it takes; the same rows as in one."""
    worlds: list[dict[str, Any]] = []
    for lines_max, commits in ((3, 11), (1000, 2)):
        world = make_world(tmp_path / str(lines_max))
        world.load_lines_max = lines_max
        world.run(story_sources())
        worlds.append(world.state())
        assert commits == world.lake.version

    assert worlds[0] == worlds[1]


def test_a_server_that_cannot_be_told_does_not_stop_the_run(tmp_path: Path) -> None:
    """Lines are ours whether the server hears of it or not; a warning says so."""
    world = make_world(tmp_path)
    sources = story_sources()
    load_lines(world, line(HIT, "1", 1))
    keep(world, line(HIT, "1", 10), first=10, last=10)
    sources[0].is_down = True

    report = load(world.context(sources))

    assert report.is_warning
    assert "does not answer" in report.text
    assert (1, []) == (report.counts.loaded, inbox.pending(world.inbox, ONE))


def test_who_comes_second_loads_nothing(tmp_path: Path) -> None:
    """Two runs over the same inbox: one is told that somebody else is at it."""
    world = make_world(tmp_path)
    keep(world, line(HIT, "1", 1), first=1, last=9)
    other = make_world(tmp_path)

    def overtake(point: str) -> None:
        if point == "load:agents":
            load(other.context([]))

    with pytest.raises(Busy):
        load(world.context([], overtake))

    assert 1 == len(world.hits())
