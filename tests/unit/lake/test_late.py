"""Hits that come behind their pointer."""

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest

from aftersend.errors import Busy
from aftersend.lake import late
from aftersend.lake.late import append_late, are_hits, highest, is_known, move_pointer, named
from aftersend.lake.store import Store
from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.clock import ManualClock
from tests.support import naive
from tests.support.naive import NaiveHit

ONE = ServerId("1")


def hits(*numbers: int) -> pa.Table:
    """Make hits of these numbers of server 1."""
    return naive.table([NaiveHit(f"10x{number:016X}", naive.START, 1, 2) for number in numbers])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Give a lake with hits 1, 2 and 5, read up to 6."""
    lake = Lake.open(str(tmp_path / "lake"), options={}, clock=ManualClock(naive.START))
    lake.append(hits(1, 2, 5), server=ONE, last=6, deliveries={DeliveryId(2)})
    return lake


def numbers(lake: Lake) -> list[int]:
    """List the numbers of all hits."""
    ids = lake.hits.load().to_pyarrow_table()["log_id"].to_pylist()
    return sorted(int(str(text)[3:], 16) for text in ids)


def test_only_what_is_missing_is_kept(lake: Lake) -> None:
    """Each log id is there once, however often it comes; the pointer stays, figures are told of.

    Mutant killed: kept without a look at what is there.
    """
    seen = lake.version

    assert 1 == append_late(lake, hits(2, 3), server=ONE)
    assert 0 == append_late(lake, hits(2, 3), server=ONE)

    assert [1, 2, 3, 5] == numbers(lake)
    assert 6 == lake.pointer(ONE)
    assert {DeliveryId(2)} == set(lake.touched_since(seen) or ())


def test_of_two_at_once_one_looks_again(lake: Lake) -> None:
    """Somebody else keeps the same hit between the look and the commit.

    Mutant killed: each commit with an application of its own.
    """
    commit, is_first = Store.commit, True

    def commit_second(store: Store, *arguments: object, **options: object) -> bool:
        nonlocal is_first
        if is_first:
            is_first = False
            assert 1 == append_late(lake, hits(4), server=ONE)
        return commit(store, *arguments, **options)  # type: ignore[arg-type]

    with patch.object(Store, "commit", commit_second):
        assert 0 == append_late(lake, hits(4), server=ONE)

    assert [1, 2, 4, 5] == numbers(lake)


def test_what_is_known_is_told_by_log_id(lake: Lake) -> None:
    """By the day too where the time is certain; of damaged lines by what they begin with."""
    damaged = [b"10x0000000000000005\tbroken", b"10x0000000000000004\t", b"", b"\xff\t\x00"]

    assert [False, True] == is_known(lake, hits(4, 5)).to_pylist()
    assert [True, False, False, False] == are_hits(lake, named(damaged)).to_pylist()
    assert [] == are_hits(lake, pa.array([], pa.string())).to_pylist()
    assert [ONE] == late.servers(lake)


def test_a_pointer_that_moves_back_remembers_where_it_was(lake: Lake) -> None:
    """Whatever it does then, `highest` only grows.

    Mutant killed: `highest` is the pointer.
    """
    told = []
    for to in (2, 0, 4):
        move_pointer(lake, ONE, number=to, known=lake.pointer(ONE))
        told.append((lake.pointer(ONE), highest(lake, ONE)))

    assert [(2, 6), (0, 6), (4, 6)] == told
    with pytest.raises(Busy):
        move_pointer(lake, ONE, number=1, known=6)


def test_a_moved_pointer_makes_no_figure_be_computed(lake: Lake) -> None:
    """Nothing was brought, so nothing is touched."""
    seen = lake.version

    move_pointer(lake, ONE, number=1, known=6)

    assert {} == lake.touched_since(seen)
