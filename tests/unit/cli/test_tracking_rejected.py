"""Rejected lines and pointers at the command line."""

from pathlib import Path

import pytest

from aftersend.model.ids import ServerId
from aftersend.tracking import inbox
from aftersend.tracking.inbox import Stretch
from tests.support import naive
from tests.support.command import aftersend
from tests.support.naive import NaiveHit
from tests.support.tracking import line

HIT = NaiveHit("", naive.START, 1, 2)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance that has met a damaged line and one of an unknown message."""
    made = tmp_path_factory.mktemp("rejected") / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    data = line(HIT, "1", 1) + b"damaged\n"
    stretch = Stretch(1, 2, "0x0000000000000001.log", 0, data)
    inbox.keep(made / "var" / "inbox", ServerId("1"), stretch)
    assert aftersend(made, "workflow", "run", "tracking").status == 0
    return made


def test_rejected_lines_are_listed(instance: Path) -> None:
    """With place and reason, for people and for scripts."""
    document = aftersend(instance, "tracking", "rejected", "list", "--json").document
    table = aftersend(instance, "tracking", "rejected", "list", "--reason", "fields")

    assert {"fields": 1, "unresolved": 1} == document["by_reason"]
    assert ["10x0000000000000001", None] == sorted(
        (row["log_id"] for row in document["rows"]), key=str
    )
    assert "0x0000000000000001.log" in table.out
    assert "unresolved" not in table.out
    assert "1 of 1 rejected lines" in table.err


def test_a_retry_says_what_became_of_the_lines(instance: Path) -> None:
    """Nothing was repaired, so both are rejected again."""
    done = aftersend(instance, "tracking", "rejected", "retry", "--json").document

    assert {
        "read": 2,
        "loaded": 0,
        "already": 0,
        "rejected": {"fields": 1, "unresolved": 1},
    } == done


def test_repaired_lines_are_told_one_by_one(instance: Path, tmp_path: Path) -> None:
    """The exit status says that not all were loaded; options that do not fit are refused."""
    file, place = tmp_path / "one.lines", "0x0000000000000001.log:87"
    file.write_bytes(line(HIT, "1", 2))

    done = aftersend(instance, "tracking", "rejected", "retry", "--from", str(file), "--at", place)
    wrong = [
        aftersend(instance, "tracking", "rejected", "retry", "--at", place),
        aftersend(instance, "tracking", "rejected", "retry", "--from", str(tmp_path / "none")),
        aftersend(instance, "tracking", "rejected", "retry", "--from", str(file), "--at", "x"),
    ]

    assert 1 == done.status
    assert f"{file}:1: 10x0000000000000002 not loaded:" in done.out
    assert all(each.status and "Traceback" not in each.err for each in wrong)


def test_rejected_lines_are_exported_once(instance: Path, tmp_path: Path) -> None:
    """Bytes as they came; a file that exists is not written over."""
    file = tmp_path / "out.lines"

    first = aftersend(instance, "tracking", "rejected", "export", str(file), "--reason", "fields")
    again = aftersend(instance, "tracking", "rejected", "export", str(file))

    assert (0, b"damaged\n") == (first.status, file.read_bytes())
    assert again.status
    assert "cannot be written" in again.err


def test_a_pointer_is_shown_and_moved_with_care(instance: Path) -> None:
    """Not while the workflow is started; not ahead unless it is meant."""
    to = ("tracking", "pointer", "--server", "1", "--to")

    (shown,) = aftersend(instance, "tracking", "pointer", "--json").document
    started = aftersend(instance, *to, "10x0000000000000001")
    assert 0 == aftersend(instance, "workflow", "pause", "tracking").status
    ahead = aftersend(instance, *to, "10x0000000000000009")
    back = aftersend(instance, *to, "10x0000000000000001")
    forward = aftersend(instance, *to, "10x0000000000000009", "--yes", "--json")

    assert ("1", 2) == (shown["server"], shown["number"])
    assert "pause it first" in started.err
    assert ahead.status
    assert "7 numbers" in ahead.err
    assert "to 10x0000000000000001" in back.out
    assert 8 == forward.document["skipped"]
