"""The way of a click: token, catalogue, line, answer.

All of it happens in one go in the thread that read the request. Nothing here waits for a disk to
turn or for another process; what takes time (publishing, handing lines on) is done by
`registration` on an event loop beside.
"""

import html
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from aftersend.collector.catalogues import Catalogues
from aftersend.collector.client import Proxies, peer_of, user_agent_of
from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import Cookies, is_refused, source_of
from aftersend.collector.flusher import Flusher
from aftersend.collector.page import (
    GONE,
    IMAGE_HEADERS,
    JSON_HEADERS,
    NOT_ALLOWED,
    NOT_ALLOWED_HEADERS,
    NOT_FOUND,
    PAGE_HEADERS,
    PIXEL,
    PRIVATE_HEADERS,
    UNAVAILABLE,
    XML_HEADERS,
)
from aftersend.collector.registration import Registration
from aftersend.errors import InvalidToken
from aftersend.model.catalogue import location
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID
from aftersend.model.logline import EXPIRED, HEAD, PLAIN, UNVERIFIED
from aftersend.model.token import unpack
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy
from aftersend.platform.telemetry import logger
from aftersend.spool import Writer

__all__ = ["Collector"]

_HIT: Final = "/r/"
_TEST: Final = "/r/test"
_HEALTH: Final = "/health"
_READING: Final = ("GET", "HEAD")
_IMAGES: Final = (".gif", ".png")
# What mail programs and gateways glue to the end of an address, or do to its letters.
_MENDABLE: Final = re.compile(
    r"/r/([A-Z2-7]{22,8192}+)(\.gif|\.png)?(?:[=&;,.)>\]\"/].*)?", re.IGNORECASE | re.DOTALL
)
_NO_COOKIES: Final[tuple[tuple[str, str], ...]] = ()
_EMPTY: Final = ("content-length", "0")
_MISSING_MAX: Final = 100
_FAULTS_MAX: Final = 10


