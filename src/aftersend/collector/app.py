"""A tracking server without its HTTP server: what runs in it, and who answers which address.

The thread that read a request answers it at once where that takes no time (`hit`, and what is
small); what does take time is behind a door, and answered on an event loop beside.
"""

import html
import json
import socket
from contextlib import suppress
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aftersend.collector import legacy
from aftersend.collector.budget import Budget
from aftersend.collector.catalogues import Catalogues
from aftersend.collector.client import address_reader
from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import Cookies
from aftersend.collector.flusher import Flusher
from aftersend.collector.hit import Hits, mended
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import (
    JSON_HEADERS,
    NOT_ALLOWED,
    NOT_ALLOWED_HEADERS,
    NOT_FOUND,
    PAGE_HEADERS,
    UNAVAILABLE,
    XML_HEADERS,
)
from aftersend.collector.recorder import Recorder
from aftersend.collector.registration import Registration
from aftersend.errors import InvalidToken
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy
from aftersend.platform.telemetry import logger
from aftersend.spool import Writer

__all__ = ["Collector"]

_HIT: Final = "/r/"
_TEST: Final = "/r/test"
_HEALTH: Final = "/health"
_READING: Final = ("GET", "HEAD")
_FAULTS_MAX: Final = 10


class Door(Protocol):
    """Addresses that are answered on the event loop."""

    def has(self, path: str) -> bool:
        """Tell whether a path is one of these."""
        ...

    async def answer(self, scope: Any, proto: Any) -> None:
        """Answer a request to one of them."""
        ...


class Collector:
    """A tracking server without its HTTP server: it gets RSGI's `scope` and `proto`.

    `answer` is called by one thread; `administer` runs on an event loop.
    """

    def __init__(self, config: CollectorConfig, clock: Clock, entropy: Entropy) -> None:
        """Prepare; `open` takes the spool."""
        self._config, self._clock = config, clock
        self._metrics = Metrics()
        self._cookies = Cookies(config, entropy)
        self._catalogues = Catalogues(
            config.catalogue_directory,
            clock=clock,
            capacity=config.catalogues_in_memory,
            expiration_url=config.expiration_url,
        )
        self._registration = Registration(config, self._catalogues)
        self._doors: tuple[Door, ...] = (self._registration,)
        self._address_of = address_reader(config)
        self._build = ""
        self._writer: Writer | None = None
        self._flusher: Flusher | None = None
        self.faults: list[Exception] = []
        """The last bugs of ours that requests met; tests look here."""

    def open(self) -> None:
        """Take the spool, and begin to sync it.

        Raises:
            Busy: another tracking server has it.
            OSError: a folder cannot be used.
        """
        config, clock = self._config, self._clock
        self._registration.open()
        writer = Writer.open(
            config.spool_directory, server=config.server_id, clock=clock, limits=config.limits
        )
        self._writer = writer
        self._flusher = Flusher(writer, interval_ms=config.fsync_interval_ms, clock=clock)
        self._flusher.start()
        budget = Budget(config.source_hits_per_minute_max, clock)
        recorder = Recorder(writer, budget, self._metrics)
        self._hits = Hits(
            config,
            clock=clock,
            catalogues=self._catalogues,
            cookies=self._cookies,
            recorder=recorder,
            metrics=self._metrics,
            flusher=self._flusher if config.fsync_interval_ms == 0 else None,
        )

    def close(self) -> None:
        """Bring everything onto the disk and free the spool."""
        if self._flusher is not None and self._writer is not None:
            self._flusher.stop()
            self._writer.close()
            self._writer = self._flusher = None

    def answer(self, scope: Any, proto: Any) -> bool:
        """Answer a request at once; False when it is one for `administer`."""
        try:
            path, method = scope.path, scope.method
            if path.startswith(_HIT) and method in _READING:
                try:
                    return self._hits.answer(scope, proto, path, method)
                except InvalidToken:
                    return self._answer_without_token(scope, proto, path, method)
            for door in self._doors:
                if door.has(path):
                    return False
            return self._answer_else(scope, proto, path, method)
        except Exception as error:  # noqa: BLE001 - the edge: no request may harm the next one
            self._note_fault(error, proto)
        return True

    async def administer(self, scope: Any, proto: Any) -> None:
        """Answer a request that may take its time."""
        try:
            for door in self._doors:
                if door.has(scope.path):
                    await door.answer(scope, proto)
                    return
        except Exception as error:  # noqa: BLE001 - the edge: no request may harm the next one
            self._note_fault(error, proto)

    def _answer_without_token(self, scope: Any, proto: Any, path: str, method: str) -> bool:
        """Answer what stands beside the hits, whatever is named by a query, or mended hits."""
        if path == _TEST:
            proto.response_bytes(200, XML_HEADERS, self._test(scope))
            self._metrics.requests["test", "ok"] += 1
            return True
        # Here is the place of what stands beside the hits: `ping`, `consent`, then tags by query.
        query = scope.query_string
        if (
            self._config.has_legacy_links
            and legacy.has_link(query)
            and self._hits.answer_legacy(scope, proto, method)
        ):
            return True
        if (plain := mended(path)) is not None:
            with suppress(InvalidToken):
                return self._hits.answer(scope, proto, plain, method)
        self._not_found(proto)
        return True

    def _answer_else(self, scope: Any, proto: Any, path: str, method: str) -> bool:
        """Answer what is neither click nor open: rare, so it may be slow."""
        if method not in _READING:
            proto.response_bytes(405, NOT_ALLOWED_HEADERS, NOT_ALLOWED)
            self._metrics.requests["other", "not_allowed"] += 1
        elif path == _HEALTH:
            status, body = self._health()
            proto.response_bytes(status, JSON_HEADERS, body)
            self._metrics.requests["other", "health"] += 1
        elif "%" in path and (plain := unquote(path)).startswith(_HIT):
            with suppress(InvalidToken):  # a gateway has escaped our address twice
                return self._hits.answer(scope, proto, plain, method)
            return self._answer_without_token(scope, proto, plain, method)
        else:
            self._not_found(proto)
        return True

    def _not_found(self, proto: Any) -> None:
        proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        self._metrics.requests["other", "not_found"] += 1

    def _test(self, scope: Any) -> bytes:
        """Answer who watches whether we run (spec §4.2)."""
        headers = scope.headers
        is_shown = self._config.is_source_shown
        values = {
            "status": "OK",
            "date": f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
            "build": self._version(),
            "host": headers.get("host") or "",
            "localHost": socket.gethostname(),
            "sourceIP": self._address_of(scope, headers) if is_shown else "",
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
