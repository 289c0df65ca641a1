"""How long a thread runs before another has its turn, and who is let go first.

Since 6.12 Linux lets a thread of the usual policy choose how long its turns are. Who asks for short
ones is chosen sooner, and gets no larger share of the processor. Threads and processes that it
starts do as it does. Nothing but speed depends on what is asked for here.

Source: sched_setattr(2), sched(7).
"""

import ctypes
import os
import platform
import re
from typing import Final

__all__ = ["TURN_US_MIN", "WORKFLOW_NICE", "ask_for_turns", "let_others_first"]

TURN_US_MIN: Final = 100
"""The shortest turns that the kernel gives, in microseconds."""

WORKFLOW_NICE: Final = 10
"""How far workflows stand behind people who click: a tenth of the turns where both want one."""

_RELEASE_MIN: Final = (6, 12)  # older kernels take the call and do nothing
# The C library has a name for the call since glibc 2.41 only.
_CALLS: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


def ask_for_turns(turn_us: int) -> bool:
    """Ask the kernel for turns of `turn_us` microseconds for this thread; tell whether it does so.

    Policy and nice value stay as they are.
    """
    call = _CALLS.get(platform.machine())
    if platform.system() != "Linux" or call is None or _release() < _RELEASE_MIN:
        return False
    policy = os.sched_getscheduler(0)
    if policy not in {os.SCHED_OTHER, os.SCHED_BATCH}:
        return False  # somebody has decided otherwise
    attributes = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=policy,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        runtime_ns=turn_us * 1000,
    )
    system_call = ctypes.CDLL(None).syscall
    system_call.restype = ctypes.c_long
    answer: int = system_call(ctypes.c_long(call), 0, ctypes.byref(attributes), 0)
    return answer == 0


def let_others_first(thread_id: int, nice: int) -> None:
    """Make a thread of ours, and those that it starts, nicer; nobody may take that back.

    Only Linux knows nice threads; elsewhere nothing happens.
    """
    if platform.system() != "Linux":
        return
    now = os.getpriority(os.PRIO_PROCESS, thread_id)
    os.setpriority(os.PRIO_PROCESS, thread_id, min(now + nice, 19))


def _release() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
