"""Golden cases: what instructions put in their place."""

from pathlib import Path

import pytest

from tests.support import instruction_golden

_CASES = sorted(instruction_golden.DIRECTORY.glob("*.txt"))


@pytest.mark.parametrize("path", _CASES, ids=[path.stem for path in _CASES])
def test_golden(path: Path) -> None:
    """Instructions are carried out as the golden file says."""
    case = path.read_text(encoding="utf-8")

    assert case == instruction_golden.run(case)
