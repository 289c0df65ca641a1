"""What a measurement reports."""

import json
from pathlib import Path

import pytest

from bench.result import Comparison, Sample, save, show


@pytest.fixture(name="comparison")
def _comparison() -> Comparison:
    return Comparison(
        name="click",
        unit="µs",
        reference_name="nginx",
        ours=[
            Sample(30.0, {"p50 ms": 1.0}),
            Sample(20.0, {"p50 ms": 3.0}),
            Sample(90.0, {"p50 ms": 2.0}),
        ],
        reference=[Sample(10.0, {"p50 ms": 1.0})] * 3,
        goal="≤ 2.5",
    )


def test_ratio(comparison: Comparison) -> None:
    """The ratio is taken round by round, because the machine differs from round to round."""
    assert [3.0, 2.0, 9.0] == comparison.ratios


def test_show(comparison: Comparison, capsys: pytest.CaptureFixture[str]) -> None:
    """The table tells the median of the ratios and their spread."""
    show([comparison])

    assert "3.00 (2.00–9.00)" in capsys.readouterr().out


def test_save(comparison: Comparison, tmp_path: Path) -> None:
    """The file holds every round, so that others can judge."""
    document = json.loads(save([comparison], tmp_path).read_text())

    assert (3.0, [30.0, 20.0, 90.0]) == (
        document["comparisons"][0]["ratio"],
        [sample["cost"] for sample in document["comparisons"][0]["ours"]],
    )
