"""Gaps: numbers that no line stands for in what a tracking server gave.

A server gives a number to each line, and leaves none out: also one that was killed goes on with the
number behind its last line. What is missing is lost: the disk has lost it, somebody has removed it,
or it was older than `collector.keep_days` before anybody fetched it. A damaged line stands for a
number that cannot be read; lines that are rejected explain as many missing numbers as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow.compute

from aftersend.lake.line import Lines
from aftersend.model.ids import ServerId
from aftersend.model.logline import log_id
from aftersend.tracking.batch import Batch

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Gap", "details", "find_gaps", "sentences"]

_TOLD_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """Between numbers `first` and `last` of a server, `missing` numbers have no line at all."""

    server: ServerId
    first: int
    last: int
    missing: int


def find_gaps(lines: Lines, batch: Batch, *, server: ServerId, after: int) -> list[Gap]:
    """Find the gaps in the lines of a batch, all of which is to follow number `after`."""
    valid = lines.valid
    is_good = batch.is_in_range(valid) & pc.starts_with(valid["log_id"], str(server)).to_numpy()
    numbers = valid["number"].to_numpy()[is_good]
    is_behind = numbers > after
    if is_behind.sum() == batch.last - after and np.all(np.diff(numbers) == 1):
        return []
    rows = lines.row_index(valid["byte_at"].to_numpy()[is_good])
    before = rows[~is_behind].max(initial=-1)
    numbers, first = np.unique(numbers[is_behind], return_index=True)
    rows = rows[is_behind][first]
    count = valid.num_rows + lines.rejected.num_rows
    between = np.diff(np.concatenate([[before], rows, [count]])) - 1
    edges = np.concatenate([[after], numbers, [batch.last + 1]])
    missing = np.diff(edges) - 1 - np.maximum(between, 0)
    return [
        Gap(server, int(edges[at]) + 1, int(edges[at + 1]) - 1, int(missing[at]))
        for at in np.flatnonzero(missing > 0)
    ]


def sentences(gaps: Sequence[Gap]) -> Iterator[str]:
    """Tell of gaps, the first few of each server with their places."""
    for server in sorted({gap.server for gap in gaps}):
        found = [gap for gap in gaps if gap.server == server]
        missing = sum(gap.missing for gap in found)
        places = ", ".join(
            f"{log_id(server, gap.first)} to {log_id(server, gap.last)}"
            if gap.first < gap.last
            else log_id(server, gap.first)
            for gap in found[:_TOLD_MAX]
        )
        more = f" and {len(found) - _TOLD_MAX:,} more" if len(found) > _TOLD_MAX else ""
        yield f"Tracking server {server} has no lines for {missing:,} numbers: {places}{more}."


def details(gaps: Sequence[Gap]) -> dict[str, object]:
    """Give gaps as figures of a step; nothing where there are none."""
    if not gaps:
        return {}
    told = [
        {"server": gap.server, "first": gap.first, "last": gap.last, "missing": gap.missing}
        for gap in gaps[:_TOLD_MAX]
    ]
    return {"missing": sum(gap.missing for gap in gaps), "gaps": told}
