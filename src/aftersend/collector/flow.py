"""Answers of any length in bounded memory.

The HTTP server below takes whatever its own streams are given and keeps it until the client has
read it, however slow that client is. Of a file, though, it reads no more than the client takes. So
it is told to read a pipe that has a name, and we write into it as much as fits.

An answer that breaks off ends like a whole one: who asks must know how much there is to be.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["pour"]

_OPEN_SECONDS_MAX: Final = 5.0
_LOOK_SECONDS: Final = 0.002
_STALLED_SECONDS_MAX: Final = 60.0
"""A client that takes nothing for so long is given up."""


async def pour(proto: Any, headers: list[tuple[str, str]], pieces: AsyncIterator[bytes]) -> bool:
    """Answer 200 with all pieces, each asked for when the ones before are on their way.

    Tell whether the client has taken them all.

    Raises:
        OSError: there is no place for the pipe; nothing was answered yet.
    """
    with tempfile.TemporaryDirectory(prefix="aftersend-") as directory:
        path = Path(directory, "pipe")
        os.mkfifo(path, 0o600)
        proto.response_file(200, headers, str(path))
        descriptor = await _open(path)
    if descriptor is None:
        return False
    try:
        async for piece in pieces:
            await _write(descriptor, piece)
    except (BrokenPipeError, TimeoutError):
        return False
    finally:
        os.close(descriptor)
    return True


async def _open(path: Path) -> int | None:
    """Wait until the other end is open; None when the client went away before."""
    for _ in range(int(_OPEN_SECONDS_MAX / _LOOK_SECONDS)):
        with suppress(OSError):
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        await asyncio.sleep(_LOOK_SECONDS)
    return None


async def _write(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            async with asyncio.timeout(_STALLED_SECONDS_MAX):
                await _room(descriptor)


async def _room(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    is_there = asyncio.Event()
    loop.add_writer(descriptor, is_there.set)
    try:
        await is_there.wait()
    finally:
        loop.remove_writer(descriptor)
