"""How time and memory grow with the lake, from ten thousand lines to a hundred million.

Two series, each size once:

- **load**: the last million lines of so many (or all, of fewer), with those before in the lake.
- **hour**: a day of so many hits in 1,000 deliveries is consolidated, then an hour comes that
  touches 500 of them; against DuckDB going through the whole day (`bench.consolidate`).

Time is that of the processor, so that what else the machine does changes little.

Each figure is kept in `bench/results/growth.json` as soon as it is there; what is there is not
measured again, so a run that was ended goes on. Everything else that is made is deleted. In the end
the table is printed, and drawn as ``docs/images/growth.svg``.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log10
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from aftersend.app import init, open_instance
from aftersend.model.ids import ServerId
from aftersend.platform.entropy import SystemEntropy
from aftersend.tracking import inbox
from aftersend.tracking.context import Context
from aftersend.tracking.inbox import Stretch
from aftersend.tracking.load import load
from bench import consolidate, lines
from bench.process import memory_mib

__all__ = ["run"]

Figures: TypeAlias = dict[str, dict[str, float]]
"""By series and size, ``load 10000``: figures by name."""

_SMALLEST: Final = 10_000
_PORTION: Final = 1_000_000
_FILE_LINES: Final = 100_000
_STEP_US: Final = 8_640
"""From line to line: ten days for a hundred million."""
_DELIVERIES, _TOUCHED = 1_000, 500
_BYTES_A_HIT: Final = 100
"""What one hit of `hour` needs while it is measured, in two copies, generously."""
_BYTES_AT_LEAST: Final = 2 * 1024**3
_IMAGE: Final = Path(__file__).parents[1] / "docs" / "images" / "growth.svg"


def run(results: Path, *, largest: int, folder: Path | None = None, image: Path = _IMAGE) -> int:
    """Measure what is not there yet, up to `largest` lines; tell 1 if the disk is too small."""
    kept = results / "growth.json"
    figures: Figures = json.loads(kept.read_text()) if kept.exists() else {}
    sizes = [10**power for power in range(4, 13) if _SMALLEST <= 10**power <= largest]
    with TemporaryDirectory(dir=folder) as name:
        free, needed = shutil.disk_usage(name).free, _BYTES_AT_LEAST + _BYTES_A_HIT * largest
        if free < needed:
            print(f"{needed / 1e9:.0f} GB are needed for a while, {free / 1e9:.0f} are free.")
            return 1
        for series, measure in (("hour", _measure_hours), ("load", _measure_loads)):
            missing = [size for size in sizes if f"{series} {size}" not in figures]
            if missing:
                measure(Path(name) / series, missing, figures, kept)
    _show(figures)
    image.write_text(_drawn(figures))
    print(f"Written to {kept} and {image}.")
    return 0


def _measure_hours(folder: Path, sizes: Sequence[int], figures: Figures, kept: Path) -> None:
    for size in sizes:
        folder.mkdir(parents=True)
        consolidate.prepare(folder, hits=size, deliveries=_DELIVERIES, touched=_TOUCHED)
        ours, reference = (consolidate.sample(who, folder) for who in ("ours", "duckdb"))
        shutil.rmtree(folder)
        _keep(
            figures,
            kept,
            f"hour {size}",
            {
                "seconds": ours.cost,
                "memory": ours.details["memory MiB"],
                "reference": reference.cost,
                "ratio": ours.cost / reference.cost,
            },
        )


def _measure_loads(folder: Path, sizes: Sequence[int], figures: Figures, kept: Path) -> None:
    init(folder, entropy=SystemEntropy())
    opened = open_instance(folder)
    lines.fill(opened.database)
    opened.database.engine.dispose()
    there = 0
    for size in sizes:
        count = min(_PORTION, size - there)
        _fill(folder, first=there, last=size - count)
        _put(folder, first=size - count + 1, count=count)
        there, found = size, _loaded(folder)
        per_line_us = found["seconds"] / count * 1e6
        _keep(figures, kept, f"load {size}", {**found, "per_line_us": per_line_us})


def _fill(folder: Path, *, first: int, last: int) -> None:
    """Put hits into the lake as if their lines had been loaded."""
    lake, day = open_instance(folder).lake(), consolidate.Day(last, _DELIVERIES)
    for begin in range(first, last, consolidate.COMMIT_HITS):
        end = min(begin + consolidate.COMMIT_HITS, last)
        consolidate.append(lake, day, begin, end, touched=_DELIVERIES)


def _put(folder: Path, *, first: int, count: int) -> None:
    """Put lines into the inbox as if they had been downloaded."""
    path = folder / "lines"
    lines.write(path, count, first=first, step_us=_STEP_US)
    waiting = open_instance(folder).var / "inbox"
    with path.open("rb") as file:
        for begin in range(first, first + count, _FILE_LINES):
            end = min(begin + _FILE_LINES, first + count) - 1
            data = b"".join(file.readline() for _ in range(begin, end + 1))
            stretch = Stretch(begin, end, f"0x{begin:016X}.log", 0, data)
            inbox.keep(waiting, ServerId(lines.SERVER), stretch)
    path.unlink()


def _loaded(folder: Path) -> Mapping[str, float]:
    command = [sys.executable, "-m", "bench.growth", str(folder)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Mapping[str, float] = json.loads(answer.stdout)
    return figures


def _keep(figures: Figures, kept: Path, name: str, found: dict[str, float]) -> None:
    figures[name] = found
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(figures, indent=2) + "\n")
    print(name, {each: round(value, 3) for each, value in found.items()}, flush=True)


def _sizes(figures: Figures, series: str) -> list[int]:
    return sorted(int(name.split()[1]) for name in figures if name.startswith(series))


def _show(figures: Figures) -> None:
    """Print the table as it stands in the guide."""
    print("\n| lines | load, CPU µs a line | MiB | hour, CPU s | DuckDB, CPU s | ratio | MiB |")
    print("|---|---|---|---|---|---|---|")
    for size in sorted({*_sizes(figures, "load"), *_sizes(figures, "hour")}):
        load, hour = figures.get(f"load {size}", {}), figures.get(f"hour {size}", {})
        cells = [
            f"{load['per_line_us']:.2f} | {load['memory']:,.0f}" if load else " | ",
            f"{hour['seconds']:.2f} | {hour['reference']:.2f} | {hour['ratio']:.2f}"
            f" | {hour['memory']:,.0f}"
            if hour
            else " | | | ",
        ]
        print(f"| {size:,} | {' | '.join(cells)} |")


def _drawn(figures: Figures) -> str:
    """Draw µs a line over lines, both logarithmic."""
    series = {
        "load": ("#1f6feb", "per_line_us", 1.0),
        "hour": ("#d1242f", "seconds", 1e6),
        "DuckDB": ("#6e7781", "reference", 1e6),
    }
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="640" height="360" fill="white"/>',
    ]
    for power in range(4, 9):
        x = _x(10**power)
        parts.append(f'<path d="M{x} 30V310" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="328" text-anchor="middle">{10**power:,}</text>')
    for power in range(-2, 4):
        y = _y(10.0**power)
        parts.append(f'<path d="M60 {y}H600" stroke="#ddd"/>')
        parts.append(f'<text x="54" y="{y + 4}" text-anchor="end">{10.0**power:g}</text>')
    parts.append('<text x="330" y="350" text-anchor="middle">lines in the lake</text>')
    parts.append('<text x="60" y="20">CPU µs a line</text>')
    for place, (name, (colour, figure, factor)) in enumerate(series.items()):
        kind = "hour" if name == "DuckDB" else name
        points = []
        for size in _sizes(figures, kind):
            cost = figures[f"{kind} {size}"][figure] * factor / (size if factor > 1 else 1)
            points.append((_x(size), _y(cost)))
        for (x, y), (next_x, next_y) in pairwise(points):
            path = f"M{x} {y}L{next_x} {next_y}"
            parts.append(f'<path d="{path}" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{420 + 70 * place}" y="20" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(size: float) -> float:
    return round(60 + 540 * (log10(size) - 4) / 4, 1)


def _y(cost: float) -> float:
    return round(310 - 280 * (min(3.0, max(-2.0, log10(cost))) + 2) / 5, 1)


def _main(folder: Path) -> None:
    context = Context.of(open_instance(folder))
    start = sum(os.times()[:2])
    rows = load(context).counts.loaded
    seconds = sum(os.times()[:2]) - start
    print(json.dumps({"rows": rows, "seconds": seconds, "memory": memory_mib()}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
