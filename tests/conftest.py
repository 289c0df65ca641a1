"""What holds for every test."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a server or a command that runs inside this process does to its logs."""
    yield
    structlog.reset_defaults()
