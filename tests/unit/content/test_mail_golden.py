"""Golden cases: what a finished message looks like before and after."""

from pathlib import Path

import pytest

from tests.support import mail_golden

_CASES = sorted(mail_golden.DIRECTORY.glob("*.eml"))


@pytest.mark.parametrize("path", _CASES, ids=[path.stem for path in _CASES])
def test_golden(path: Path) -> None:
    """A finished message is sent as its golden file says, byte for byte."""
    expected = path.with_suffix(".sent").read_bytes()

    assert expected == mail_golden.run(path.read_bytes())
