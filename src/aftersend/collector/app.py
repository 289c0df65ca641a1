"""A tracking server without its HTTP server: what runs in it, and who answers which address.

The thread that read a request answers it at once where that takes no time (`hit`, and what is
small); what does take time is behind a door, and answered on an event loop beside.
"""

import html
import socket
from contextlib import suppress
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aftersend.collector import legacy
from aftersend.collector.budget import Budget
from aftersend.collector.catalogues import Catalogues
from aftersend.collector.client import address_reader
from aftersend.collector.config import CollectorConfig
from aftersend.collector.consent import Consent
from aftersend.collector.cookie import Cookies
from aftersend.collector.exchange import Exchange
from aftersend.collector.flusher import Flusher
from aftersend.collector.hit import Hits, respelled
from aftersend.collector.late import LateHits
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import (
    NOT_ALLOWED,
    NOT_ALLOWED_HEADERS,
    NOT_FOUND,
    PAGE_HEADERS,
    UNAVAILABLE,
    XML_HEADERS,
)
from aftersend.collector.ping import Pings
from aftersend.collector.probe import Probes
from aftersend.collector.recorder import Recorder
from aftersend.collector.registration import Registration
from aftersend.collector.resources import Resources
from aftersend.collector.snapshot import Snapshots
from aftersend.collector.spare import Spares
from aftersend.collector.status import Status
from aftersend.collector.tag import Tags
from aftersend.errors import InvalidToken
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy
from aftersend.platform.release import build
from aftersend.platform.telemetry import logger, where
from aftersend.spool import Writer

__all__ = ["Collector"]

