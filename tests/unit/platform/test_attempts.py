"""How often somebody may try a password."""

from aftersend.platform.attempts import FAILURES_MAX, WINDOW_S, Attempts
from aftersend.platform.clock import ManualClock
from tests.support.pages import NOW


def test_failures_are_forgotten_one_by_one() -> None:
    """A failure counts for a minute, and only against the address that it came from."""
    clock = ManualClock(NOW)
    attempts = Attempts(clock)
    for _ in range(FAILURES_MAX):
        assert attempts.may_try("a")
        attempts.note_failure("a")
        clock.advance(1)

    assert not attempts.may_try("a")
    assert attempts.may_try("b")
    clock.advance(WINDOW_S - FAILURES_MAX)
    assert attempts.may_try("a")


def test_memory_is_bounded() -> None:
    """However many addresses fail, only the latest are remembered."""
    attempts = Attempts(ManualClock(NOW))
    for number in range(10_100):
        attempts.note_failure(str(number))

    assert len(attempts._failures) == 10_000
