"""Where every hit passes on its way into the spool."""

from pathlib import Path

from aftersend.collector.budget import Budget
from aftersend.collector.metrics import Metrics
from aftersend.collector.recorder import Recorder
from aftersend.platform.clock import ManualClock
from tests.support.spooling import AT, hit, opened, stored_lines


def test_a_hit_over_budget_is_counted_instead_of_recorded(tmp_path: Path) -> None:
    """The line is left out, and the reason can be read."""
    writer, metrics = opened(tmp_path), Metrics()
    recorder = Recorder(writer, Budget(2, ManualClock(AT)), metrics)
    recorded = [recorder.record(AT, "192.0.2.1", hit()) for _ in range(3)]
    writer.close()

    assert recorded == [True, True, False]
    assert metrics.unrecorded == {"budget": 1}
    assert len(stored_lines(tmp_path)) == 2


def test_without_a_limit_nobody_is_asked(tmp_path: Path) -> None:
    """A server that has no budget does not pay for one."""

    class Unasked(Budget):
        def admits(self, address: str) -> bool:
            raise AssertionError(address)

    writer, metrics = opened(tmp_path), Metrics()
    recorder = Recorder(writer, Unasked(0, ManualClock(AT)), metrics)
    recorded = [recorder.record(AT, "192.0.2.1", hit()) for _ in range(3)]
    writer.close()

    assert recorded == [True, True, True]
    assert metrics.unrecorded == {}
