"""Files that survive a power cut.

A new name in a folder is durable only once the folder itself is synced; every function here that
makes or renames a file does so, but `replace`, for what nobody misses after one.
"""

import os
import tempfile
from pathlib import Path

__all__ = ["make_directory", "replace", "sync", "sync_directory", "write_atomic"]


def sync(descriptor: int) -> None:
    """Bring what was written to `descriptor` onto the disk.

    Raises:
        OSError: the disk could not take it; a second try on the same descriptor proves nothing.
    """
    os.fsync(descriptor)  # noqa: TID251 - the one place


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable.

    Raises:
        OSError: `path` is not a folder that can be read, or the disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, mode: int = 0o755) -> None:
    """Make `path` and its parents if they are missing, durably.

    Raises:
        OSError: a parent is not writable, or a file stands in the way.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=mode, exist_ok=True)
    sync_directory(path.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace the file `path` by one that holds `data`: readers see the old or the new, whole.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; the old file stands.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            sync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Replace the file `path`, of which we are the only writer, without waiting for the disk.

    Readers see the old or the new, whole; a power cut may take both.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; the old file stands.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)
