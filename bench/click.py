"""A click and an open pixel: our tracking server, nginx and a usual tracker, side by side.

nginx answers the same to everybody, with its access log on: the least that a server can do. The
usual tracker (`usual_tracker`) is what people write: a web framework, and one row a hit.

Two ways to ask, for a thousand different messages in turn: as fast as the server can (wrk), and at
a fixed rate (`paced`), where latency means something. Every server has the same cores in turn, the
client has one of its own; with two workers on two cores they have to share it.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aftersend.model.ids import OPEN_URL_ID
from bench import contestant, paced, usual_tracker, wrk
from bench.contestant import CLICK_URL_ID, Contestant
from bench.paced import Pace
from bench.process import CLIENT_CORE, cores, cpu_seconds
from bench.result import Comparison, Sample
from bench.wrk import Load

__all__ = ["RATES", "compare"]

RATES: Final = (500, 2000)
_WARM_UP_SECONDS: Final = 2
_PACED_CONNECTIONS: Final = 64
_COST_GOAL: Final = "≤ 2.5, aim 1.7"
_THROUGHPUT_GOAL: Final = "≥ 15"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A contestant and what it is asked for."""

    contestant: Contestant
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round gave: processor time of all processes of a server, and what the client saw."""

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float

    def as_cost(self) -> Sample:
        """Compare by the processor time of a request."""
        details = {"requests a second": self.rate, "p50 ms": self.p50_ms, "p99 ms": self.p99_ms}
        return Sample(self.cpu_us, details)

    def as_rate(self) -> Sample:
        """Compare by what the server can do in a second."""
        details = {
            "µs CPU a request": self.cpu_us,
            "p50 ms": self.p50_ms,
            "p99 ms": self.p99_ms,
        }
        return Sample(self.rate, details)

    def as_latency(self) -> Sample:
        """Compare by how long the slowest hundredth has to wait."""
        details = {
            "p50 ms": self.p50_ms,
            "µs CPU a request": self.cpu_us,
            "requests a second": self.rate,
        }
        return Sample(self.p99_ms, details)


def compare(*, seconds: int, rounds: int, connections: int) -> list[Comparison]:
    """Let all contestants take turns, `rounds` times."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        entries = _enter(folder, stack)
        pressed: dict[str, list[Figures]] = {key: [] for key in entries}
        kept: dict[tuple[str, int], list[Figures]] = {
            (key, rate): [] for key in ("ours", "nginx", "usual") for rate in RATES
        }
        for _ in range(rounds):
            for key, entry in entries.items():
                pressed[key].append(_press(entry, Load(seconds, connections, entry.paths), folder))
            for (key, rate), figures in kept.items():
                pace = Pace(rate, seconds, _PACED_CONNECTIONS, entries[key].paths)
                figures.append(keep_pace(entries[key].contestant, pace, folder))
    return [*_at_saturation(pressed), *_at_fixed_rates(kept)]


def _enter(folder: Path, stack: ExitStack) -> dict[str, _Entry]:
    """Start them all; who is not asked costs next to nothing."""
    keys = contestant.prepare(folder / "instance")
    clicks = contestant.paths(keys, CLICK_URL_ID)
    pixels = contestant.paths(keys, OPEN_URL_ID)
    entries: dict[str, _Entry] = {}
    for workers, first_id, behind in ((1, "1", ""), (2, "2", " 2")):
        ours = stack.enter_context(
            contestant.collector(folder / "instance", workers=workers, server_id=first_id)
        )
        nginx = stack.enter_context(contestant.nginx(folder / f"nginx{workers}", workers=workers))
        usual = stack.enter_context(usual_tracker.usual_tracker(workers=workers))
        entries[f"ours{behind}"] = _Entry(ours, clicks)
        entries[f"nginx{behind}"] = _Entry(nginx, clicks)
        entries[f"usual{behind}"] = _Entry(usual, usual_tracker.paths())
        if workers == 1:
            lax = stack.enter_context(usual_tracker.usual_tracker(is_lax=True))
            entries["lax"] = _Entry(lax, usual_tracker.paths())
            entries["ours pixel"] = _Entry(ours, pixels)
            entries["nginx pixel"] = _Entry(nginx, pixels)
    return entries


def _press(entry: _Entry, load: Load, folder: Path) -> Figures:
    """Ask as fast as the server answers."""
    server = entry.contestant
    wrk.run(server.url, Load(_WARM_UP_SECONDS, load.connections, load.paths), folder)
    before = cpu_seconds(*server.pids)
    outcome = wrk.run(server.url, load, folder)
    spent = cpu_seconds(*server.pids) - before
    if outcome.errors:
        raise RuntimeError(f"{server.name}: {outcome.errors} of {outcome.requests} requests failed")
    return Figures(
        cpu_us=spent / outcome.requests * 1e6,
        rate=outcome.requests / outcome.seconds,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
    )


def keep_pace(server: Contestant, pace: Pace, folder: Path) -> Figures:
    """Ask at a fixed rate."""
    before = cpu_seconds(*server.pids)
    outcome = paced.run(server.url, pace, folder)
    spent = cpu_seconds(*server.pids) - before
    if outcome.errors:
        raise RuntimeError(f"{server.name}: {outcome.errors} of {outcome.answers} requests failed")
    return Figures(
        cpu_us=spent / max(1, outcome.answers) * 1e6,
        rate=outcome.answers / outcome.seconds,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
    )


def _at_saturation(pressed: dict[str, list[Figures]]) -> list[Comparison]:
    comparisons = []
    for name, ours, reference, against in (
        ("click", "ours", "nginx", "nginx return 302"),
        ("pixel", "ours pixel", "nginx pixel", "nginx empty_gif"),
        ("click, 2 workers", "ours 2", "nginx 2", "nginx return 302"),
    ):
        comparisons.append(
            Comparison(
                name=name,
                unit="µs CPU a request",
                reference_name=against,
                ours=[figures.as_cost() for figures in pressed[ours]],
                reference=[figures.as_cost() for figures in pressed[reference]],
                goal=_COST_GOAL,
            )
        )
    for name, workers, ours, reference, against in (
        ("click", 1, "ours", "usual", "FastAPI, PostgreSQL"),
        ("click", 1, "ours", "lax", "the same, commits do not wait"),
        ("click, 2 workers", 2, "ours 2", "usual 2", "FastAPI, PostgreSQL"),
    ):
        # Where servers and client share a core, the client is the limit of the faster one.
        has_goal = reference != "lax" and CLIENT_CORE not in cores(workers)
        comparisons.append(
            Comparison(
                name=name,
                unit="requests a second",
                reference_name=against,
                ours=[figures.as_rate() for figures in pressed[ours]],
                reference=[figures.as_rate() for figures in pressed[reference]],
                goal=_THROUGHPUT_GOAL if has_goal else "",
            )
        )
    return comparisons


def _at_fixed_rates(kept: dict[tuple[str, int], list[Figures]]) -> list[Comparison]:
    return [
        Comparison(
            name=f"click at {rate:,} a second",
            unit="p99 ms",
            reference_name=against,
            ours=[figures.as_latency() for figures in kept["ours", rate]],
            reference=[figures.as_latency() for figures in kept[reference, rate]],
            goal="",
        )
        for rate in RATES
        for reference, against in (("nginx", "nginx return 302"), ("usual", "FastAPI, PostgreSQL"))
    ]
