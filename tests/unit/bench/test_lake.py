"""Loading and consolidating are measured, as small as it goes."""

import json
from pathlib import Path

import pytest

from bench import consolidate, growth, load

pytestmark = pytest.mark.long


def test_loading_is_measured() -> None:
    """One row, with both contestants."""
    [row] = load.compare(count=1_000, rounds=1)

    assert "load 1,000 lines" == row.name
    assert 0 < row.ratios[0]


def test_consolidating_is_measured() -> None:
    """Both shapes."""
    rows = consolidate.compare(count=10_000, rounds=1)

    assert [
        "consolidate one delivery of 10,000 hits",
        "consolidate 500 deliveries of a day of 10,000 hits",
    ] == [row.name for row in rows]
    assert all(row.ratios[0] > 0 for row in rows)


def test_growth_keeps_what_it_has_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures of both series, a table and a picture; what is there is not measured again."""
    picture = tmp_path / "growth.svg"

    first = growth.run(tmp_path, largest=10_000, folder=tmp_path, image=picture)
    told = capsys.readouterr().out
    again = growth.run(tmp_path, largest=10_000, folder=tmp_path, image=picture)

    figures = json.loads((tmp_path / "growth.json").read_text())
    assert (first, again) == (0, 0)
    assert {"hour 10000", "load 10000"} == set(figures)
    assert all(value > 0 for found in figures.values() for value in found.values())
    assert told.endswith(capsys.readouterr().out)
    assert "| 10,000 |" in told
    assert 3 == picture.read_text().count("<circle")
