"""How rounds become rows."""

from bench import click
from bench.click import Figures
from bench.process import CLIENT_CORE, cores

_OURS = Figures(cpu_us=20.0, rate=30_000.0, p50_ms=0.4, p99_ms=1.0)
_THEIRS = Figures(cpu_us=400.0, rate=2_000.0, p50_ms=7.0, p99_ms=50.0)


def test_each_question_has_its_own_figure() -> None:
    """Cost, throughput and latency are compared by what they are, and tell the others beside."""
    assert (20.0, 30_000.0, 1.0) == (
        _OURS.as_cost().cost,
        _OURS.as_rate().cost,
        _OURS.as_latency().cost,
    )
    assert _OURS.as_cost().details == {"requests a second": 30_000.0, "p50 ms": 0.4, "p99 ms": 1.0}


def test_throughput_is_how_many_times_theirs() -> None:
    """A server that does fifteen times as much shows 15, not a fifteenth."""
    names = ["ours", "nginx", "usual", "lax", "ours pixel", "nginx pixel"]
    names += ["ours 2", "nginx 2", "usual 2"]
    pressed = {name: [_OURS if name.startswith("ours") else _THEIRS] for name in names}

    rows = click._at_saturation(pressed)

    assert [15.0] == rows[3].ratios
    assert [row.name for row in rows].count("click, 2 workers") == 2
    assert "≥ 15" == rows[3].goal


def test_every_rate_is_compared_with_both() -> None:
    """Fixed rates have a row against nginx and one against the usual tracker each."""
    kept = {
        (name, rate): [_THEIRS if name == "usual" else _OURS]
        for name in ("ours", "nginx", "usual")
        for rate in click.RATES
    }

    rows = click._at_fixed_rates(kept)

    assert len(rows) == 2 * len(click.RATES)
    assert [0.02] == rows[1].ratios


def test_the_client_keeps_its_core_while_there_are_others() -> None:
    """One process never shares the client's core on a machine that has two."""
    assert len(cores(1)) == 1
    assert CLIENT_CORE not in cores(1) or CLIENT_CORE == 0
    assert len(cores(10_000)) >= len(cores(1))
