"""Rejected lines: looked at, tried again, repaired."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from aftersend.database import audit, schema
from aftersend.errors import InvalidInput
from aftersend.lake import rejected as lines_rejected
from aftersend.model.ids import ServerId
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.tracking.rejected import Repaired, Retried, exported, listed, repair, retry
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import (
    LATE,
    Visit,
    World,
    add_message,
    keep_lines,
    line,
    make_world,
    story_sources,
)

HIT = NaiveHit("", naive.START, 1, 2)
SEGMENT = "0x0000000000000001.log"
NO_URL = 77


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give an instance with a good line, and lines of an unknown message and an unknown link."""
    world = make_world(tmp_path)
    unknown = Visit(naive.START, "", message_id=LATE, delivery_id=2, url_id=2)
    no_url = Visit(naive.START, "", message_id=1, delivery_id=2, url_id=NO_URL)
    keep_lines(world, "1", [HIT, unknown, no_url])
    load(world.context([]))
    return world


@pytest.fixture
def damaged(tmp_path: Path) -> World:
    """Give an instance whose second line is damaged behind its log id, the third all over."""
    world = make_world(tmp_path)
    broken = line(HIT, "1", 2).replace(b"2026-", b"2O26-")
    _keep(world, line(HIT, "1", 1) + broken + b"garbage\n")
    load(world.context([]))
    return world


def _keep(world: World, data: bytes) -> None:
    keep_lines(world, "1", [HIT] * 3)
    (file,) = world.inbox.rglob("*.lines")
    file.write_bytes(data)


def audited(world: World) -> list[tuple[str, str, str]]:
    """List what the audit trail says was done with lines."""
    with world.database.read() as connection:
        return [
            (entry.action, entry.name, entry.operator)
            for entry in audit.entries(connection, entity="rejected_line")
        ]


def test_lines_are_listed_newest_first_and_counted(tmp_path: Path) -> None:
    """Page by page, of one reason and one server or of all."""
    world = make_world(tmp_path)
    context = world.context(story_sources())
    download(context)
    load(context)
    later = Visit(naive.START, "", message_id=LATE, delivery_id=2, url_id=2)
    world.clock.advance(60)
    keep_lines(world, "1", [later], first=100)
    load(world.context([]))

    everything = listed(world.lake)
    pages = [listed(world.lake, limit=4, offset=at).rows for at in range(0, everything.total, 4)]
    of_two = listed(world.lake, server=ServerId("2"))

    assert everything.total == len(everything.rows) == len(world.rejected())
    assert sum(everything.by_reason.values()) == everything.total
    assert everything.rows[0].log_id == "10x0000000000000064"
    assert list(everything.rows) == [row for page in pages for row in page]
    assert {"2"} == {row.server for row in of_two.rows}
    assert {"length": 1, "unresolved": 1, "incomplete_visit": 2} == of_two.by_reason
    assert 3 == listed(world.lake, reason="fields", limit=1).total


def test_tried_again_lines_are_loaded_when_they_can_be(world: World) -> None:
    """The message is there now, and the link: read = loaded + already + rejected."""
    first = retry(world.context([]), operator="ada")
    add_message(world, LATE)
    second = retry(world.context([]), operator="ada")
    with world.database.write() as connection:
        row: dict[str, Any] = {"type": 1, "mode": "enabled", "part": "h", "label": "", "source": ""}
        connection.execute(insert(schema.tracked_url).values(id=NO_URL, delivery_id=2, **row))
    third = retry(world.context([]), reason="unknown_url", operator="ada")
    last = retry(world.context([]))

    assert [
        Retried(2, 0, 0, {"unresolved": 1, "unknown_url": 1}),
        Retried(2, 1, 0, {"unknown_url": 1}),
        Retried(1, 1, 0, {}),
        Retried(0, 0, 0, {}),
    ] == [first, second, third, last]
    assert [1, 2, 3] == [int(hit["log_id"][-1]) for hit in world.hits()]
    assert [] == world.rejected()
    assert 3 == audited(world).count(("retry", "all", "ada"))


def test_only_lines_of_the_reason_and_server_are_tried(world: World) -> None:
    """The others stay."""
    add_message(world, LATE)

    done = [
        retry(world.context([]), server=ServerId("2")),
        retry(world.context([]), reason="unknown_url"),
    ]

    assert [0, 1] == [each.read for each in done]
    assert 1 == len(world.hits())


