"""Maintenance of the lake: files change, rows stay; what goes goes for good, and nothing else."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.lake import compaction, duckdb, vacuum
from aftersend.lake.compaction import Joined, compact, joinable
from aftersend.lake.hits import hits
from aftersend.lake.parts import file_parts
from aftersend.lake.purge import HitsOf, OldHits, OldLines
from aftersend.lake.rewrite import OLD_DELIVERY_ID, Rewriting
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.clock import ManualClock
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import NaiveHit

ONE, TWO = ServerId("1"), ServerId("2")
START = datetime(2026, 1, 2, 8, tzinfo=UTC)
TODAY = START.date() + timedelta(days=5)
EVER = datetime(2100, 1, 1, tzinfo=UTC)


def open_lake(directory: Path) -> Lake:
    """Open the lake of a test."""
    return Lake.open(str(directory / "lake"), options={}, clock=ManualClock(START))


def append(lake: Lake, number: int, *, day: int = 0, message: int = 1, server: str = "1") -> None:
    """Append one open as one commit."""
    at = START + timedelta(days=day, minutes=number)
    rows = naive.table([NaiveHit(f"{server}0x{number:016X}", at, message, 1)])
    delivery = DeliveryId(naive.MESSAGES[message])
    lake.append(rows, server=ServerId(server), last=number, deliveries={delivery})


def reject(lake: Lake, number: int, at: datetime) -> None:
    """Keep one rejected line."""
    clock = lake.rejected.clock
    assert isinstance(clock, ManualClock)
    clock.set(at)
    columns = {"segment": ["s"], "offset": [number], "reason": ["shape"], "bytes": [b"x"]}
    lake.append_rejected(pa.table(columns), server=ONE)


def rows_of(lake: Lake) -> list[dict[str, Any]]:
    """List all hits as they are, by log id."""
    connection = duckdb.connect(threads=1)
    try:
        return list(hits(connection, lake).order_by("log_id").to_pyarrow().to_pylist())
    finally:
        connection.disconnect()


def touched(lake: Lake, version: int) -> set[DeliveryId] | None:
    """Tell which deliveries got hits after a version; none: nobody knows."""
    told = lake.touched_since(version)
    return None if told is None else set(told)


def file_count(lake: Lake) -> int:
    """Count the files that the newest state names."""
    return len(lake.files().paths)


def disk_count(lake: Lake) -> int:
    """Count the files of hits that lie on the disk."""
    assert lake.hits.folder is not None
    return len(list(lake.hits.folder.glob("day=*/*.parquet")))


def test_files_of_a_day_are_joined_and_rows_stay(tmp_path: Path) -> None:
    """Each past day becomes one file with the same rows, by delivery and time; today stays."""
    lake = open_lake(tmp_path)
    for number in range(1, 9):
        append(lake, number, day=number % 2, message=1 + number % 3)
    append(lake, 9, day=5)
    append(lake, 10, day=5)
    before, version = rows_of(lake), lake.version

    assert Joined(8, 2) == joinable(lake.hits, before=TODAY)
    done = compact(lake.hits, before=TODAY)

    assert Joined(8, 2) == done
    assert before == rows_of(lake)
    assert 4 == file_count(lake)
    assert (10, set()) == (lake.pointer(ONE), touched(lake, version))
    table = lake.hits.load()
    joined = lake.hits.read(table, next(p for p in _paths(lake) if f"day={START.date()}" in p))
    order = list(zip(joined["delivery_id"].to_pylist(), joined["at"].to_pylist(), strict=True))
    assert sorted(order) == order
    assert Joined() == compact(lake.hits, before=TODAY)


def _paths(lake: Lake) -> list[str]:
    table: Any = pa.table(lake.hits.load().get_add_actions(flatten=True))
    return list(map(str, table["path"].to_pylist()))


def test_who_appends_meanwhile_loses_nothing(tmp_path: Path) -> None:
    """Tracking appends to the same days while they are joined: every line is there once."""
    lake = open_lake(tmp_path)
    for number in range(1, 6):
        append(lake, number)

    def load() -> None:
        for number in range(6, 26):
            append(lake, number, server="1")

    with ThreadPoolExecutor() as pool:
        loading = pool.submit(load)
        while not loading.done():
            compact(lake.hits, before=TODAY)
        loading.result()

    assert [f"10x{number:016X}" for number in range(1, 26)] == [
        row["log_id"] for row in rows_of(lake)
    ]
    assert 25 == lake.pointer(ONE)


def test_a_file_that_was_rewritten_meanwhile_is_joined_as_it_is_then(tmp_path: Path) -> None:
    """Somebody changes a hit between reading and commit: it is joined changed, not as it was.

    Mutant killed: going on after a commit that was in vain.
    """
    lake = open_lake(tmp_path)
    append(lake, 1)
    append(lake, 2)
    changes = [lambda: _give_to(lake, "10x0000000000000001", 77)]

    def passing(_point: str) -> None:
        if changes:
            changes.pop()()

    assert Joined(2, 1) == compact(lake.hits, before=TODAY, passing=passing)

    assert [77, 2] == [row["delivery_id"] for row in rows_of(lake)]
    assert 1 == file_count(lake)


def _give_to(lake: Lake, log_id: str, delivery: int) -> None:
    row = next(row for row in rows_of(lake) if row["log_id"] == log_id)
    columns = {
        "log_id": [log_id],
        "at": pa.array([row["at"]], pa.timestamp("us", tz="UTC")),
        OLD_DELIVERY_ID: [row["delivery_id"]],
        "delivery_id": [delivery],
    }
    rewriting = Rewriting.begin(lake, "attribution-test")
    assert rewriting.commit([(row["day"], pa.table(columns))])


def test_maintenance_brings_no_hits(tmp_path: Path) -> None:
    """Attribution that has seen all has still seen all after files were joined and removed.

    Mutant killed: commits of maintenance taken for news.
    """
    lake = open_lake(tmp_path)
    append(lake, 1)
    append(lake, 2)
    append(lake, 3, day=1)
    assert Rewriting.begin(lake, "attribution-test").commit([])

    compact(lake.hits, before=TODAY)
    assert OldHits.find(lake, START.date() + timedelta(days=1)).remove()

    assert Rewriting.begin(lake, "attribution-test").is_done
    append(lake, 4)
    assert not Rewriting.begin(lake, "attribution-test").is_done


def test_whole_days_go_and_say_so(tmp_path: Path) -> None:
    """Days before the limit are gone, the day itself stays; the lake knows its first day.

    Mutant killed: the day of the limit removed, too.
    """
    lake = open_lake(tmp_path)
    for number, day in ((1, 0), (2, 0), (3, 1), (4, 2)):
        append(lake, number, day=day, message=number)
    limit, version = START.date() + timedelta(days=2), lake.version

    old = OldHits.find(lake, limit)
    assert (3, 2) == (old.count(), old.days)
    assert {naive.MESSAGES[number] for number in (1, 2, 3)} == old.deliveries()
    assert 2 == old.count(without={DeliveryId(naive.MESSAGES[1])})
    assert old.remove()

    assert ["10x0000000000000004"] == [row["log_id"] for row in rows_of(lake)]
    assert (limit, 4, set()) == (lake.first_day, lake.pointer(ONE), touched(lake, version))
    assert 0 == OldHits.find(lake, limit).count()


def test_the_first_day_never_goes_back(tmp_path: Path) -> None:
    """Hits that came late for a day that is gone go too, whatever the limit is by then."""
    lake = open_lake(tmp_path)
    append(lake, 1)
    limit = START.date() + timedelta(days=3)
    assert OldHits.find(lake, limit).remove()
    append(lake, 2)

    assert OldHits.find(lake, START.date() + timedelta(days=1)).remove()

    assert (limit, []) == (lake.first_day, rows_of(lake))


def test_a_purge_that_others_crossed_is_in_vain(tmp_path: Path) -> None:
    """Somebody changed one of the files: nothing is removed, and a second look removes all."""
    lake = open_lake(tmp_path)
    append(lake, 1)
    old = OldHits.find(lake, TODAY)
    _give_to(lake, "10x0000000000000001", 77)

    assert not old.remove()
    assert 1 == len(rows_of(lake))
    assert OldHits.find(lake, TODAY).remove()
    assert [] == rows_of(lake)


def test_the_hits_of_a_delivery_go_alone(tmp_path: Path) -> None:
    """Of a file that several deliveries share, the others' rows stay as they were."""
    lake = open_lake(tmp_path)
    for number in range(1, 7):
        append(lake, number, message=number)
    compact(lake.hits, before=TODAY)
    before = rows_of(lake)
    gone = {DeliveryId(before[0]["delivery_id"])}
    kept = [row for row in before if row["delivery_id"] not in gone]
    assert kept

    found = HitsOf.find(lake, gone)
    assert len(before) - len(kept) == found.count()
    assert found.remove()

    assert kept == rows_of(lake)
    assert 0 == HitsOf.find(lake, gone).count()
    assert len(kept) == OldHits.find(lake, TODAY).count()


