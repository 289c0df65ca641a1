"""What a click looks up: the catalogues that lie in a folder, the ones in use in memory."""

import math
import os
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from aftersend.collector.page import PRIVATE_HEADERS, Headers
from aftersend.errors import InvalidCatalogue
from aftersend.model.catalogue import (
    CATALOGUE_BYTES_MAX,
    Catalogue,
    Destination,
    decode,
    file_name,
    location,
)
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

__all__ = ["Catalogues", "Known", "Link"]

_CHECK_SECONDS: Final = 1.0
_ABSENT_MAX: Final = 10_000


class Link(NamedTuple):
    """Where a tracked URL leads, made ready for clicks.

    `redirect` holds the headers of the answer where no value belongs in it; from `expires_at` on,
    which an unsubscription has not, it is `substitute`, or our own page without one.
    """

    destination: Destination
    redirect: Headers | None
    expires_at: datetime | None
    substitute: Headers | None


@dataclass(frozen=True, slots=True)
class Known:
    """A delivery's catalogue, made ready for clicks."""

    links: dict[int, Link]
    expires_at: datetime | None


@dataclass(slots=True)
class _Entry:
    """A file as it was last seen; `known` is None for one that cannot be used."""

    known: Known | None
    signature: tuple[int, int, int]
    checked_at: float


class Catalogues:
    """The most recently used catalogues of a folder; a changed file is noticed within a second.

    One thread asks; any may `recheck`.

    Limits: `capacity` deliveries in memory. That a delivery has no file is remembered for a second,
        of at most 10,000 deliveries: who makes ids up does not even ask the kernel each time.
    """

    def __init__(
        self, directory: Path, *, clock: Clock, capacity: int, expiration_url: str | None = None
    ) -> None:
        """Begin with none in memory; `expiration_url` is where expired links lead to."""
        self._expiration_url = expiration_url
        self._prefix = f"{directory}/"
        self._monotonic = clock.monotonic
        self._capacity = capacity
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._absent: dict[int, float] = {}
        self._asked = self._loaded = self._missed = 0

    def get(self, delivery_id: int) -> Known | None:
        """Give the catalogue of a delivery, or None when there is none that can be used."""
        self._asked += 1
        entry = self._entries.get(delivery_id)
        if entry is not None:
            self._entries.move_to_end(delivery_id)
            if self._monotonic() - entry.checked_at < _CHECK_SECONDS:
                return entry.known
        return self._look(delivery_id, entry)

    def recheck(self, delivery_id: int) -> None:
        """Look at the file again before the next answer."""
        self._absent.pop(delivery_id, None)
        entry = self._entries.get(delivery_id)
        if entry is not None:
            entry.checked_at = -math.inf

    @property
    def lookups(self) -> dict[str, int]:
        """Tell how often a catalogue was in memory, was read from its file, and was not there."""
        loaded, missed = self._loaded, self._missed
        return {"hit": max(0, self._asked - loaded - missed), "load": loaded, "miss": missed}

    def _look(self, delivery_id: int, entry: _Entry | None) -> Known | None:
        now = self._monotonic()
        absent_at = self._absent.get(delivery_id)
        if absent_at is not None and now - absent_at < _CHECK_SECONDS:
            self._missed += 1
            return None
        path = self._prefix + file_name(DeliveryId(delivery_id))
        try:
            status = os.stat(path)  # noqa: PTH116 - a path object costs more than the question
        except OSError:
            self._missed += 1
            self._entries.pop(delivery_id, None)
            if len(self._absent) >= _ABSENT_MAX:
                self._absent.clear()
            self._absent[delivery_id] = now
            return None
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if entry is None or entry.signature != signature:
            self._loaded += 1
            known = _load(path, delivery_id, self._expiration_url)
            if known is None and entry is not None:
                known = entry.known  # people still arrive by the last one that could be used
            entry = self._entries[delivery_id] = _Entry(known, signature, 0.0)
            self._entries.move_to_end(delivery_id)
            if len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        entry.checked_at = now
        return entry.known


def _load(path: str, delivery_id: int, expiration_url: str | None) -> Known | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the path is text already
            catalogue = decode(file.read(CATALOGUE_BYTES_MAX + 1))
    except (OSError, InvalidCatalogue) as error:
        reason = str(error)
    else:
        if catalogue.delivery_id == delivery_id:
            return _made_ready(catalogue, expiration_url)
        reason = f"It is that of delivery {catalogue.delivery_id}."
    logger("collector").error("a catalogue cannot be used", path=path, reason=reason)
    return None


def _made_ready(catalogue: Catalogue, expiration_url: str | None) -> Known:
    url = catalogue.substitution_url or expiration_url
    substitute = None if url is None else _redirect(Destination((url,)))
    return Known(
        links={
            int(url_id): _link(destination, catalogue.expires_at, substitute)
            for url_id, destination in catalogue.urls.items()
        },
        expires_at=catalogue.expires_at,
    )


def _link(
    destination: Destination, expires_at: datetime | None, substitute: Headers | None
) -> Link:
    is_fixed = all(isinstance(piece, str) for piece in destination.pieces)
    # Whoever wants no more mail may say so for ever.
    is_lasting = destination.type is UrlType.OPT_OUT
    return Link(
        destination,
        _redirect(destination) if is_fixed else None,
        None if is_lasting else expires_at,
        substitute,
    )


def _redirect(destination: Destination) -> Headers:
    return (("location", location(destination, (), "")), *PRIVATE_HEADERS)
