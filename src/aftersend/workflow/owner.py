"""Who runs a workflow: a process, told from every other one, dead or alive.

Text: ``host:kernel:process id:start``. The host name is for people. `kernel` is this boot of this
machine and the process namespace in it: only there does a process id mean anything, so two
containers or two machines of one name are never taken for each other. `start` is the process's
start in clock ticks since boot, because process ids come again.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Owner"]

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process; `kernel` empty and `start` 0 where the system does not tell."""

    host: str
    kernel: str
    pid: int
    start: int

    @classmethod
    def current(cls) -> Self:
        """Describe the process that we are."""
        pid = os.getpid()
        return cls(os.uname().nodename, _kernel(), pid, _start(pid) or 0)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` spelled; none for anything else."""
        fields = text.split(":")
        if len(fields) != 4 or not (fields[2].isdecimal() and fields[3].isdecimal()):
            return None
        return cls(fields[0], fields[1], int(fields[2]), int(fields[3]))

    def __str__(self) -> str:
        """Spell the owner for the database.

        >>> str(Owner("web1", "3f2a-4026531836", 4711, 123456))
        'web1:3f2a-4026531836:4711:123456'
        """
        return f"{self.host}:{self.kernel}:{self.pid}:{self.start}"

    def knows_dead(self, other: Self) -> bool:
        """Tell whether `other` ran where we run, and runs no more.

        A process that we cannot see, because it is elsewhere, is never called dead.
        """
        if not self.kernel or self.kernel != other.kernel:
            return False
        try:
            os.kill(other.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it lives, and is somebody else's
        start = _start(other.pid)
        return start is not None and start != other.start


def _kernel() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")
        namespace = (_PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""
    return f"{boot}-{namespace}"


def _start(pid: int) -> int | None:
    """Give a process's start in ticks; -1 for one that has ended but not been waited for."""
    try:
        # The name stands in parentheses and may hold anything; fields are counted after it.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
