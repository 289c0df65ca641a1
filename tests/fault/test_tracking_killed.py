"""The Tracking workflow killed by the operating system, at each moment it has a name for."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aftersend.tracking.steps import POINTS
from tests.support.tracking import STORY_MODE, begun_world, make_world, story_sources

ROOT = Path(__file__).parents[2]
_ONCE = (
    *(":begun", ":counted", ":replaced", ":written", ":committed", ":days"),
    "consolidate:agents",
)
"""Moments that a run of the story comes to only once."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what lasts when nobody is killed."""
    world = begun_world(tmp_path_factory.mktemp("whole"))
    world.run(story_sources())
    return world.state()


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.parametrize(
    ("point", "time"),
    [
        *((point, 1) for point in POINTS),
        *((point, 2) for point in POINTS if not point.endswith(_ONCE)),
    ],
)
def test_a_killed_run_is_made_good_by_the_next(
    tmp_path: Path, expected: dict[str, Any], point: str, time: int
) -> None:
    """What a process leaves behind, killed at any named moment, the next run brings to the end.

    Mutants killed: the inbox file removed before the commit; the version of the lake noted before
    the statistics.
    """
    begun_world(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.support.tracking", str(tmp_path), point, str(time)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    world = make_world(tmp_path, STORY_MODE)
    rest = world.run(story_sources())

    assert rest.is_balanced
    assert expected == world.state()
