"""Telling processes apart."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from aftersend.workflow.owner import Owner


def test_an_owner_is_read_back() -> None:
    """What `str` spells, `parse` reads."""
    owner = Owner.current()

    assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize("text", ["", "web1", "a:b:c:d", "web1:k:1:-1", "web1:k:1:2:3"])
def test_other_text_is_no_owner(text: str) -> None:
    """Anything else is nobody, not an error."""
    assert Owner.parse(text) is None


def test_we_are_alive() -> None:
    """Nobody is told dead while it runs: not we, and not a process of somebody else."""
    us = Owner.current()

    assert not us.knows_dead(us)


def test_a_process_that_ended_is_dead() -> None:
    """A process id that nobody has is dead, also before it was waited for."""
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        ended = replace(Owner.current(), pid=process.pid, start=1)
        is_dead_unwaited = Owner.current().knows_dead(ended)

    assert is_dead_unwaited
    assert Owner.current().knows_dead(ended)


def test_a_process_id_that_came_again_is_somebody_else() -> None:
    """The same id with another start is a new process: the one we look for is dead."""
    us = Owner.current()

    assert us.knows_dead(replace(us, start=us.start - 1))


def test_who_is_elsewhere_is_never_called_dead() -> None:
    """A process of another machine, boot or container cannot be seen, so it may live."""
    us = Owner.current()

    assert not us.knows_dead(replace(us, kernel="other", start=us.start - 1))
    assert not replace(us, kernel="").knows_dead(replace(us, kernel="", start=us.start - 1))
