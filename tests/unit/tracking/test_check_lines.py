"""Finding lines that do not follow the format."""

import re
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings

from aftersend.errors import InvalidInput
from aftersend.model import logline
from aftersend.tracking import check_lines
from aftersend.tracking.check_lines import BadLine
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import NaiveHit
from tests.support.tracking import line
from tests.unit.lake.test_line import lines, raw_lines

DOCUMENTED = re.compile(
    rb"[0-9A-Za-z]{2}x[0-9A-Za-z]*"
    rb"\t[0-9T:.-]*"
    rb"\t[0-9A-Fa-f]*\t[0-9A-Fa-f]*\t[0-9A-Fa-f]*"
    rb"\t[0-9A-Za-z]*"
    rb"\t[0-9A-Za-z-]*"
    rb"\t[ -~]*\t[ -~]*\t[ -~]*"
    rb"\t[0-9A-Fa-f.:]*(?:[\t,][ -~]*)?"
)
"""The pattern of spec §4.7, field by field as its table has them."""

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


@settings(max_examples=examples(300))
@given(entry=lines)
def test_what_we_write_follows_the_documented_pattern(entry: logline.LogLine) -> None:
    """Every line of a tracking server is one that the documented pattern calls good."""
    raw = logline.encode(entry)

    assert DOCUMENTED.fullmatch(raw.removesuffix(b"\n"))


@settings(max_examples=examples(200), deadline=None)
@given(raw=raw_lines())
def test_what_the_documented_pattern_finds_we_find(raw: bytes) -> None:
    """Ours is the documented pattern and more: no line passes here that it would call corrupt."""
    data = raw if raw.endswith(b"\n") else raw + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        path.write_bytes(data)
        bad = {one.line for one in check_lines.check_lines([path])}

    corrupt = {
        number
        for number, text in enumerate(data.split(b"\n")[:-1], start=1)
        if not DOCUMENTED.fullmatch(text)
    }
    assert corrupt <= bad


@pytest.mark.parametrize(
    "text",
    [
        b"50x000000000FD7EC86\t2017-06-24T21:00:50.96\t1f506d71\t1aeab4b6\t1af77020\t0"
        b"\te5155671-4ab7\th\tamount=10&article=2\tMozilla/5.0\t52.46.20.64",
        b"50x000000000FD7EC86\t2017-06-24T21:00:50.96\t1f506d71\t1aeab4b6\t1af77020\t0"
        b"\te5155671-4ab7\th\t\tMozilla/5.0\t52.46.20.64, 10.0.0.1",
    ],
)
def test_the_documented_example_is_a_good_line(tmp_path: Path, text: bytes) -> None:
    """The example of the documentation, and it without the field that its corrupt one lacks."""
    path = tmp_path / "a.log"
    path.write_bytes(text + b"\n")
    assert [] == list(check_lines.check_lines([path]))

    path.write_bytes(text.replace(b"\th\t", b"\t", 1) + b"\n")
    assert [BadLine(path, 1, "fields")] == list(check_lines.check_lines([path]))


def test_a_folder_stands_for_its_segments(tmp_path: Path) -> None:
    """A spool is checked as a whole, also where a power cut left zeros; other files are none."""
    spool = tmp_path / "spool"
    (spool / "1").mkdir(parents=True)
    first, second = (spool / "1" / f"0x{number:016X}.log" for number in (1, 4))
    first.write_bytes(GOOD + b"\0" * 100_000 + b"\n" + GOOD)
    second.write_bytes(GOOD + b"damaged\n")
    (spool / "1" / "ack-tracking").write_bytes(b"3\n")
    (spool / "1" / "0x0000000000000004-9.torn").write_bytes(b"10x00")

    bad = list(check_lines.check_lines([spool]))

    assert [BadLine(first, 2, "length"), BadLine(second, 2, "fields")] == bad


def test_a_folder_without_lines_is_told(tmp_path: Path) -> None:
    """Nothing found because nothing was looked at is no good news."""
    with pytest.raises(InvalidInput, match="has no files of log lines"):
        list(check_lines.check_lines([tmp_path]))
