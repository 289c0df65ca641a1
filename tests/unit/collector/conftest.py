"""One running tracking server a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tracking_server import Tracker, tracking


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    """Run a tracking server with usual settings."""
    with tracking(tmp_path) as each:
        yield each
