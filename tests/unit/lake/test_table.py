"""The lake: exactly once, and nothing half."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable

from aftersend.errors import Busy, Corruption, Transient
from aftersend.lake import duckdb
from aftersend.lake.hits import hits
from aftersend.lake.schema import TRACKING_LOG
from aftersend.lake.table import Files, Lake, Touch, maintaining, touching
from aftersend.model.ids import DeliveryId, RecipientId, ServerId
from aftersend.platform.clock import ManualClock
from tests.support import naive
from tests.support.naive import START, NaiveHit

ONE, TWO = ServerId("1"), ServerId("2")


def open_lake(directory: Path) -> Lake:
    """Open the lake of a test."""
    return Lake.open(str(directory / "lake"), options={}, clock=ManualClock(START))


def batch(*numbers: int, server: str = "1", message: int = 1, days: int = 0) -> pa.Table:
    """Make opens of one message, with these line numbers."""
    return naive.table(
        [
            NaiveHit(
                f"{server}0x{number:016X}", START + timedelta(days=days, hours=number), message, 1
            )
            for number in numbers
        ]
    )


def log_ids(lake: Lake, **which: Any) -> list[str]:
    """List the hits in the lake by log id."""
    connection = duckdb.connect(threads=1)
    try:
        table = hits(connection, lake, **which).order_by("log_id")
        return list(table.log_id.to_pyarrow().to_pylist())
    finally:
        connection.disconnect()


def append(lake: Lake, *numbers: int, server: ServerId = ONE, **shape: int) -> None:
    """Append lines of a server up to the last of some numbers."""
    rows = batch(*numbers, server=server, **shape)
    touched = {DeliveryId(row["delivery_id"]) for row in rows.to_pylist()}
    lake.append(rows, server=server, last=max(numbers), deliveries=touched)


def test_an_empty_lake_answers(tmp_path: Path) -> None:
    """A lake without hits has rows of every column: none."""
    lake = open_lake(tmp_path)
    connection = duckdb.connect(threads=1)

    table = hits(connection, lake).to_pyarrow()

    assert (0, TRACKING_LOG.names) == (table.num_rows, table.schema.names)
    assert [0, 0, {}] == [lake.version, lake.pointer(ONE), lake.touched_since(0)]
    connection.disconnect()


def test_hits_come_back_as_they_were(tmp_path: Path) -> None:
    """What is appended is what is read: every column, type and null."""
    lake = open_lake(tmp_path)
    rows = naive.table([NaiveHit("10x0000000000000001", START, 1, 2, "browser", "ux")])
    filled = {"address": "::1", "amount": 1.5, "article": 2, "parameters": "a=b"}
    full = {**rows.to_pylist()[0], **filled, "log_id": "10x0000000000000002"}
    both = pa.Table.from_pylist([*rows.to_pylist(), full], schema=TRACKING_LOG)

    lake.append(both, server=ONE, last=2, deliveries={DeliveryId(2)})

    connection = duckdb.connect(threads=1)
    found = hits(connection, lake).order_by("log_id").to_pyarrow()
    connection.disconnect()
    assert both.to_pylist() == found.to_pylist()
    assert [field.type for field in TRACKING_LOG] == [field.type for field in found.schema]


def test_the_pointer_moves_with_the_rows(tmp_path: Path) -> None:
    """Each server has a pointer of its own, and a batch without rows moves it too."""
    lake = open_lake(tmp_path)

    append(lake, 1, 2)
    append(lake, 1, server=TWO)
    lake.append(TRACKING_LOG.empty_table(), server=ONE, last=9, deliveries=set())

    assert (9, 1) == (lake.pointer(ONE), lake.pointer(TWO))
    assert 3 == len(log_ids(lake))


@pytest.mark.parametrize("numbers", [(1, 2), (2, 3), (1,)])
def test_lines_behind_the_pointer_are_refused(tmp_path: Path, numbers: Sequence[int]) -> None:
    """Whoever is late keeps nothing: not even the part that would be new."""
    lake = open_lake(tmp_path)
    append(lake, 1, 2)

    with pytest.raises(Busy):
        append(lake, *numbers)

    assert ["10x0000000000000001", "10x0000000000000002"] == log_ids(lake)


def test_of_two_who_load_the_same_lines_one_does(tmp_path: Path) -> None:
    """However many load the lines of a server at once, each line is there once.

    Mutant killed: a commit without the application transaction.
    """
    lake = open_lake(tmp_path)

    def load(_: int) -> bool:
        try:
            append(lake, 1, 2, 3)
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(load, range(4)))

    assert 1 == done.count(True)
    assert 3 == len(log_ids(lake))


def test_servers_do_not_hinder_each_other(tmp_path: Path) -> None:
    """Four servers loaded at once, ten times each: nothing lost, nothing refused."""
    lake = open_lake(tmp_path)

    def load(server: str) -> None:
        for number in range(1, 11):
            append(lake, number, server=ServerId(server))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, "abcd"))

    assert 40 == len(log_ids(lake)) == len(set(log_ids(lake)))


def test_a_commit_names_the_deliveries_it_touches(tmp_path: Path) -> None:
    """Touched since a version are the deliveries of later commits only."""
    lake = open_lake(tmp_path)
    append(lake, 1, message=1)
    version = lake.version
    append(lake, 2, message=3)
    lake.append(TRACKING_LOG.empty_table(), server=ONE, last=3, deliveries=set())
    append(lake, 4, message=2)

    first, second = START + timedelta(hours=2), START + timedelta(hours=4)
    assert {1: [Touch(version + 1, 1, first)], 3: [Touch(version + 3, 1, second)]} == (
        lake.touched_since(version)
    )
    assert {} == lake.touched_since(lake.version)
    assert {first.date(), second.date()} == lake.days_since(version)
    assert set() == lake.days_since(lake.version)


def test_commits_tell_how_many_hits_they_bring(tmp_path: Path) -> None:
    """Counts by delivery; who changed hits, or wrote before counts were told, gives none."""
    lake = open_lake(tmp_path)
    version = lake.version
    three = pa.concat_tables([batch(1, 2, message=1), batch(3, message=3)])
    lake.append(three, server=ONE, last=3, deliveries={DeliveryId(2), DeliveryId(1)})
    older = touching({DeliveryId(2)}, earliest=None)
    lake.hits.commit(lake.hits.load(), [], transaction=("old", 1), metadata=older)
    lake.hits.commit(lake.hits.load(), [], transaction=("old", 2), metadata=maintaining())

    touched = lake.touched_since(version)

    assert touched is not None
    counts = {number: [touch.hits for touch in touches] for number, touches in touched.items()}
    assert {1: [1], 2: [None, 2]} == counts
    assert lake.days_since(version) is None
    assert set() == lake.days_since(version + 2)


def test_when_history_does_not_tell_all_deliveries_are_touched(tmp_path: Path) -> None:
    """A version of another lake, a commit of another program, too many names: nobody knows."""
    lake = open_lake(tmp_path)
    many = {DeliveryId(number) for number in range(1, 10_002)}
    lake.append(batch(1), server=ONE, last=1, deliveries=many)
    too_many = lake.touched_since(0)
    append(lake, 2)
    version = lake.version
    other = DeltaTable(lake.hits.url)
    other.create_write_transaction(
        [], "append", other.schema(), ["day"], commit_properties=CommitProperties()
    )

    assert too_many is None
    assert [None, None] == [lake.touched_since(version), lake.days_since(version)]
    assert [None, None] == [lake.touched_since(99), lake.days_since(99)]


def test_when_old_commits_are_cleaned_up_all_deliveries_are_touched(tmp_path: Path) -> None:
    """A gap in the history is no empty history."""
    lake = open_lake(tmp_path)
    for number in (1, 2, 3):
        append(lake, number)
    DeltaTable(lake.hits.url).create_checkpoint()
    (tmp_path / "lake" / "tracking_log" / "_delta_log" / f"{1:020}.json").unlink()

    assert lake.touched_since(0) is None
    later = lake.touched_since(1)
    assert later is not None
    assert {2} == later.keys()


def test_files_that_cannot_hold_a_delivery_are_left_out(tmp_path: Path) -> None:
    """Only files whose range of deliveries meets the wanted ones are opened."""
    lake = open_lake(tmp_path)
    append(lake, 1, message=3)
    append(lake, 2, message=1)
    append(lake, 3, message=2)

    counts = [
        len(lake.files([DeliveryId(number) for number in wanted]).paths)
        for wanted in ([1], [2], [1, 3], [4], [])
    ]

    assert [1, 1, 2, 0, 0] == counts
    assert 3 == len(lake.files().paths)
    assert ["10x0000000000000002"] == log_ids(lake, deliveries={DeliveryId(2)})
    assert [] == log_ids(lake, deliveries={DeliveryId(2)}, recipient=RecipientId(103))
    assert ["10x0000000000000001"] == log_ids(lake, recipient=RecipientId(103))


def test_rows_are_parted_by_day_and_sorted(tmp_path: Path) -> None:
    """A file holds one UTC day, by delivery and time; others can read it as plain Parquet."""
    lake = open_lake(tmp_path)
    messages = [2, 1, 3, 1, 2, 3]
    rows = naive.table(
        [
            NaiveHit(f"10x{number:016X}", START - timedelta(seconds=number), message, 1)
            for number, message in enumerate(messages, start=1)
        ]
    )

    lake.append(
        pa.concat_tables([rows, batch(7, days=1)]), server=ONE, last=7, deliveries={DeliveryId(1)}
    )

    first, second = sorted(lake.files().paths)
    assert ["day=2026-01-02", "day=2026-01-04"] == [
        Path(path).parts[-2] for path in (first, second)
    ]
    found = pq.read_table(first, partitioning=None).select(["delivery_id", "at"]).to_pylist()
    assert found == sorted(found, key=lambda row: (row["delivery_id"], row["at"]))
    assert DeltaTable(lake.hits.url).protocol().min_reader_version == 1


def test_a_store_that_is_no_folder_is_read_through_arrow(tmp_path: Path) -> None:
    """Files of an object store give the same rows as files of a folder."""
    lake = open_lake(tmp_path)
    append(lake, 1, 2)
    append(lake, 3, message=2, days=1)
    table = lake.hits.load()
    root = f"{lake.hits.folder}/"
    remote = Files(
        [path.removeprefix(root) for path in lake.files().paths], lake.hits.system(table)
    )
    connection = duckdb.connect(threads=1)

    near, far = (
        duckdb.scan(connection, files).order_by("log_id").to_pyarrow()
        for files in (lake.files(), remote)
    )

    assert near.to_pylist() == far.to_pylist()
    connection.disconnect()


def test_rejected_lines_are_kept_once_by_their_place(tmp_path: Path) -> None:
    """The same place again, whatever the reason, adds nothing; another place or server does.

    Mutant killed: lines appended without a look at what is there.
    """
    lake = open_lake(tmp_path)

    def lines(*offsets: int, reason: str = "shape", segment: str = "0x1.log") -> pa.Table:
        return pa.table(
            {
                "segment": [segment] * len(offsets),
                "offset": pa.array(offsets, pa.int64()),
                "reason": [reason] * len(offsets),
                "bytes": pa.array([b"\xff\x00"] * len(offsets), pa.binary()),
            }
        )

    lake.append_rejected(lines(0, 5), server=ONE)
    lake.append_rejected(lines(5, 9, reason="time"), server=ONE)
    lake.append_rejected(lines(0, 5, 9), server=ONE)
    lake.append_rejected(lines(5), server=TWO)
    lake.append_rejected(lines(5, segment="0x2.log"), server=ONE)

    places = lake.rejected_places(ONE, {"0x1.log", "0x2.log"}).to_pylist()
    assert [("0x1.log", 0), ("0x1.log", 5), ("0x1.log", 9), ("0x2.log", 5)] == sorted(
        (row["segment"], row["offset"]) for row in places
    )
    assert 1 == lake.rejected_places(TWO, {"0x1.log"}).num_rows
    assert 0 == lake.rejected_places(TWO, {"0x2.log"}).num_rows


def test_an_entry_that_a_power_cut_left_empty_is_set_aside(tmp_path: Path) -> None:
    """The lake opens again, without the commit that nobody was told of."""
    append(open_lake(tmp_path), 1)
    log = tmp_path / "lake" / "tracking_log" / "_delta_log"
    (log / f"{2:020}.json").touch()

    lake = open_lake(tmp_path)
    append(lake, 2)

    assert 2 == len(log_ids(lake))
    assert [f"{2:020}.json.torn"] == [path.name for path in log.glob("*.torn")]


def test_a_lake_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """Damaged bytes are a corruption, a folder that cannot be made is passing trouble."""
    lake = open_lake(tmp_path)
    log = tmp_path / "lake" / "tracking_log" / "_delta_log"
    (log / f"{0:020}.json").write_text("{")

    with pytest.raises(Corruption):
        _ = lake.version
    with pytest.raises(Transient):
        Lake.open(str(log / f"{0:020}.json"), options={}, clock=ManualClock(START))


def test_a_store_that_takes_no_commit_is_given_up(tmp_path: Path) -> None:
    """A commit is tried a bounded number of times."""
    lake = open_lake(tmp_path)

    class Stubborn(type(lake.hits)):  # type: ignore[misc]
        __slots__ = ()

        def commit(self, *_: Any, **__: Any) -> bool:
            return False

    stubborn = Stubborn(**{name: getattr(lake.hits, name) for name in type(lake.hits).__slots__})

    with pytest.raises(Transient, match="10 tries"):
        append(replace(lake, hits=stubborn), 1)
    assert [] == log_ids(lake)