@pytest.mark.parametrize("reason", ["server", "range", "duplicate"])
def test_a_damaged_log_id_is_not_loaded_as_it_is(tmp_path: Path, reason: str) -> None:
    """Loaded under a number that is not its own, a line would take the place of another.

    Mutant killed: lines with a damaged log id tried like all others.
    """
    second = {
        "server": line(HIT, "2", 2),
        "range": line(HIT, "1", 200),
        "duplicate": line(HIT, "1", 1),
    }
    world = make_world(tmp_path)
    _keep(world, line(HIT, "1", 1) + second[reason] + line(HIT, "1", 3))
    load(world.context([]))
    keep_lines(world, "1", [HIT], first=300)
    load(world.context([]))

    done = retry(world.context([]))

    assert Retried(1, 0, 0, {reason: 1}) == done
    assert 3 == len(world.hits())


def test_a_repaired_line_takes_the_place_of_the_damaged_one(damaged: World) -> None:
    """It is known by its log id; doing it again loads nothing more."""
    good = line(HIT, "1", 2)

    first = repair(damaged.context([]), good, operator="ada")
    again = repair(damaged.context([]), good, operator="ada")

    at = f"{SEGMENT}:{len(good)}"
    assert [Repaired(1, first[0].log_id, "loaded", (at,))] == [
        Repaired(one.line, one.log_id, one.outcome, tuple(one.replaced)) for one in first
    ]
    assert [("already", [])] == [(one.outcome, list(one.replaced)) for one in again]
    assert 2 == len(damaged.hits())
    assert [b"garbage"] == [row[4] for row in damaged.rejected()]
    assert [("repair", "repaired", "ada")] * 2 == audited(damaged)


def test_a_line_without_a_log_id_is_repaired_by_its_place(damaged: World) -> None:
    """Only one line at a time, and only where a rejected line stands."""
    good = line(HIT, "1", 3)
    offset = 2 * len(good)

    (nameless,) = repair(damaged.context([]), good)
    (elsewhere,) = repair(damaged.context([]), good, at=(SEGMENT, offset + 1))
    (done,) = repair(damaged.context([]), good, at=(SEGMENT, offset))
    with pytest.raises(InvalidInput, match="belongs to one repaired line"):
        repair(damaged.context([]), good * 2, at=(SEGMENT, offset))

    assert "no rejected line begins with its log id" in nameless.outcome
    assert nameless.outcome == elsewhere.outcome
    assert ("loaded", [f"{SEGMENT}:{offset}"]) == (done.outcome, done.replaced)
    assert ["10x0000000000000001", "10x0000000000000003"] == [
        hit["log_id"] for hit in damaged.hits()
    ]


def test_what_cannot_be_repaired_is_said_of_each_line(damaged: World) -> None:
    """A line that is still damaged, one of an unknown link, one that was never read."""
    file = b"".join(
        (b"still garbage\n", line(HIT, "1", 2, url_id=NO_URL), line(HIT, "1", 50), b"1\t\n")
    )

    done = repair(damaged.context([]), file)
    ahead = repair(
        damaged.context([]), line(HIT, "1", 50), at=(SEGMENT, 2 * len(line(HIT, "1", 2)))
    )

    assert [1, 2, 3, 4] == [one.line for one in done]
    assert "does not follow the format (fields)" in done[0].outcome
    assert "unknown_url" in done[1].outcome
    assert "no rejected line" in done[2].outcome
    assert "has not been read" in ahead[0].outcome
    assert 1 == len(damaged.hits())
    assert 2 == len(damaged.rejected())


def test_exported_lines_can_be_given_back(damaged: World) -> None:
    """The file holds the bytes as they came; repaired there, they are loaded."""
    data = b"".join(exported(damaged.lake))

    assert b"garbage\n" in data
    mended = data.replace(b"2O26-", b"2026-")
    assert ["loaded"] == [one.outcome for one in repair(damaged.context([]), mended) if one.log_id]


def test_lines_that_are_settled_leave_the_others_as_they_were(tmp_path: Path) -> None:
    """Bytes, places and moments of the others are untouched, in all files.

    Mutant killed: the whole file taken out.
    """
    world = make_world(tmp_path)
    context = world.context(story_sources())
    download(context)
    load(context)
    before = world.lake.rejected.load().to_pyarrow_table().to_pylist()
    add_message(world, LATE)

    retry(world.context([]), reason="unresolved")
    again = list(lines_rejected.pieces(world.lake, reasons=("unresolved",)))

    after = world.lake.rejected.load().to_pyarrow_table().to_pylist()
    kept = [row for row in before if row["reason"] != "unresolved"]

    def key(row: dict[str, Any]) -> Any:
        return row["server"], row["segment"], row["offset"]

    assert sorted(kept, key=key) == sorted(after, key=key)
    assert [] == again
