"""Public resources: images, style sheets, fonts and documents that messages show (spec §4.2).

``GET|HEAD /res/<path>`` gives a file of the folder of resources to anybody; what is missing there
is fetched from a spare server and kept. ``GET /spare/res/<path>``, for who knows the registration
password, gives what lies here and asks nobody.

A path names a file when each of its parts is a plain name: none is empty, hidden, or holds a
character that could lead elsewhere. Symbolic links are not followed. The ending decides the type;
endings that are not listed do not exist.
"""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate, mktime_tz, parsedate_tz
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aftersend.collector.config import CollectorConfig
from aftersend.collector.guard import Answer, Guard, Refusal
from aftersend.collector.page import (
    NOT_ALLOWED,
    NOT_ALLOWED_HEADERS,
    NOT_FOUND,
    PAGE_HEADERS,
    UNAVAILABLE,
)
from aftersend.collector.spare import Found, Spares
from aftersend.platform import files
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["RESOURCE_BYTES_MAX", "Resources", "parts_of"]

RESOURCE_BYTES_MAX: Final = 32 * 1024 * 1024

_PUBLIC: Final = "/res/"
_LENT: Final = "/spare/res/"
_READING: Final = ("GET", "HEAD")
_WHOLE_BYTES_MAX: Final = 64 * 1024
"""Larger files are read as the client takes them."""
_AGE_SECONDS: Final = 3600
_PARTS_MAX: Final = 16
_PART_BYTES_MAX: Final = 200
_AT_ONCE: Final = 256
_READING_AT_ONCE: Final = 4  # threads are few, and needed by others too
_WINDOW_SECONDS: Final = 60.0
_QUESTIONS_MAX: Final = 600
"""How many missing names spare servers are asked for in a minute: anybody may make names up."""

_TYPES: Final = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "css": "text/css; charset=utf-8",
    "eot": "application/vnd.ms-fontobject",
    "gif": "image/gif",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
_SVG_POLICY: Final = (
    "content-security-policy",
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
)

_NOT_OURS: Final = frozenset(
    (errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG, errno.ENXIO)
)

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Resource:
    """A file that may be given; `data` is None when it is too large to be held."""

    path: Path
    size: int
    modified_s: int
    data: bytes | None

    @property
    def tag(self) -> str:
        return f'"{self.modified_s:x}-{self.size:x}"'

    @property
    def modified(self) -> str:
        return formatdate(self.modified_s, usegmt=True)

    @property
    def headers(self) -> list[Header]:
        ending = self.path.suffix[1:].lower()
        return [
            ("content-type", _TYPES[ending]),
            ("x-content-type-options", "nosniff"),
            ("cache-control", f"public, max-age={_AGE_SECONDS}"),
            ("etag", self.tag),
            ("last-modified", self.modified),
            ("access-control-allow-origin", "*"),  # fonts are refused without it
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-robots-tag", "noindex"),
            *((_SVG_POLICY,) if ending == "svg" else ()),
        ]


