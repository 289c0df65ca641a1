"""Golden cases: what a message looks like before and after."""

from pathlib import Path

import pytest

from tests.support import content_golden

_CASES = sorted(content_golden.DIRECTORY.glob("*.txt"))


@pytest.mark.parametrize("path", _CASES, ids=[path.stem for path in _CASES])
def test_golden(path: Path) -> None:
    """A message is prepared as its golden file says."""
    case = path.read_text(encoding="utf-8")

    assert case == content_golden.run(case)