def test_old_rejected_lines_go(tmp_path: Path) -> None:
    """Lines rejected before the limit go, also out of a file that holds younger ones."""
    lake = open_lake(tmp_path)
    for number in range(6):
        reject(lake, number, START + timedelta(days=number))
    compact(lake.rejected, before=TODAY)
    reject(lake, 6, START)

    old = OldLines.find(lake, START + timedelta(days=3))
    assert 4 == old.count()
    assert old.remove()

    table: Any = lake.rejected.load().to_pyarrow_table()
    assert [3, 4, 5] == sorted(table["offset"].to_pylist())


def test_files_that_no_state_needs_are_removed(tmp_path: Path) -> None:
    """Files of the newest state and of states that are named stay; all others go."""
    lake = open_lake(tmp_path)
    append(lake, 1)
    append(lake, 2)
    seen = lake.version
    append(lake, 3)
    compact(lake.hits, before=TODAY)
    before = rows_of(lake)
    assert 4 == disk_count(lake)

    assert 1 == vacuum.vacuum(lake.hits, keep=[seen], before=EVER)
    older = lake.hits.load_at(seen)
    assert older is not None
    assert 2 == older.to_pyarrow_table().num_rows

    assert 2 == vacuum.vacuum(lake.hits, keep=[], before=EVER)
    assert (before, 1) == (rows_of(lake), disk_count(lake))


