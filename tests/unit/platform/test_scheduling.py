"""Turns of threads."""

import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from aftersend.platform.scheduling import TURN_US_MIN, ask_for_turns, let_others_first

T = TypeVar("T")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")


def _in_a_thread(do: Callable[[], T]) -> T:
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(do()))
    thread.start()
    thread.join()
    return answers[0]


def _turn_us() -> int | None:
    """Read the length of this thread's turns, where the kernel tells it."""
    path = Path(f"/proc/self/task/{threading.get_native_id()}/sched")
    found = re.search(r"se\.slice\s*:\s*(\d+)", path.read_text()) if path.exists() else None
    return int(found[1]) // 1000 if found else None


@linux_only
def test_the_kernel_takes_short_turns() -> None:
    """The call is understood, and where turns can be chosen, they are what was asked for."""

    def ask() -> tuple[bool, int | None]:
        return ask_for_turns(TURN_US_MIN), _turn_us()

    is_taken, turn_us = _in_a_thread(ask)
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))

    assert is_taken == (release >= (6, 12) and os.uname().machine in {"x86_64", "aarch64"})
    assert turn_us is None or not is_taken or turn_us == TURN_US_MIN


@linux_only
def test_threads_do_as_those_who_start_them() -> None:
    """A server's threads need not ask themselves."""

    def ask() -> tuple[int | None, int | None]:
        ask_for_turns(TURN_US_MIN)
        return _turn_us(), _in_a_thread(_turn_us)

    own, inherited = _in_a_thread(ask)

    assert own == inherited


@linux_only
def test_share_and_policy_stay() -> None:
    """Who asks for short turns is neither more nor less important than before."""

    def ask() -> tuple[tuple[int, int], tuple[int, int]]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 3)
        before = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
        ask_for_turns(TURN_US_MIN)
        return before, (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))

    before, after = _in_a_thread(ask)

    assert before == after
    assert before[0] == 3


@linux_only
def test_who_is_nice_stays_within_what_there_is() -> None:
    """Niceness is added to what the thread has, and ends where the kernel's scale ends."""

    def ask() -> list[int]:
        me, found = threading.get_native_id(), []
        for _ in range(3):
            let_others_first(me, 7)
            found.append(os.getpriority(os.PRIO_PROCESS, me))
        return found

    assert _in_a_thread(ask) == [7, 14, 19]


def test_old_kernels_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 6.12 the call succeeds and changes nothing, so the answer is no."""
    monkeypatch.setattr("platform.release", lambda: "6.1.0-37-amd64")

    assert not ask_for_turns(TURN_US_MIN)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has no such call, the answer is no."""
    monkeypatch.setattr("platform.machine", lambda: "vax")

    assert not ask_for_turns(TURN_US_MIN)
