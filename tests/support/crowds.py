"""Deliveries, messages and hits written straight to the stores, for tests of figures and lists."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import insert

from aftersend.database import schema
from aftersend.database import urls as stored_urls
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.lake.schema import TRACKING_LOG
from aftersend.lake.table import Lake
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    MessageStatus,
    TrackingMode,
    UrlType,
)
from aftersend.model.ids import DeliveryId, MessageId, RecipientId, ServerId, UrlId
from aftersend.model.logline import log_id
from aftersend.platform.clock import ManualClock
from aftersend.settings import TrackingSettings
from aftersend.tracking.consolidate import recompute
from aftersend.tracking.context import Context

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
LINKS = (
    (UrlType.EMAIL_CLICK, "Shop", "https://www.example.com/shop"),
    (UrlType.EMAIL_CLICK, "News", "https://www.example.com/news"),
    (UrlType.OPT_OUT, "Unsubscribe", "https://app.example.com/u/"),
    (UrlType.MIRROR_PAGE, "Mirror page", "https://app.example.com/m/"),
)
"""The links of every delivery made here."""

TAGS = ((UrlType.WEB, "home", "Home page"), (UrlType.TRANSACTION, "order", ""))
"""Web tags of the world, which all deliveries share; the second has no label."""

OPEN, SHOP, NEWS, OPT_OUT, MIRROR, PAGE, ORDER, TRAP = range(8)
"""What a hit was on: an open, a place in `LINKS` and `TAGS` counted from 1, or the hidden link."""

AGENT = 1
"""The number of a user agent that nothing is known of."""

NOBODY = -1
"""Who a hit was by when nobody knows."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit: who (place in the delivery's messages), on what, seconds after `START`.

    A web tag may tell `amount` and `article`, and name a recipient without a message. `agent_id`
    is the number of a user agent, 0 of none.
    """

    who: int
    what: int
    second: float
    source_id: str = ""
    flags: str = "0"
    amount: float | None = None
    article: int | None = None
    has_message: bool = True
    agent_id: int = AGENT
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery that was sent, and the ids of its messages and links."""

    id: DeliveryId
    messages: Sequence[MessageId]
    recipients: Sequence[RecipientId]
    domains: Sequence[str]
    seeds: frozenset[int]
    urls: Sequence[UrlId]


@dataclass
class World:
    """A control plane and a lake."""

    database: Database
    lake: Lake
    clock: ManualClock
    folder: Path
    recipients: dict[str, RecipientId] = field(default_factory=dict)
    lines: int = 0
    deliveries: int = 0
    tags: Sequence[UrlId] = ()

    def send(
        self,
        addresses: Sequence[str],
        *,
        label: str = "News",
        text: int = 0,
        seeds: Iterable[int] = (),
        failed: Mapping[int, FailureReason] | None = None,
        **changes: Any,
    ) -> Sent:
        """Add a delivery to `addresses`; `seeds` and `failed` are places among them."""
        is_seed, reasons = frozenset(seeds), failed or {}
        count = len(addresses) - len(is_seed)
        at = self.clock.now()
        self.deliveries += 1
        with self.database.write() as connection:
            delivery = {
                "internal_name": f"DM{self.deliveries}",
                "label": label,
                "state": DeliveryState.FINISHED.value,
                "sender": "news@example.com",
                "subject": "News",
                "to_deliver": count,
                "text_count": text,
                "success": count - len(reasons),
                "error": len(reasons),
                "created_at": at,
                "modified_at": at,
                "contact_at": at,
                "ended_at": at,
                **changes,
            }
            delivery_id = _add(connection, schema.delivery, delivery)
            recipients = [self._recipient(connection, each) for each in addresses]
            messages = [
                _add(
                    connection,
                    schema.message,
                    {
                        **_message(delivery_id, address, at, reasons.get(place)),
                        "recipient_id": 0 if place in is_seed else recipients[place],
                        "is_seed": place in is_seed,
                    },
                )
                for place, address in enumerate(addresses)
            ]
            urls = [_add(connection, schema.tracked_url, _url(delivery_id, *one)) for one in LINKS]
        return Sent(
            id=DeliveryId(delivery_id),
            messages=[MessageId(each) for each in messages],
            recipients=recipients,
            domains=[address.partition("@")[2] for address in addresses],
            seeds=is_seed,
            urls=[UrlId(each) for each in urls],
        )

    def hit(self, sent: Sent, hits: Sequence[Hit]) -> None:
        """Load hits of one delivery into the lake."""
        first = self.lines + 1
        self.lines += len(hits)
        urls = [UrlId(1), *sent.urls, *self._tags()]
        if any(hit.what == TRAP for hit in hits):
            urls.append(self._trap(sent))
        rows = [hit_row(sent, hit, first + place, urls) for place, hit in enumerate(hits)]
        if rows:
            self.lake.append(
                pa.Table.from_pylist(rows, schema=TRACKING_LOG),
                server=ServerId("1"),
                last=self.lines,
                deliveries={sent.id},
            )

    def consolidate(self) -> None:
        """Bring the statistics up to what the lake holds, a second later."""
        self.clock.advance(1)
        context = Context(
            database=self.database,
            lake=self.lake,
            sources=(),
            inbox=self.folder / "inbox",
            clock=self.clock,
            settings=TrackingSettings(),
        )
        recompute(context)

    def _trap(self, sent: Sent) -> UrlId:
        with self.database.write() as connection:
            stored_urls.set_honeypot(connection, sent.id, is_wanted=True)
            trap = stored_urls.honeypot(connection, sent.id)
        assert trap is not None
        return trap

    def _tags(self) -> Sequence[UrlId]:
        if not self.tags:
            with self.database.write() as connection:
                self.tags = [
                    UrlId(_add(connection, schema.tracked_url, _tag(*one))) for one in TAGS
                ]
        return self.tags

    def _recipient(self, connection: Any, address: str) -> RecipientId:
        if address not in self.recipients:
            row = {
                "email": address,
                "domain": address.partition("@")[2],
                "created_at": self.clock.now(),
                "modified_at": self.clock.now(),
            }
            self.recipients[address] = RecipientId(_add(connection, schema.recipient, row))
        return self.recipients[address]


