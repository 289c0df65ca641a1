"""Acknowledging and removing: nothing goes before everybody has it."""

from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.errors import InvalidInput
from aftersend.spool import (
    acknowledge,
    acknowledged,
    extent,
    remove_acknowledged,
    remove_expired,
)
from tests.support.power import disk
from tests.support.spooling import AT, hit, opened


@pytest.fixture
def six(tmp_path: Path) -> Path:
    """Give a spool of six lines in segments of two."""
    writer = opened(tmp_path, segment_bytes_max=150)
    for number in range(1, 7):
        writer.append(AT, hit(number))
    writer.close()
    return tmp_path


def test_a_reader_registers_by_acknowledging(six: Path) -> None:
    """Its first word may be 0: from then on nothing is removed behind its back."""
    assert acknowledged(six) == {}

    acknowledge(six, "lake", 0)
    acknowledge(six, "copy", 4)

    assert acknowledged(six) == {"copy": 4, "lake": 0}
    assert remove_acknowledged(six) == 0


def test_without_a_reader_nothing_is_removed(six: Path) -> None:
    """Nobody has read anything yet."""
    assert remove_acknowledged(six) == 0
    assert acknowledged(six / "nowhere") == {}
    assert remove_acknowledged(six / "nowhere") == 0


@pytest.mark.parametrize(("number", "first"), [(1, 1), (2, 3), (3, 3), (4, 5), (6, 5)])
def test_segments_go_when_the_slowest_reader_has_them(six: Path, number: int, first: int) -> None:
    """A segment goes whole or not at all, and the newest never."""
    acknowledge(six, "fast", 6)
    acknowledge(six, "slow", number)
    remove_acknowledged(six)

    assert extent(six).first == first
    assert extent(six).last == 6


def test_an_older_number_changes_nothing(six: Path) -> None:
    """A late or repeated message cannot take an acknowledgement back."""
    acknowledge(six, "lake", 4)
    acknowledge(six, "lake", 2)

    assert acknowledged(six) == {"lake": 4}


@pytest.mark.parametrize("number", [-1, 7, 2**63])
def test_only_lines_that_exist_are_acknowledged(six: Path, number: int) -> None:
    """A number beyond the last would let lines go unread that are still to come."""
    with pytest.raises(InvalidInput, match="the last one is 6"):
        acknowledge(six, "lake", number)

    assert acknowledged(six) == {}


@pytest.mark.parametrize("reader", ["", "../lake", "Lake", "a" * 65, "a b", ".a", "a/b", "a\n"])
def test_a_reader_has_a_name_that_a_file_can_have(six: Path, reader: str) -> None:
    """A name from outside never becomes a path."""
    with pytest.raises(InvalidInput, match="name of a reader"):
        acknowledge(six, reader, 1)


@pytest.mark.parametrize("raw", [b"", b"x", b"\xff", b"9" * 30, b"-3"])
def test_an_unreadable_acknowledgement_lets_nothing_go(six: Path, raw: bytes) -> None:
    """Where it is not known what a reader has, everything is kept."""
    acknowledge(six, "other", 6)
    (six / "ack-lake").write_bytes(raw)

    assert acknowledged(six) == {"lake": 0, "other": 6}
    assert remove_acknowledged(six) == 0


def test_what_was_put_aside_goes_with_its_segment(six: Path) -> None:
    """Half lines hold addresses of people too."""
    torn = six / "0x0000000000000001-90.torn"
    torn.write_bytes(b"10x")
    acknowledge(six, "lake", 6)
    remove_acknowledged(six)

    assert not torn.exists()


def test_a_segment_without_a_readable_time_goes_by_its_file(
    six: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage does not make a segment immortal."""
    (six / "0x0000000000000001.log").write_bytes(b"\0\n")

    assert remove_expired(six, now=AT + timedelta(days=40 * 365), keep_days=1) == 2
    assert capsys.readouterr().out.count("removed before every reader") == 2
    assert extent(six).first == 5


def test_a_second_try_makes_an_acknowledgement_lasting(tmp_path: Path) -> None:
    """Whose name could not be synced is asked again, and only then told that all is well.

    Killed: a second try that finds the number there and does nothing.
    """
    writer = opened(tmp_path)
    writer.append(AT, hit())
    with disk(tmp_path) as simulated:
        simulated.is_failing_names = True
        with pytest.raises(OSError, match="Input/output error"):
            acknowledge(tmp_path, "lake", 1)
        assert "ack-lake" not in simulated.names_safe
        with pytest.raises(OSError, match="Input/output error"):
            acknowledge(tmp_path, "lake", 1)
        simulated.is_failing_names = False
        acknowledge(tmp_path, "lake", 1)

        assert "ack-lake" in simulated.names_safe

    writer.close()
