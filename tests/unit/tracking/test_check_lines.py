"""Finding lines that do not follow the format."""

from pathlib import Path
from unittest.mock import patch

import pytest

from aftersend.errors import InvalidInput
from aftersend.tracking import check_lines
from aftersend.tracking.check_lines import BadLine
from tests.support import naive
from tests.support.naive import NaiveHit
from tests.support.tracking import line

GOOD = line(NaiveHit("", naive.START, 1, 1), "1", 1)


def test_bad_lines_are_told_by_file_line_and_reason(tmp_path: Path) -> None:
    """Lines count from 1 in each file; good files and good lines are not mentioned."""
    first, second, third = (tmp_path / name for name in ("a.log", "b.log", "c.log"))
    first.write_bytes(GOOD * 3)
    second.write_bytes(GOOD + b"damaged\n" + GOOD + GOOD.replace(b"T23", b"T33") + b"x")
    third.write_bytes(b"")

    bad = list(check_lines.check_lines([first, second, third]))

    assert [
        BadLine(second, 2, "fields"),
        BadLine(second, 4, "time"),
        BadLine(second, 5, "fields"),
    ] == bad


def test_a_file_of_many_pieces_is_one_file(tmp_path: Path) -> None:
    """Where a piece ends does not matter, also for a line longer than a piece."""
    path = tmp_path / "a.log"
    path.write_bytes((GOOD * 5 + b"x" * 500 + b"\n" + b"\n") * 3)

    with patch.object(check_lines, "_PIECE_BYTES", 100):
        bad = [(each.line, each.reason) for each in check_lines.check_lines([path])]

    assert [(n, "fields") for n in (6, 7, 13, 14, 20, 21)] == bad


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A wrong name is the user's to put right."""
    with pytest.raises(InvalidInput, match=r"nothing\.log cannot be read: No such file"):
        list(check_lines.check_lines([tmp_path / "nothing.log"]))