def make_empty(path: Path) -> None:
    """Make a migrated database that worlds are copied from."""
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()


def make_world(folder: Path, empty: Path) -> World:
    """Make a world in `folder`; `empty` is what `make_empty` made."""
    folder.mkdir(exist_ok=True)
    path = folder / "aftersend.sqlite"
    shutil.copy(empty, path)
    clock = ManualClock(START)
    lake = Lake.open(str(folder / "lake"), options={}, clock=clock)
    return World(Database(open_engine(f"sqlite:///{path}")), lake, clock, folder)


def hit_row(sent: Sent, hit: Hit, number: int, urls: Sequence[UrlId]) -> dict[str, Any]:
    """Give a hit as a row of the lake; `urls` are by what a hit was on."""
    at = START + timedelta(seconds=hit.second)
    kind = (UrlType.OPEN, *(one[0] for one in (*LINKS, *TAGS)), UrlType.HONEYPOT)[hit.what]
    is_seed, is_known = hit.who in sent.seeds, hit.who != NOBODY
    return {
        "log_id": log_id(ServerId("1"), number),
        "at": at,
        "day": at.date(),
        "delivery_id": sent.id,
        "message_id": sent.messages[hit.who] if is_known and hit.has_message else 0,
        "recipient_id": sent.recipients[hit.who] if is_known and not is_seed else 0,
        "url_id": urls[hit.what],
        "url_type": kind.value,
        "part": "h",
        "source_id": hit.source_id,
        "flags": hit.flags,
        "domain": sent.domains[hit.who] if is_known else "",
        "is_seed": is_seed,
        "agent_id": hit.agent_id,
        "address": hit.address,
        "amount": hit.amount,
        "article": hit.article,
        "parameters": "",
    }


def _message(
    delivery_id: int, address: str, at: datetime, reason: FailureReason | None
) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "address": address,
        "domain": address.partition("@")[2],
        "status": MessageStatus.SENT if reason is None else MessageStatus.FAILED,
        "failure_reason": reason or FailureReason.NOT_DEFINED,
        "event_at": at,
    }


def _url(delivery_id: int, kind: UrlType, label: str, source: str) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "type": kind.value,
        "mode": TrackingMode.ENABLED,
        "part": "h",
        "label": label,
        "source": source,
    }


def _tag(kind: UrlType, tag_id: str, label: str) -> dict[str, Any]:
    return {
        "type": kind.value,
        "mode": TrackingMode.ENABLED,
        "part": "h",
        "label": label,
        "source": f"https://www.example.com/{tag_id}",
        "tag_id": tag_id,
    }


def _add(connection: Any, table: Any, row: Mapping[str, Any]) -> int:
    key = connection.execute(insert(table).values(row)).inserted_primary_key
    return int(key[0])
