"""Run the measurements, print a table and write a file of figures: ``python -m bench``."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import beside, click, consolidate, growth, load, render
from bench.result import Comparison, save, show

RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; a slow figure is a figure, never an error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        help="click, beside, load, consolidate, render; nothing: all of these;"
        " growth: by itself, see --max",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each takes its turn")
    parser.add_argument("--seconds", type=int, default=8, help="of each round of click and beside")
    parser.add_argument("--connections", type=int, default=16, help="kept open in click")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of load, hits of consolidate")
    parser.add_argument("--messages", type=int, default=100_000, help="of each shape of render")
    parser.add_argument("--max", type=int, default=1_000_000, help="lines, the most of growth")
    parser.add_argument("--folder", type=Path, help="where growth works; default: the system's")
    options = parser.parse_args(arguments)
    if options.what == ["growth"]:
        return growth.run(RESULTS, largest=options.max, folder=options.folder)
    measurements: Mapping[str, Callable[[], list[Comparison]]] = {
        "click": lambda: click.compare(
            seconds=options.seconds, rounds=options.rounds, connections=options.connections
        ),
        "beside": lambda: beside.compare(seconds=options.seconds, rounds=options.rounds),
        "load": lambda: load.compare(count=options.lines, rounds=options.rounds),
        "consolidate": lambda: consolidate.compare(count=options.lines, rounds=options.rounds),
        "render": lambda: render.compare(count=options.messages, rounds=options.rounds),
    }
    if unknown := set(options.what) - set(measurements):
        parser.error(f"there is no measurement {unknown.pop()}")
    comparisons = [
        comparison
        for name, measure in measurements.items()
        if not options.what or name in options.what
        for comparison in measure()
    ]
    show(comparisons)
    print(f"Written to {save(comparisons, RESULTS).relative_to(Path.cwd())}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
