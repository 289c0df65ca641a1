"""What the self-test would say if a figure were wrong."""

import pytest

from aftersend.cli import selftest as played
from aftersend.cli.selftest import Check
from tests.support.command import aftersend


@pytest.mark.parametrize(
    ("check", "is_ok"),
    [
        (Check("a", 4, 4), True),
        (Check("a", 2 / 3, 0.6666666666666667), True),
        (Check("a", 4, 5), False),
        (Check("a", 4, None), False),
        (Check("a", 0.75, 0.7501), False),
    ],
)
def test_a_figure_is_right_only_when_equal(check: Check, is_ok: bool) -> None:
    """Nothing but rounding in the last digit is forgiven; a missing figure is wrong."""
    assert check.is_ok is is_ok


def test_one_wrong_figure_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One figure that differs: exit 1, ok false, and the figure is named."""
    checks = [Check("good", 1, 1), Check("bad", 1, 2)]
    monkeypatch.setattr(played, "selftest", lambda: checks)

    outcome = aftersend(None, "selftest", "--json")

    assert outcome.status == 1
    assert outcome.document["ok"] is False
    assert [check["name"] for check in outcome.document["checks"] if not check["ok"]] == ["bad"]
