"""The way of a hit: token, catalogue, line, answer.

All of it happens in one go in the thread that read the request, and most hits are clicks: what an
answer does not need is not made, what is the same for all is made once.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from aftersend.collector import legacy
from aftersend.collector.catalogues import Catalogues, Known, Link
from aftersend.collector.client import USER_AGENT_LENGTH_MAX, address_reader, user_agent_of
from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import NO_COOKIES, Cookies
from aftersend.collector.flusher import Flusher
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import (
    BLOCKED as BLOCKED_PAGE,
)
from aftersend.collector.page import (
    GONE,
    IMAGE_HEADERS,
    NOT_FOUND,
    PAGE_HEADERS,
    PIXEL,
    PRIVATE_HEADERS,
)
from aftersend.collector.probe import Probes
from aftersend.collector.recorder import Recorder
from aftersend.model.catalogue import location
from aftersend.model.enumeration import Part
from aftersend.model.ids import OPEN_URL_ID
from aftersend.model.logline import BLOCKED, EXPIRED, HEAD, PLAIN, PROBED, UNVERIFIED
from aftersend.model.token import unpack
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["Hits", "respelled"]

_IMAGES: Final = (".gif", ".png")
# What mail programs and gateways glue to the end of an address, or do to its letters.
_MENDABLE: Final = re.compile(
    r"/r/([A-Z2-7]{22,8192}+)(\.gif|\.png)?(?:[=&;,.)>\]\"/].*)?", re.IGNORECASE | re.DOTALL
)
_EMPTY: Final = (("content-length", "0"),)
_MISSING_MAX: Final = 100
_ESCAPES_MAX: Final = 100

_Token = tuple[Part, int, int, int, tuple[str, ...], bool]


class Hits:
    """Answers clicks and opens; see the table of this package. One thread calls it."""

    def __init__(
        self,
        config: CollectorConfig,
        *,
        clock: Clock,
        catalogues: Catalogues,
        cookies: Cookies,
        recorder: Recorder,
        metrics: Metrics,
        flusher: Flusher | None = None,
        is_elsewhere: Callable[[int], bool] | None = None,
        probes: Probes | None = None,
    ) -> None:
        """Take an open recorder; with a flusher, answers wait until their lines are on the disk.

        `is_elsewhere` tells of a delivery whether somebody else may know its links; `probes` is
        told of tokens that are not ours.
        """
        self._keys, self._now = config.keys, clock.now
        self._catalogue_of, self._cookies = catalogues.get, cookies
        self._record, self._metrics = recorder.record, metrics
        self._flusher, self._is_elsewhere = flusher, is_elsewhere
        self._address_of = address_reader(config)
        self._is_address_stored = config.is_address_stored
        self._accepts_unsigned = config.accepts_unsigned
        self._probes = probes or Probes(0)
        self._missing: set[tuple[int, int]] = set()

    def answer(self, scope: Any, proto: Any, path: str, method: str) -> bool:
        """Answer a click or an open; False when it is ours, but what it names is not here.

        Raises:
            InvalidToken: the path holds no token.
        """
        is_image = path[-4:-3] == "." and path.endswith(_IMAGES)
        text = path[3:-4] if is_image else path[3:]
        token = unpack(text, keys=self._keys)
        known = self._catalogue_of(token[1])
        if is_image or token[3] == OPEN_URL_ID:
            if known is None and not token[5]:
                self._miss(scope, proto, token, "open")
            else:
                # Neither a click's token with the ending of an image nor the reverse is of ours.
                is_verified = token[5] and is_image and token[3] == OPEN_URL_ID
                self._open(scope, proto, method, token, is_verified, known, "open")
            return True
        link = None if known is None else known.links.get(token[3])
        if link is not None:
            self._click(scope, proto, method, token, text, link, "click")
        elif self._is_elsewhere is not None and token[5] and self._is_elsewhere(token[1]):
            return False
        else:
            self._miss(scope, proto, token, "click")
        return True

    def delivery_of(self, path: str) -> int:
        """Tell which delivery the token of a path names.

        Raises:
            InvalidToken: the path holds no token.
        """
        return unpack(path[3:-4] if path.endswith(_IMAGES) else path[3:], keys=self._keys)[1]

    def answer_legacy(self, scope: Any, proto: Any, method: str) -> bool:
        """Answer a link of the older shape; False when the query holds none."""
        token = legacy.unpack(scope.query_string, is_verified=self._accepts_unsigned)
        if token is None:
            return False
        known = self._catalogue_of(token[1])
        if known is None:
            self._miss(scope, proto, token, "legacy")
        elif token[3] == OPEN_URL_ID:
            self._open(scope, proto, method, token, token[5], known, "legacy")
        elif (link := known.links.get(token[3])) is None:
            self._miss(scope, proto, token, "legacy")
        else:
            self._click(scope, proto, method, token, "", link, "legacy")
        return True

    def _click(
        self,
        scope: Any,
        proto: Any,
        method: str,
        token: _Token,
        text: str,
        link: Link,
        kind: str,
    ) -> None:
        """Log a click and send its person where the link leads."""
        values, is_verified = token[4], token[5]
        destination, redirect, expires_at, substitute = link
        headers, now = scope.headers, self._now()
        is_expired = expires_at is not None and expires_at <= now
        is_blocked = destination.is_blocked
        flags = PLAIN
        if is_verified and not is_expired and not is_blocked:
            source_id, cookies = self._cookies.of_click(headers, token, text)
            if method == "HEAD":
                flags = HEAD
        else:
            source_id, cookies = self._cookies.source_of(headers), NO_COOKIES
            flags = _flags(method, is_verified, is_expired, is_blocked)
            if not is_verified and kind == "click":
                self._probed(scope, headers, now)
        if self._probes.is_awake and is_verified and method == "GET":
            flags = self._with_probe(scope, headers, now, flags)
        self._log(scope, headers, now, token, flags, source_id)
        if self._flusher is not None:
            proto = _AfterSync(proto, self._flusher)
        if is_blocked:
            proto.response_bytes(410, PAGE_HEADERS, BLOCKED_PAGE)
            self._metrics.requests[kind, "blocked"] += 1
            return
        if is_expired:
            self._metrics.requests[kind, "expired"] += 1
            if substitute is None:
                proto.response_bytes(410, PAGE_HEADERS, GONE)
                return
            redirect = substitute
        elif kind == "click":
            self._metrics.redirects += 1
        else:
            self._metrics.requests[kind, "redirect"] += 1
        if redirect is None:
            target = location(destination, values if is_verified else (), text)
            redirect = (("location", target), *PRIVATE_HEADERS)
        answer = redirect + cookies
        if method == "HEAD":
            answer += _EMPTY  # the server below tells it only with GET
        proto.response_empty(302, answer)

    def _open(
        self,
        scope: Any,
        proto: Any,
        method: str,
        token: _Token,
        is_verified: bool,
        known: Known | None,
        kind: str,
    ) -> None:
        """Log an open and answer with the pixel."""
        headers, now = scope.headers, self._now()
        is_expired = known is not None and known.expires_at is not None and known.expires_at <= now
        flags = PLAIN
        if not is_verified or is_expired or method == "HEAD":
            flags = _flags(method, is_verified, is_expired, False)
            if not is_verified and kind == "open":
                self._probed(scope, headers, now)
        source_id = self._cookies.source_of(headers)
        self._log(scope, headers, now, token, flags, source_id)
        if self._flusher is not None:
            proto = _AfterSync(proto, self._flusher)
        proto.response_bytes(200, IMAGE_HEADERS, PIXEL)
        if kind == "open":
            self._metrics.pixels += 1
        else:
            self._metrics.requests[kind, "pixel"] += 1

    def _probed(self, scope: Any, headers: Any, now: datetime) -> None:
        """Remember from where a token came that was not signed by us."""
        self._probes.note(self._address_of(scope, headers), now)

    def _with_probe(self, scope: Any, headers: Any, now: datetime, flags: str) -> str:
        """Add to the flags of a click that it follows a garbled token of its network."""
        if not self._probes.has_probed(self._address_of(scope, headers), now):
            return flags
        return PROBED if flags == PLAIN else flags + PROBED

    def _log(
        self, scope: Any, headers: Any, now: datetime, token: _Token, flags: str, source_id: str
    ) -> None:
        """Record a hit; `headers` are those of `scope`, which it copies whenever it is asked."""
        part, delivery_id, message_id, url_id, _, _ = token
        address = self._address_of(scope, headers)
        stored = address if self._is_address_stored else ""
        agent = headers.get("user-agent")
        if agent is None or len(agent) > USER_AGENT_LENGTH_MAX:
            agent = user_agent_of(headers)
        hit = message_id, delivery_id, url_id, flags, source_id, part, "", agent, stored
        self._record(now, address, hit)

    def _miss(self, scope: Any, proto: Any, token: _Token, kind: str) -> None:
        """Answer a hit that leads nowhere; tell when it was one of ours, once for each link."""
        proto.response_bytes(404, PAGE_HEADERS, NOT_FOUND)
        self._metrics.requests[kind, "not_found"] += 1
        _, delivery_id, _, url_id, _, is_verified = token
        if not is_verified and kind != "legacy":
            self._probed(scope, scope.headers, self._now())
        is_ours = is_verified and kind != "legacy"  # older links can be made up, tokens cannot
        if is_ours and (delivery_id, url_id) not in self._missing:
            if len(self._missing) >= _MISSING_MAX:
                self._missing.clear()
            self._missing.add((delivery_id, url_id))
            logger("collector").error(
                "a link of ours has no catalogue", delivery=delivery_id, url=url_id
            )


def respelled(path: str) -> Iterator[str]:
    """Give the addresses of ours that gateways and mail programs may have made this one of.

    Limits: they escape few characters; who escapes many has nothing to do with us.
    """
    if path.count("%") > _ESCAPES_MAX:
        return
    plain = unquote(path) if "%" in path else path
    if plain != path:
        yield plain
    if match := _MENDABLE.fullmatch(plain):
        yield f"/r/{match[1]}{(match[2] or '').lower()}"


def _flags(method: str, is_verified: bool, is_expired: bool, is_blocked: bool) -> str:
    return (
        ("" if is_verified else UNVERIFIED)
        + (HEAD if method == "HEAD" else "")
        + (EXPIRED if is_expired else "")
        + (BLOCKED if is_blocked else "")
    ) or PLAIN


@dataclass(frozen=True, slots=True)
class _AfterSync:
    """Answers once the line is on the disk."""

    proto: Any
    flusher: Flusher

    def response_empty(self, *arguments: Any) -> None:
        self.flusher.after_sync(partial(self.proto.response_empty, *arguments))

    def response_bytes(self, *arguments: Any) -> None:
        self.flusher.after_sync(partial(self.proto.response_bytes, *arguments))