class Resources:
    """Answers the addresses of resources, on an event loop; files are read beside it."""

    def __init__(self, config: CollectorConfig, spares: Spares, clock: Clock) -> None:
        """Prepare; without a folder of resources there are none."""
        self._root, self._spares = config.resource_directory, spares
        self._guard = Guard(config)
        self._monotonic = clock.monotonic
        self._reading = asyncio.Semaphore(_READING_AT_ONCE)
        self._running = 0
        self._window_ends_at, self._questions = 0.0, 0

    def has(self, path: str) -> bool:
        """Tell whether a path is one of ours."""
        return path.startswith((_PUBLIC, _LENT))

    async def answer(self, scope: Any, proto: Any) -> None:
        """Give a file, or say that there is none."""
        if scope.path.startswith(_LENT):
            await self._guard.answer(scope, proto, {"GET": self._lend})
        elif scope.method not in _READING:
            proto.response_bytes(405, NOT_ALLOWED_HEADERS, NOT_ALLOWED)
        elif self._running >= _AT_ONCE:
            proto.response_bytes(503, [*PAGE_HEADERS, ("retry-after", "1")], UNAVAILABLE)
        else:
            self._running += 1
            try:
                await self._give(scope, proto)
            finally:
                self._running -= 1

    async def _give(self, scope: Any, proto: Any) -> None:
        parts = parts_of(scope.path.removeprefix(_PUBLIC))
        try:
            found = None if parts is None else await self._found(parts)
        except OSError as error:
            logger("collector").error("a resource cannot be read", reason=error.strerror)
            proto.response_bytes(503, [*PAGE_HEADERS, ("retry-after", "1")], UNAVAILABLE)
            return
        if found is None:
            proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        elif _is_known(scope.headers, found):
            proto.response_empty(304, found.headers)
        elif scope.method == "HEAD":
            proto.response_empty(200, [*found.headers, ("content-length", str(found.size))])
        elif found.data is None:
            proto.response_file(200, found.headers, str(found.path))
        else:
            proto.response_bytes(200, found.headers, found.data)

    async def _found(self, parts: tuple[str, ...]) -> _Resource | None:
        found = await self._read(parts, bytes_max=_WHOLE_BYTES_MAX)
        path = _LENT + quote("/".join(parts))
        if found is not None or self._root is None or not self._spares.may_have(path):
            return found
        if not self._has_question_left():
            return None
        keep = partial(_keep, self._root, parts)
        if await self._spares.fetch(path, bytes_max=RESOURCE_BYTES_MAX, keep=keep):
            return await self._read(parts, bytes_max=_WHOLE_BYTES_MAX)
        return None

    async def _lend(self, scope: Any, _proto: Any) -> Answer:
        parts = parts_of(scope.path.removeprefix(_LENT))
        found = None if parts is None else await self._read(parts, bytes_max=RESOURCE_BYTES_MAX)
        if found is None or found.data is None:
            raise Refusal(404, "This tracking server has no such resource.")
        return found.headers, found.data

    async def _read(self, parts: tuple[str, ...], *, bytes_max: int) -> _Resource | None:
        if self._root is None:
            return None
        async with self._reading:
            return await asyncio.to_thread(_read, self._root, parts, bytes_max)

    def _has_question_left(self) -> bool:
        """Count a question to spare servers; a minute has room for a number of them."""
        now = self._monotonic()
        if now >= self._window_ends_at:
            self._window_ends_at, self._questions = now + _WINDOW_SECONDS, 0
        self._questions += 1
        return self._questions <= _QUESTIONS_MAX


def parts_of(text: str) -> tuple[str, ...] | None:
    """Take a path apart that was percent-decoded once; None when it names no file of ours.

    >>> parts_of("img/logo.png")
    ('img', 'logo.png')
    >>> parts_of("../logo.png") is parts_of("img/.logo.png") is parts_of("notes.html") is None
    True
    """
    parts = tuple(text.split("/"))
    _, dot, ending = parts[-1].rpartition(".")
    if not dot or ending.lower() not in _TYPES or len(parts) > _PARTS_MAX:
        return None
    return parts if all(map(_is_plain, parts)) else None


def _is_plain(part: str) -> bool:
    return (
        part != ""
        and not part.startswith(".")
        and "\\" not in part
        and part.isprintable()
        and len(part.encode(errors="replace")) <= _PART_BYTES_MAX
    )


def _is_known(headers: Any, found: _Resource) -> bool:
    """Tell whether the client has this very file; its tag says more than its time."""
    tags = ",".join(headers.get_all("if-none-match"))
    if tags:
        known = {each.strip().removeprefix("W/") for each in tags.split(",")}
        return found.tag in known or "*" in known
    return bool(headers.get("if-modified-since") == found.modified)


def _read(root: Path, parts: tuple[str, ...], bytes_max: int) -> _Resource | None:
    try:
        with _opened(root, parts) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > RESOURCE_BYTES_MAX:
                return None
            data = None
            if status.st_size <= bytes_max:
                data = _all_of(descriptor, status.st_size)
            size = status.st_size if data is None else len(data)
            return _Resource(root.joinpath(*parts), size, int(status.st_mtime), data)
    except OSError as error:
        if error.errno in _NOT_OURS:
            return None
        raise


@contextmanager
def _opened(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """Open a file, folder by folder, so that no link on the way can lead elsewhere."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    descriptor = os.open(root, flags | os.O_DIRECTORY)
    try:
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            # Opening a pipe would wait for somebody to write into it.
            kind = os.O_NONBLOCK if is_last else os.O_DIRECTORY
            inner = os.open(part, flags | os.O_NOFOLLOW | kind, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _all_of(descriptor: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := os.read(descriptor, size - len(data))):
        data += piece
    return bytes(data)


def _keep(root: Path, parts: tuple[str, ...], found: Found) -> bool:
    """Store what a spare server has, with its time, so that its tag is the same everywhere."""
    path = root.joinpath(*parts)
    if path.parent.resolve() != root.resolve().joinpath(*parts[:-1]):
        return False  # a link would lead it out of the folder
    files.make_directory(path.parent)
    files.write_atomic(path, found.data)
    modified_s = _seconds(found.modified)
    if modified_s is not None:
        os.utime(path, (modified_s, modified_s))
    return True


def _seconds(text: str) -> int | None:
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else max(0, int(mktime_tz(parsed)))
    except (ValueError, OverflowError, IndexError):
        return None
