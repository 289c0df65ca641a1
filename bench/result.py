"""What a measurement gives: a row of the table, and a file of figures.

Absolute times mean little on a shared machine. What counts is a ratio, measured in one run.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

__all__ = ["Comparison", "Sample", "save", "show"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one contestant: `cost` in the unit of the comparison.

    Less is better, but where the goal says the opposite.
    """

    cost: float
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against a reference, in rounds that took turns.

    The ratio is taken round by round and its median reported, so that what else the machine was
    doing hits both alike.
    """

    name: str
    unit: str
    reference_name: str
    ours: Sequence[Sample]
    reference: Sequence[Sample]
    goal: str

    @property
    def ratios(self) -> list[float]:
        """Tell how many times the reference ours is, round by round."""
        pairs = zip(self.ours, self.reference, strict=True)
        return [ours.cost / reference.cost for ours, reference in pairs]


def show(comparisons: Sequence[Comparison]) -> None:
    """Print one table: medians, and the ratio with its spread."""
    table = Table(box=SIMPLE, pad_edge=False)
    for heading in ("what", "unit", "ours", "against", "reference", "ratio", "goal"):
        table.add_column(heading, justify="right" if heading in {"ours", "reference"} else "left")
    for comparison in comparisons:
        ratios = comparison.ratios
        table.add_row(
            comparison.name,
            comparison.unit,
            f"{_cost(comparison.ours):.4g}",
            comparison.reference_name,
            f"{_cost(comparison.reference):.4g}",
            f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
            comparison.goal,
        )
        for name in comparison.ours[0].details:
            table.add_row(
                f"  {name}",
                "",
                f"{_detail(comparison.ours, name):.4g}",
                "",
                f"{_detail(comparison.reference, name):.4g}",
                "",
                "",
            )
    Console(width=140).print(table)


def save(comparisons: Sequence[Comparison], folder: Path) -> Path:
    """Write the figures to a file named by the time, beside what machine gave them."""
    at = datetime.now(UTC)
    document = {
        "at": at.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "comparisons": [
            {**asdict(comparison), "ratio": median(comparison.ratios)} for comparison in comparisons
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def _cost(samples: Sequence[Sample]) -> float:
    return median(sample.cost for sample in samples)


def _detail(samples: Sequence[Sample], name: str) -> float:
    return median(sample.details[name] for sample in samples)
