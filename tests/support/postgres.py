"""A PostgreSQL of one's own: a temporary folder, a socket in it, no port."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["is_available", "running"]

_PROGRAMS: Final = Path("/usr/lib/postgresql")
_USER: Final = "postgres"
_SETTINGS: Final = """\
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = off
max_connections = 50
"""


def is_available() -> bool:
    """Tell whether PostgreSQL is installed as Debian does it."""
    return _programs() is not None


@contextmanager
def running() -> Iterator[str]:
    """Run a new cluster while the block runs; give the URL of its empty database."""
    programs = _programs()
    assert programs is not None, "PostgreSQL is installed"
    # Not pytest's folder: PostgreSQL refuses to be root, and its own user may not look in there.
    folder = Path(tempfile.mkdtemp(prefix="aftersend-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER, _USER)
        data = folder / "data"
        _run(programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        with (data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS.format(folder=folder))
        _run(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://{_USER}@/postgres?host={folder}"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    found = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def _run(*command: str | Path) -> None:
    user = _USER if os.geteuid() == 0 else None
    # To nowhere, not into a pipe: the server would keep it open.
    subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        stdout=subprocess.DEVNULL,
        timeout=120,
        check=True,
    )