_HIT: Final = "/r/"
_ESCAPED_HIT_LENGTH: Final = len("%2Fr%2F")
_TEST: Final = "/r/test"
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
        self._config, self._clock, self._entropy = config, clock, entropy
        self._metrics = Metrics()
        self._cookies = Cookies(config, entropy)
        self._catalogues = _catalogues(config, clock)
        self._exchange = Exchange(config, self._catalogues)
        self._spares = Spares(config, clock)
        self._snapshots = Snapshots(config, self._metrics, self._catalogues, clock)
        self._doors: tuple[Door, ...] = (
            self._exchange,
            Resources(config, self._spares, clock),
            Registration(config, clock),
            Status(config, self._snapshots, self._metrics),
        )
        self._consent = Consent(config, self._cookies)
        self._pings = Pings(config)
        self._probes = Probes(config.probe_s)
        self._address_of = address_reader(config)
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
        self._exchange.open()
        self._spares.open()
        writer = Writer.open(
            config.spool_directory, server=config.server_id, clock=clock, limits=config.limits
        )
        self._writer = writer
        budget = Budget(config.source_hits_per_minute_max, clock)
        self._flusher = Flusher(
            writer,
            interval_ms=config.fsync_interval_ms,
            clock=clock,
            times=self._metrics.syncs,
            chores=(self._snapshots.write, budget.tell),
        )
        self._flusher.start()
        recorder = Recorder(writer, budget, self._metrics)
        self._tags = Tags(
            config,
            clock=clock,
            cookies=self._cookies,
            recorder=recorder,
            metrics=self._metrics,
            flusher=self._flusher if config.fsync_interval_ms == 0 else None,
        )
        self._hits = Hits(
            config,
            clock=clock,
            catalogues=self._catalogues,
            cookies=self._cookies,
            recorder=recorder,
            metrics=self._metrics,
            flusher=self._flusher if config.fsync_interval_ms == 0 else None,
            is_elsewhere=self._spares.is_worth_asking if config.spare_servers else None,
            probes=self._probes,
        )
        self._late_hits = self._made_late_hits(writer) if config.spare_servers else None
        self._snapshots.open(writer)

    def close(self) -> None:
        """Bring everything onto the disk and free the spool."""
        if self._flusher is not None and self._writer is not None:
            self._flusher.stop()
            self._writer.close()
            self._snapshots.close()
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
            assert self._late_hits is not None, "hits are declined only where others are asked"
            await self._late_hits.answer(scope, proto)
        except Exception as error:  # noqa: BLE001 - the edge: no request may harm the next one
            self._note_fault(error, proto)

    def _made_late_hits(self, writer: Writer) -> LateHits:
        """Make what answers hits on the event loop: it shares nothing but the spool."""
        config, clock = self._config, self._clock
        catalogues = _catalogues(config, clock)
        budget = Budget(config.source_hits_per_minute_max, clock)

        def recheck(delivery_id: int) -> None:
            catalogues.recheck(delivery_id)
            self._catalogues.recheck(delivery_id)

        hits = Hits(
            config,
            clock=clock,
            catalogues=catalogues,
            cookies=Cookies(config, self._entropy),
            recorder=Recorder(writer, budget, self._metrics),
            metrics=self._metrics,
            flusher=self._flusher if config.fsync_interval_ms == 0 else None,
        )
        return LateHits(self._spares, hits, recheck=recheck)

    def _answer_without_token(self, scope: Any, proto: Any, path: str, method: str) -> bool:
        """Answer what stands beside the hits, whatever is named by a query, or mended hits."""
        if path == _TEST:
            proto.response_bytes(200, XML_HEADERS, self._test(scope))
            self._metrics.requests["test", "ok"] += 1
            return True
        if self._pings.answer(scope, proto):
            self._metrics.requests["ping", "ok"] += 1
            return True
        if self._consent.answer(scope, proto) or self._visit(scope, proto):
            return True
        query = scope.query_string
        if (
            self._config.has_legacy_links
            and legacy.has_link(query)
            and self._hits.answer_legacy(scope, proto, method)
        ):
            return True
        for plain in respelled(path):
            with suppress(InvalidToken):
                return self._hits.answer(scope, proto, plain, method)
        if path != _HIT:  # scanners try what they have made of a token
            self._probes.note(self._address_of(scope, scope.headers), self._clock.now())
        self._not_found(proto, "probe")
        return True

    def _visit(self, scope: Any, proto: Any) -> bool:
        """Answer a web tag; False when the query names none."""
        address = self._address_of(scope, scope.headers)
        return self._tags.answer(scope, proto, address=address)

    def _answer_else(self, scope: Any, proto: Any, path: str, method: str) -> bool:
        """Answer what is neither click nor open: rare, so it may be slow."""
        if method not in _READING:
            proto.response_bytes(405, NOT_ALLOWED_HEADERS, NOT_ALLOWED)
            self._metrics.requests["other", "not_allowed"] += 1
        elif "%" in path and unquote(path[:_ESCAPED_HIT_LENGTH]).startswith(_HIT):
            return self._answer_without_token(scope, proto, path, method)  # escaped twice
        elif path == "/r" and self._visit(scope, proto):
            pass
        else:
            self._not_found(proto, "other")
        return True

    def _not_found(self, proto: Any, kind: str) -> None:
        proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        self._metrics.requests[kind, "not_found"] += 1

    def _test(self, scope: Any) -> bytes:
        """Answer who watches whether we run (spec §4.2)."""
        headers = scope.headers
        is_shown = self._config.is_source_shown
        values = {
            "status": "OK",
            "date": f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
            "build": build(),
            "host": headers.get("host") or "",
            "localHost": socket.gethostname(),
            "sourceIP": self._address_of(scope, headers) if is_shown else "",
        }
        spelled = " ".join(f"{name}='{html.escape(text)}'" for name, text in values.items())
        return f"<redir {spelled}/>".encode()

    def _note_fault(self, error: Exception, proto: Any) -> None:
        """Keep and tell a bug of ours, without what was asked: it may be about a person."""
        kind = type(error).__name__
        logger("collector").error("a request failed", error=kind, where=where(error))
        proto.response_bytes(500, PAGE_HEADERS, UNAVAILABLE)
        # Without the frames, which hold the request, and by it the HTTP server's threads.
        self.faults = [*self.faults[1 - _FAULTS_MAX :], error.with_traceback(None)]


def _catalogues(config: CollectorConfig, clock: Clock) -> Catalogues:
    return Catalogues(
        config.catalogue_directory,
        clock=clock,
        capacity=config.catalogues_in_memory,
        expiration_url=config.expiration_url,
    )
