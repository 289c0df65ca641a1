"""How long a click takes while the Tracking workflow runs beside, against the same without it.

Clicks come at a fixed rate. The workflow loads and consolidates lines, again and again, as long as
the clicks come; it may use every core but the client's, so on two cores it has the one that the
tracking server has.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_native_id
from typing import Final

from aftersend.platform.scheduling import WORKFLOW_NICE, let_others_first
from aftersend.tracking.consolidate import consolidate
from aftersend.tracking.load import load as load_lines
from bench import contestant, load
from bench.click import Figures, keep_pace
from bench.contestant import CLICK_URL_ID
from bench.paced import Pace
from bench.process import cores, cpu_seconds, pin
from bench.result import Comparison, Sample

__all__ = ["compare"]

_RATE: Final = 2000
_LINES: Final = 200_000
_TURN: Final = b"one turn\n"
_CONNECTIONS: Final = 64
_WARM_UP_SECONDS: Final = 1
_GOAL: Final = "≤ 3, p99 below 5 ms"


def compare(*, seconds: int, rounds: int) -> list[Comparison]:
    """Click without and with the workflow beside, `rounds` times."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        load.prepare(folder, _LINES)
        keys = contestant.prepare(folder / "clicked")
        pace = Pace(_RATE, seconds, _CONNECTIONS, contestant.paths(keys, CLICK_URL_ID))
        busy, idle, shares = [], [], list[float]()
        with contestant.collector(folder / "clicked") as ours:
            keep_pace(ours, Pace(_RATE, _WARM_UP_SECONDS, _CONNECTIONS, pace.paths), folder)
            for _ in range(rounds):
                idle.append(keep_pace(ours, pace, folder))
                with _workflow(folder) as pid:
                    before = cpu_seconds(pid)
                    figures = keep_pace(ours, pace, folder)
                    shares.append((cpu_seconds(pid) - before) / seconds)
                busy.append(figures)
    return [
        Comparison(
            name=f"click at {_RATE:,} a second, workflow beside",
            unit="p99 ms",
            reference_name="itself, idle",
            ours=[_sample(*pair) for pair in zip(busy, shares, strict=True)],
            reference=[_sample(figures, 0.0) for figures in idle],
            goal=_GOAL,
        )
    ]


def _sample(figures: Figures, share: float) -> Sample:
    details = {
        "p50 ms": figures.p50_ms,
        "requests a second": figures.rate,
        "µs CPU a request": figures.cpu_us,
        "cores that the workflow had": share,
    }
    return Sample(figures.p99_ms, details)


@contextmanager
def _workflow(folder: Path) -> Iterator[int]:
    """Run it over and over while the block runs; give its process id when it has done so once."""
    on = cores(max(1, (os.cpu_count() or 1) - 1))
    command = [*pin(on), sys.executable, "-m", "bench.beside", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None, "it was asked for"
    with process.stdout as told:
        try:
            if told.readline() != _TURN:
                raise RuntimeError("the workflow ended before its first turn was over")
            yield process.pid
        finally:
            process.terminate()
            process.wait(timeout=60)


def _work(folder: Path) -> None:
    """Work as the scheduler of `aftersend up` does: behind people who click."""
    let_others_first(get_native_id(), WORKFLOW_NICE)
    while True:
        context = load.fresh(folder)
        load_lines(context)
        consolidate(context)
        sys.stdout.buffer.write(_TURN)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