class Collector:
    """A tracking server without its HTTP server: it gets RSGI's `scope` and `proto`.

    `answer` is called by one thread; `administer` runs on an event loop.
    """

    def __init__(self, config: CollectorConfig, clock: Clock, entropy: Entropy) -> None:
        """Prepare; `open` takes the spool."""
        self._config, self._clock = config, clock
        self._keys = config.keys
        self._cookies = Cookies(config, entropy)
        self._catalogues = Catalogues(
            config.catalogue_directory, clock=clock, capacity=config.catalogues_in_memory
        )
        self._registration = Registration(config, self._catalogues)
        self._address_of = _address_reader(config)
        self._missing: set[tuple[int, int]] = set()
        self._build = ""
        self._writer: Writer | None = None
        self._flusher: Flusher | None = None
        self._flusher_of_answers: Flusher | None = None
        self.faults: list[Exception] = []
        """The last bugs of ours that requests met; tests look here."""

    def open(self) -> None:
        """Take the spool, and begin to sync it.

        Raises:
            Busy: another tracking server has it.
            OSError: a folder cannot be used.
        """
        config = self._config
        self._registration.open()
        writer = Writer.open(
            config.spool_directory,
            server=config.server_id,
            clock=self._clock,
            limits=config.limits,
        )
        self._writer, self._append = writer, writer.append
        self._flusher = Flusher(writer, interval_ms=config.fsync_interval_ms, clock=self._clock)
        self._flusher.start()
        if config.fsync_interval_ms == 0:
            self._flusher_of_answers = self._flusher

    def close(self) -> None:
        """Bring everything onto the disk and free the spool."""
        if self._flusher is not None and self._writer is not None:
            self._flusher.stop()
            self._writer.close()
            self._writer = self._flusher = self._flusher_of_answers = None

    def answer(self, scope: Any, proto: Any) -> bool:
        """Answer a request at once; False when it is one for `administer`."""
        try:
            path, method = scope.path, scope.method
            if path.startswith(_HIT) and path != _TEST and method in _READING:
                self._hit(scope, proto, path, method)
                return True
            if self._registration.has(path):
                return False
            self._answer_else(scope, proto, path, method)
        except Exception as error:  # noqa: BLE001 - the edge: no request may harm the next one
            self._note_fault(error, proto)
        return True

    async def administer(self, scope: Any, proto: Any) -> None:
        """Answer a request that may take its time; it needs the registration password."""
        try:
            await self._registration.answer(scope, proto)
        except Exception as error:  # noqa: BLE001 - the edge: no request may harm the next one
            self._note_fault(error, proto)

    def _hit(self, scope: Any, proto: Any, path: str, method: str) -> None:
        """Answer a click or an open; see the table of this package."""
        is_pixel = path.endswith(_IMAGES)
        text = path[3:-4] if is_pixel else path[3:]
        try:
            token = unpack(text, keys=self._keys)
        except InvalidToken:
            self._mend(scope, proto, path, method)
            return
        part, delivery_id, message_id, url_id, values, is_verified = token
        known = self._catalogues.get(delivery_id)
        if is_pixel or url_id == OPEN_URL_ID:
            link, is_found = None, is_verified or known is not None
            # A click's token with a pixel's ending, or the other way round, was never sent by us.
            is_verified = is_verified and is_pixel and url_id == OPEN_URL_ID
        else:
            link = None if known is None else known.links.get(url_id)
            is_found = link is not None
        if not is_found:
            self._miss(proto, delivery_id, url_id, is_verified)
            return
        now = self._clock.now()
        is_expired = (
            known is not None
            and known.expires_at is not None
            and known.expires_at <= now
            # Whoever wants no more mail may say so for ever.
            and (link is None or link.destination.type is not UrlType.OPT_OUT)
        )
        is_plain = is_verified and not is_expired
        headers = scope.headers
        cookie = headers.get("cookie") or ""
        source_id, cookies = "", _NO_COOKIES
        if "acoptout" not in cookie or not is_refused(cookie):
            source_id = source_of(cookie) if cookie else ""
            if is_plain and link is not None:
                source_id = source_id or self._cookies.new_source()
                cookies = self._cookies.of_click(message_id, delivery_id, source_id)
        flags = PLAIN
        if not is_plain or method == "HEAD":
            flags = _flags(method, is_verified, is_expired)
        agent, address = user_agent_of(headers), self._address_of(scope, headers)
        hit = message_id, delivery_id, url_id, flags, source_id, part, "", agent, address
        self._append(now, hit)
        if self._flusher_of_answers is not None:
            proto = _AfterSync(proto, self._flusher_of_answers)
        if link is None:
            proto.response_bytes(200, IMAGE_HEADERS, PIXEL)
            return
        target = known.substitute if is_expired and known is not None else link.location
        if target is None and not is_expired:
            target = location(link.destination, values if is_verified else (), text)
        if target is None:
            proto.response_bytes(410, PAGE_HEADERS, GONE)
            return
        answer = [("location", target), *PRIVATE_HEADERS, *cookies]
        if method == "HEAD":
            answer.append(_EMPTY)  # the server below tells it only with GET
        proto.response_empty(302, answer)

    def _mend(self, scope: Any, proto: Any, path: str, method: str) -> None:
        """Try again without what mail programs glue to an address."""
        match = _MENDABLE.fullmatch(path)
        mended = path if match is None else f"{_HIT}{match[1]}{(match[2] or '').lower()}"
        if mended == path:
            proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        else:
            self._hit(scope, proto, mended, method)

    def _miss(self, proto: Any, delivery_id: int, url_id: int, is_verified: bool) -> None:
        """Answer a click that leads nowhere; tell when it was one of ours, once for each link."""
        proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        if is_verified and (delivery_id, url_id) not in self._missing:
            if len(self._missing) >= _MISSING_MAX:
                self._missing.clear()
            self._missing.add((delivery_id, url_id))
            logger("collector").error(
                "a link of ours has no catalogue", delivery=delivery_id, url=url_id
            )

    def _answer_else(self, scope: Any, proto: Any, path: str, method: str) -> None:
        """Answer what is neither click nor open: rare, so it may be slow."""
        if method not in _READING:
            proto.response_bytes(405, NOT_ALLOWED_HEADERS, NOT_ALLOWED)
        elif path == _TEST:
            proto.response_bytes(200, XML_HEADERS, self._test(scope.headers.get("host") or ""))
        elif path == _HEALTH:
            status, body = self._health()
            proto.response_bytes(status, JSON_HEADERS, body)
        elif "%" in path and (plain := unquote(path)).startswith(_HIT):
            self._hit(scope, proto, plain, method)  # a gateway has escaped our address twice
        else:
            proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)

    def _test(self, host: str) -> bytes:
        """Answer who watches whether we run (spec §4.2)."""
        values = {
            "status": "OK",
            "date": f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
            "build": self._version(),
            "host": host,
            "localHost": socket.gethostname(),
        }
        spelled = " ".join(f"{name}='{html.escape(text)}'" for name, text in values.items())
        return f"<redir {spelled}/>".encode()

    def _health(self) -> tuple[int, bytes]:
        assert self._writer is not None, "only an open server is asked"
        state = self._writer.state
        is_ok = not state.unwritten
        document = {
            "status": "ok" if is_ok else "red",
            "server_id": self._config.server_id,
            "build": self._version(),
            "spool": {
                "last": state.last,
                "unwritten": state.unwritten,
                "lost": state.lost,
                "failed_syncs": state.failed_syncs,
            },
        }
        return 200 if is_ok else 503, json.dumps(document).encode()

    def _version(self) -> str:
        if not self._build:
            from importlib.metadata import version  # slow to import, and a click never needs it

            self._build = version("aftersend")
        return self._build

    def _note_fault(self, error: Exception, proto: Any) -> None:
        """Keep and tell a bug of ours, without what was asked: it may be about a person."""
        logger("collector").error("a request failed", exc_info=error)
        proto.response_bytes(500, PAGE_HEADERS, UNAVAILABLE)
        # Without the frames, which hold the request, and by it the HTTP server's threads.
        self.faults = [*self.faults[1 - _FAULTS_MAX :], error.with_traceback(None)]


def _flags(method: str, is_verified: bool, is_expired: bool) -> str:
    return (
        ("" if is_verified else UNVERIFIED)
        + (HEAD if method == "HEAD" else "")
        + (EXPIRED if is_expired else "")
    )


def _address_reader(config: CollectorConfig) -> Callable[[Any, Any], str]:
    """Choose once how the address of a client is found, if at all."""
    if not config.is_address_stored:
        return lambda _scope, _headers: ""
    if not config.trusted_proxies:
        return lambda scope, _headers: peer_of(scope.client)
    proxies = Proxies(config.trusted_proxies)
    return lambda scope, headers: proxies.client_of(
        peer_of(scope.client), ",".join(headers.get_all("x-forwarded-for"))
    )


@dataclass(slots=True)
class _AfterSync:
    """Sends an answer once its line is on the disk."""

    proto: Any
    flusher: Flusher

    def response_empty(self, *arguments: Any) -> None:
        self.flusher.after_sync(partial(self.proto.response_empty, *arguments))

    def response_bytes(self, *arguments: Any) -> None:
        self.flusher.after_sync(partial(self.proto.response_bytes, *arguments))
