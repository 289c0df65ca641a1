"""Web tags: ``/r/<random>?tagid=…`` told by pages that people came to.

==============  ============================================================================
``tagid``       which tag; ``<id>|<w or t>[|<folder>]`` makes it at first need
``jobid``       delivery in hex, where no click of this session says which
``rcpid``       who it was, as ``field=value``; the workflow knows which fields it may name
``amount``      of a transaction
``article``     of a transaction: number of items
others          the page's own, cut to a length in all
==============  ============================================================================

Of a parameter that comes twice the first counts. What is too long to be meant is as if it were not
there: nobody else is named by the half of a name. A browser whose user refused it is answered and
not recorded, like a visit that nobody could be found for (spec §4.6).

Source: spec §4.2, §4.5, §4.6.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_plus

from aftersend.collector.client import user_agent_of
from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import (
    NO_COOKIES,
    Cookies,
    is_refused,
    last_delivery_of,
    session_of,
    source_of,
)
from aftersend.collector.flusher import Flusher
from aftersend.collector.metrics import Metrics
from aftersend.collector.page import IMAGE_HEADERS, PIXEL, Headers
from aftersend.collector.recorder import Recorder
from aftersend.errors import InvalidToken
from aftersend.model.ids import ID_MAX, NO_URL_ID
from aftersend.model.logline import HEAD, PLAIN
from aftersend.model.tag import parse
from aftersend.model.token import unpack
from aftersend.platform.clock import Clock

__all__ = ["Tags"]

_QUERY_LENGTH_MAX: Final = 8_192
_PAIRS_MAX: Final = 100
_FIELD_LENGTH_MAX: Final = 8_192
"""Characters of a whole field, percent-encoded: one of ours may be spelled by twelve."""
_LENGTHS_MAX: Final = {"rcpid": 128, "jobid": 16, "amount": 32, "article": 32}
_TOLD: Final = ("rcpid", "amount", "article")
_NAMED: Final = frozenset(("tagid", *_LENGTHS_MAX))
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_RECIPIENT: Final = re.compile(r"[^=]+=.+", re.DOTALL)


class Tags:
    """Records the visits and transactions that pages tell."""

    def __init__(
        self,
        config: CollectorConfig,
        *,
        clock: Clock,
        cookies: Cookies,
        recorder: Recorder,
        metrics: Metrics,
        flusher: Flusher | None = None,
    ) -> None:
        """Take an open recorder; with a flusher, answers wait until their lines are on the disk."""
        self._config, self._clock, self._cookies = config, clock, cookies
        self._recorder, self._metrics, self._flusher = recorder, metrics, flusher
        mode = config.web_tracking_mode
        self._is_source_enough = mode.is_permanent and not config.is_cookieless
        self._makes_sources = (
            config.is_visitor_tracked and mode.is_anonymous and not config.is_cookieless
        )

    def answer(self, scope: Any, proto: Any, *, address: str) -> bool:
        """Answer a request whose query names a tag; False when it names none."""
        query = scope.query_string
        if "tagid=" not in query:
            return False
        values = _values(query)
        if parse(values.get("tagid", "")) is None:
            return False
        headers = scope.headers
        cookie = headers.get("cookie") or ""
        if is_refused(cookie):
            cookies, is_recorded = NO_COOKIES, False
            self._metrics.unrecorded["opted_out"] += 1
        else:
            cookies, is_recorded = self._record(scope, values, cookie, address)
        self._metrics.requests["tag", "pixel"] += 1
        answer = 200, [*IMAGE_HEADERS, *cookies], PIXEL
        if is_recorded and self._flusher is not None:
            self._flusher.after_sync(partial(proto.response_bytes, *answer))
        else:
            proto.response_bytes(*answer)
        return True

    def _record(
        self, scope: Any, values: Mapping[str, str], cookie: str, address: str
    ) -> tuple[Headers, bool]:
        """Record a visit when somebody can be found for it; give cookies, and whether it was."""
        headers, cookies = scope.headers, NO_COOKIES
        message_id = delivery_id = 0
        source_id = ""
        if not self._config.is_cookieless:
            message_id, delivery_id = self._session(cookie)
            source_id = source_of(cookie)
        if not source_id and self._makes_sources:
            source_id = self._cookies.new_source()
            cookies = self._cookies.of_visit(headers, source_id)
        if not (message_id or "rcpid" in values or (source_id and self._is_source_enough)):
            self._metrics.unrecorded["incomplete"] += 1
            return cookies, False
        hit = (
            message_id,
            delivery_id or self._delivery(values, cookie),
            NO_URL_ID,
            HEAD if scope.method == "HEAD" else PLAIN,
            source_id,
            "",
            _field(values, length_max=self._config.parameters_length_max),
            user_agent_of(headers),
            address if self._config.is_address_stored else "",
        )
        return cookies, self._recorder.record(self._clock.now(), address, hit)

    def _session(self, cookie: str) -> tuple[int, int]:
        """Find message and delivery of the last click of this session, if we have signed it."""
        text = session_of(cookie)
        if text:
            try:
                _, delivery_id, message_id, _, _, is_verified = unpack(text, keys=self._config.keys)
            except InvalidToken:
                return 0, 0
            if is_verified:
                return message_id, delivery_id
        return 0, 0

    def _delivery(self, values: Mapping[str, str], cookie: str) -> int:
        """Find the delivery of a visit that no click of this session leads to; 0: none."""
        number = int(values.get("jobid", "0"), 16)
        if number:
            return number
        is_asked = self._config.web_tracking_mode.is_last_delivery
        return last_delivery_of(cookie) if is_asked and not self._config.is_cookieless else 0


def _values(query: str) -> dict[str, str]:
    """Read the parameters of a query in their order, without what cannot be meant."""
    pairs = query[:_QUERY_LENGTH_MAX].split("&", _PAIRS_MAX)
    if len(query) > _QUERY_LENGTH_MAX or len(pairs) > _PAIRS_MAX:
        pairs.pop()  # the half of one, or many in one
    values: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name in _NAMED:
            # A plus sign is no space here: addresses have them.
            values.setdefault(name, unquote(value).strip())
        elif name:
            values.setdefault(unquote_plus(name), unquote_plus(value))
    for name, length_max in _LENGTHS_MAX.items():
        if not 0 < len(values.get(name, "")) <= length_max:
            values.pop(name, None)
    if "jobid" in values and not (
        _HEX.fullmatch(values["jobid"]) and int(values["jobid"], 16) <= ID_MAX
    ):
        del values["jobid"]
    if "rcpid" in values and not _RECIPIENT.fullmatch(values["rcpid"]):
        del values["rcpid"]
    return values


def _field(values: Mapping[str, str], *, length_max: int) -> str:
    """Spell field 9 of a line: the tag, what we know by name, then the page's own.

    Limits: names and values of the page's own have `length_max` characters in all, the last value
    cut; the field has `_FIELD_LENGTH_MAX`.
    """
    told = [f"tagid={_quoted(values['tagid'])}"]
    told += [f"{name}={_quoted(values[name])}" for name in _TOLD if name in values]
    length, room = sum(map(len, told)) + len(told), length_max
    for name, value in values.items():
        if name in _NAMED:
            continue
        room -= len(name)
        if room < 0 or (value and room == 0):
            break
        pair = f"{_quoted(name)}={_quoted(value[:room])}"
        length += len(pair) + 1
        if length > _FIELD_LENGTH_MAX:
            break
        told.append(pair)
        room -= len(value)
        if room < 0:
            break
    return "&".join(told)


def _quoted(text: str) -> str:
    # Most texts are plain; asking first takes a tenth of the time.
    return text if _PLAIN.fullmatch(text) else quote(text, safe="", errors="replace")
