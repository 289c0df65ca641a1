"""How the tracking server fares: ``/health`` for everybody, ``/metrics`` for who may know more.

A tracking server stands in the public. How many people click is nobody's business, so ``/metrics``
wants the registration password, which Prometheus sends as a bearer token. A request from this very
machine goes without, unless a proxy has passed it on: then it came from anywhere.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from aftersend.collector.budget import source_of
from aftersend.collector.client import peer_of
from aftersend.collector.config import CollectorConfig
from aftersend.collector.guard import Guard
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import JSON_HEADERS, NOT_ALLOWED, NOT_ALLOWED_HEADERS
from aftersend.collector.snapshot import Fares, Snapshot, Snapshots, Told
from aftersend.platform.release import build
from aftersend.platform.telemetry import logger

__all__ = ["Status"]

_HEALTH: Final = "/health"
_METRICS: Final = "/metrics"
_READING: Final = ("GET", "HEAD")
_TEXT_HEADERS: Final = [
    ("content-type", "text/plain; version=0.0.4; charset=utf-8"),
    ("cache-control", "no-store"),
]
_ASKED_AT_ONCE: Final = 4
_OK: Final = 200
_PASSED_ON: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


class Status:
    """Answers both addresses, on an event loop."""

    def __init__(self, config: CollectorConfig, snapshots: Snapshots, metrics: Metrics) -> None:
        """Prepare."""
        self._config, self._snapshots = config, snapshots
        self._requests = metrics.requests
        self._guard = Guard(config)
        self._running = 0

    def has(self, path: str) -> bool:
        """Tell whether a path is one of ours."""
        return path in (_HEALTH, _METRICS)

    async def answer(self, scope: Any, proto: Any) -> None:
        """Tell of all servers on this port."""
        if scope.method not in _READING:
            proto.response_bytes(405, NOT_ALLOWED_HEADERS, NOT_ALLOWED)
            return
        if scope.path == _METRICS and not self._may_know(scope):
            self._requests["metrics", "refused"] += 1
            self._guard.turn_away(scope, proto)
            return
        told = self._snapshots.all()
        if scope.path == _METRICS:
            await self._tell_metrics(proto, told)
        else:
            status, body = _health(told)
            self._requests["health", "ok" if status == _OK else "red"] += 1
            proto.response_bytes(status, JSON_HEADERS, body)

    async def _tell_metrics(self, proto: Any, told: Sequence[Told]) -> None:
        """Look at the spools beside the event loop, for a few at a time."""
        if self._running >= _ASKED_AT_ONCE:
            headers = [*JSON_HEADERS, ("retry-after", "1")]
            proto.response_bytes(503, headers, b'{"error": "Too many ask at once; try again."}')
            return
        self._running += 1
        try:
            body = await asyncio.to_thread(_exposition, self._config, told)
        except OSError as error:
            logger("collector").error("the spools cannot be looked at", reason=error.strerror)
            proto.response_bytes(503, JSON_HEADERS, b'{"error": "The disk failed."}')
        else:
            self._requests["metrics", "ok"] += 1
            proto.response_bytes(_OK, _TEXT_HEADERS, body)
        finally:
            self._running -= 1

    def _may_know(self, scope: Any) -> bool:
        headers = scope.headers
        if self._guard.knows_password(headers):
            return True
        is_here = source_of(peer_of(scope.client)) == source_of("::1")
        return is_here and not any(name in headers for name in _PASSED_ON)


def _exposition(config: CollectorConfig, told: Sequence[Told]) -> bytes:
    from aftersend.collector.exposition import exposition  # slow to import, and seldom needed

    return exposition(config, told)


def _health(told: Sequence[Told]) -> tuple[int, bytes]:
    """Sum up: red while any server's lines wait for its disk, degraded while one is missing."""
    own = told[0].snapshot
    assert own is not None, "who is asked is there"
    fares = {each.fares for each in told}
    is_red = Fares.RED in fares
    unrecorded = Counter[str]()
    for each in told:
        if each.snapshot is not None:
            unrecorded.update(each.snapshot.unrecorded or {})
    document = {
        "status": "red" if is_red else "ok" if fares == {Fares.OK} else "degraded",
        "server_id": own.server_id,
        "build": build(),
        "spool": _spool(own),
        "unrecorded": unrecorded,
        "servers": [_server(each) for each in told],
    }
    return 503 if is_red else _OK, json.dumps(document).encode()


def _server(told: Told) -> dict[str, object]:
    found = told.snapshot
    document: dict[str, object] = {"server_id": told.server_id, "status": told.fares}
    if found is None:
        return document
    return document | {
        "build": found.build,
        "started_at": found.started_at.isoformat(),
        "age_seconds": round(told.age_seconds, 3),
        "spool": _spool(found),
    }


def _spool(found: Snapshot) -> dict[str, int]:
    return {
        "last": found.last,
        "unwritten": found.unwritten,
        "lost": found.lost,
        "failed_syncs": found.failed_syncs,
    }