def test_young_files_stay(tmp_path: Path) -> None:
    """A file that no commit names yet, or that was replaced just now, stays for the time."""
    lake = open_lake(tmp_path)
    append(lake, 1)
    append(lake, 2)
    compact(lake.hits, before=TODAY)
    rows = naive.table([NaiveHit("10x0000000000000009", START, 1, 1)]).drop_columns(["day"])
    lake.hits.write(rows, START.date().isoformat())

    assert 0 == vacuum.vacuum(lake.hits, keep=[], before=START)
    assert 4 == disk_count(lake)
    assert 3 == vacuum.vacuum(lake.hits, keep=[], before=EVER)


def test_the_log_is_cleaned_up_to_what_is_needed(tmp_path: Path) -> None:
    """Pointers, rows, and what was touched since a version that is named outlive the clean-up.

    Mutant killed: cleaning up to the newest checkpoint.
    """
    lake = open_lake(tmp_path)
    append(lake, 1)
    append(lake, 1, server="2")
    lake.hits.checkpoint()
    seen = lake.version
    append(lake, 2, message=5)
    append(lake, 3, message=5)
    before = rows_of(lake)

    assert 0 < vacuum.clean_log(lake.hits, keep=[seen], before=EVER)
    again = open_lake(tmp_path)
    assert touched(again, seen) == {DeliveryId(naive.MESSAGES[5])}
    assert touched(again, 0) is None

    assert 0 < vacuum.clean_log(lake.hits, keep=[], before=EVER)
    assert before == rows_of(again)
    assert (3, 1) == (again.pointer(ONE), again.pointer(TWO))
    assert touched(again, seen) is None


def test_files_that_grew_big_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the size that is aimed at is not written anew night after night."""
    lake = open_lake(tmp_path)
    for number in range(1, 5):
        append(lake, number)
    compact(lake.hits, before=TODAY)
    size = file_parts(lake.hits.load())[0].size
    monkeypatch.setattr(compaction, "SMALL_BYTES", size)

    append(lake, 5)

    assert Joined() == compact(lake.hits, before=TODAY)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4)),
        st.tuples(st.just("give"), st.integers(1, 3)),
        st.tuples(st.just("compact"), st.just(0)),
        st.tuples(st.just("purge"), st.integers(0, 4)),
        st.tuples(st.just("vacuum"), st.just(0)),
        st.tuples(st.just("log"), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=examples(25), deadline=None)
@given(_STEPS)
def test_rows_stay_whatever_is_done(steps: list[tuple[str, int]]) -> None:
    """Any sequence of appends, changes and maintenance leaves exactly the rows it should.

    Mutant killed: a file left out of its group.
    """
    with TemporaryDirectory() as folder:
        lake, told = open_lake(Path(folder)), dict[str, tuple[date, int]]()
        randomness = random.Random(7)
        do: dict[str, Callable[[int], None]] = {
            "append": lambda day: _told_append(lake, told, day),
            "give": lambda delivery: _told_give(lake, told, randomness, delivery),
            "compact": lambda _: _compact_both(lake),
            "purge": lambda day: _told_purge(lake, told, day),
            "vacuum": lambda _: _vacuum(lake),
            "log": lambda _: _clean_log(lake),
        }
        for name, value in steps:
            do[name](value)

        found = {row["log_id"]: (row["day"], row["delivery_id"]) for row in rows_of(lake)}
        assert told == found
        assert len(told) == len(rows_of(lake))


def _told_append(lake: Lake, told: dict[str, tuple[date, int]], day: int) -> None:
    number = lake.pointer(ONE) + 1
    append(lake, number, day=day, message=1 + number % 9)
    at = START + timedelta(days=day, minutes=number)
    told[f"10x{number:016X}"] = (at.date(), naive.MESSAGES[1 + number % 9])


def _told_give(
    lake: Lake, told: dict[str, tuple[date, int]], randomness: random.Random, delivery: int
) -> None:
    others = sorted(log_id for log_id, (_, owner) in told.items() if owner != delivery)
    if others:
        log_id = randomness.choice(others)
        _give_to(lake, log_id, delivery)
        told[log_id] = (told[log_id][0], delivery)


def _told_purge(lake: Lake, told: dict[str, tuple[date, int]], day: int) -> None:
    limit = START.date() + timedelta(days=day)
    assert OldHits.find(lake, limit).remove()
    for log_id in [log_id for log_id, (each, _) in told.items() if each < limit]:
        del told[log_id]


def _compact_both(lake: Lake) -> None:
    compact(lake.hits, before=TODAY)
    compact(lake.rejected, before=TODAY)


def _vacuum(lake: Lake) -> None:
    vacuum.vacuum(lake.hits, keep=[], before=EVER)


def _clean_log(lake: Lake) -> None:
    vacuum.clean_log(lake.hits, keep=[], before=EVER)
