"""How much of a costly test the usual run does; CI, and `make test LONG=1`, do all of it."""

import os
from collections.abc import Iterable
from typing import Any, Final

import pytest

__all__ = ["examples", "some"]

_IS_LONG: Final = bool(os.environ.get("CI") or os.environ.get("LONG"))
_EVERY: Final = 3


def examples(count: int) -> int:
    """Give how many examples a costly property is tried with: a third in the usual run."""
    return count if _IS_LONG else -(-count // _EVERY)


def some(values: Iterable[Any]) -> list[Any]:
    """Give all as parameters of a test, of which the usual run takes every third."""
    return [
        pytest.param(value, marks=() if number % _EVERY == 0 else pytest.mark.long)
        for number, value in enumerate(values)
    ]
