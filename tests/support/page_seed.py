"""What pages are drawn of in tests: a few deliveries with hits, written straight to the stores.

Texts are hostile on purpose: labels, names and user agents hold markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import insert

from aftersend.database import schema, workflows
from aftersend.lake.schema import TRACKING_LOG
from aftersend.model.enumeration import (
    DeliveryState,
    FailureReason,
    FailureType,
    MessageStatus,
    Severity,
    TrackingMode,
    UrlType,
)
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.model.logline import log_id
from aftersend.model.run import Counts
from aftersend.tracking import consolidate as consolidating
from aftersend.tracking.context import Context
from aftersend.web.services import Services
from tests.support.pages import NOW

HOSTILE = "<script>alert(1)</script>"
START = NOW - timedelta(days=2)
PAGE, ORDER = 9_001, 9_002


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit: minutes after `START`, the message (0: of nobody), the URL and the browser.

    URL 1 is the open, `PAGE` and `ORDER` are the web tags that `add_tags` makes.
    """

    minute: float
    message: int
    url: int
    source: str = ""
    flags: str = "0"
    agent: int = 7
    amount: float | None = None
    article: int | None = None


@dataclass(frozen=True, slots=True)
class Seeded:
    """The ids of what was made."""

    delivery: int
    recipients: Sequence[int]
    messages: Sequence[int]
    urls: Sequence[int]
    hits: Sequence[Hit] = field(default_factory=tuple)


def add_recipients(services: Services, names: Sequence[str]) -> list[int]:
    """Add recipients called `names` at example.com."""
    rows = [
        {
            "email": f"{name.lower()}@example.com",
            "domain": "example.com",
            "first_name": name.title(),
            "last_name": HOSTILE if index == 0 else "Doe",
            "format": 2,
            "fields": {},
            "created_at": START,
            "modified_at": START,
        }
        for index, name in enumerate(names)
    ]
    with services.database.write() as connection:
        connection.execute(insert(schema.recipient), rows)
        table = schema.recipient.c
        found = connection.execute(
            schema.recipient.select().where(table.email.in_([row["email"] for row in rows]))
        )
        ids = {row.email: row.id for row in found}
    return [ids[row["email"]] for row in rows]


def add_delivery(
    services: Services, recipients: Sequence[int], *, label: str = "Spring news", **changes: Any
) -> Seeded:
    """Add a delivery that was sent to `recipients`; the last message failed when there are five."""
    count = len(recipients)
    failed = 1 if count >= 5 else 0
    row = {
        "internal_name": f"DM-{label[:8]}",
        "label": label,
        "state": DeliveryState.FINISHED,
        "sender": "Aftersend <news@example.com>",
        "subject": f"News for you {HOSTILE}",
        "to_deliver": count,
        "success": count - failed,
        "error": failed,
        "created_at": START,
        "modified_at": START,
        "analysed_at": START,
        "contact_at": START,
        "ended_at": START + timedelta(minutes=1),
        **changes,
    }
    with services.database.write() as connection:
        delivery = _add(connection, schema.delivery, row)
        connection.execute(
            insert(schema.content).values(
                delivery_id=delivery,
                html="<p>Hello <%= recipient.first_name %> "
                '<a href="https://www.example.com/shop">Shop</a></p>',
            )
        )
        urls = [
            _add(connection, schema.tracked_url, _url(delivery, kind, label, source))
            for kind, label, source in (
                (UrlType.EMAIL_CLICK, f"Shop {HOSTILE}", "https://www.example.com/shop"),
                (UrlType.OPT_OUT, "Unsubscribe", "http://app.example/u/<%= message.token %>"),
                (UrlType.MIRROR_PAGE, "Mirror page", "http://app.example/m/<%= message.token %>"),
            )
        ]
        messages = [
            _add(connection, schema.message, _message(delivery, each, index == count - 1 >= 4))
            for index, each in enumerate(recipients)
        ]
    return Seeded(delivery, recipients, messages, urls)


def add_tags(services: Services) -> None:
    """Add the two web tags."""
    with services.database.write() as connection:
        for number, kind, label in (
            (PAGE, UrlType.WEB, "Home page"),
            (ORDER, UrlType.TRANSACTION, f"Order {HOSTILE}"),
        ):
            row = {**_url(0, kind, label, ""), "id": number, "tag_id": kind.slug}
            _add(connection, schema.tracked_url, {**row, "delivery_id": None})


def add_hits(services: Services, seeded: Seeded, hits: Sequence[Hit], *, first: int = 1) -> None:
    """Load hits into the lake, the first of them as line `first` of server 1."""
    kinds = dict(zip(seeded.urls, (1, 3, 6), strict=True)) | {1: 2, PAGE: 4, ORDER: 5}
    recipients = {0: 0, **dict(zip(seeded.messages, seeded.recipients, strict=True))}
    rows = [
        {
            "log_id": log_id(ServerId("1"), first + index),
            "at": (at := START + timedelta(minutes=hit.minute)),
            "day": at.date(),
            "delivery_id": seeded.delivery,
            "message_id": hit.message,
            "recipient_id": recipients[hit.message],
            "url_id": hit.url,
            "url_type": kinds[hit.url],
            "part": "h",
            "source_id": hit.source,
            "flags": hit.flags,
            "domain": "example.com" if hit.message else "",
            "is_seed": False,
            "agent_id": hit.agent,
            "address": None,
            "amount": hit.amount,
            "article": hit.article,
            "parameters": "",
        }
        for index, hit in enumerate(hits)
    ]
    services.lake.append(
        pa.Table.from_pylist(rows, schema=TRACKING_LOG),
        server=ServerId("1"),
        last=first + len(hits) - 1,
        deliveries={DeliveryId(seeded.delivery)},
    )


def consolidate(services: Services) -> None:
    """Compute the statistics of what is in the lake."""
    context = Context(
        database=services.database,
        lake=services.lake,
        sources=(),
        inbox=services.sessions / "inbox",
        clock=services.clock,
        settings=services.settings.tracking,
    )
    consolidating.consolidate(context)


def add_workflow(services: Services, *, ended_at: datetime | None = NOW) -> None:
    """Add the Tracking workflow with one run that ended."""
    with services.database.write() as connection:
        workflows.add(
            connection,
            name="tracking",
            label="Tracking",
            schedule="0 * * * *",
            next_at=NOW + timedelta(minutes=30),
        )
        if ended_at is None:
            return
        run_id = workflows.open_run(connection, "tracking", ended_at - timedelta(seconds=2))
        counts = Counts(read=7, loaded=5, already=1, rejected={"shape": 1}, deliveries=1)
        workflows.close_run(
            connection,
            workflows.Run(
                run_id, "tracking", ended_at, ended_at, workflows.FINISHED, counts, 1.25, ""
            ),
        )
        for severity, text in (
            (Severity.INFO, "The workflow is being run."),
            (Severity.WARNING, f"1 line was rejected {HOSTILE}"),
        ):
            line = workflows.JournalLine("tracking", ended_at, "download", severity, text, run_id)
            workflows.write_line(connection, line)


def _add(connection: Any, table: Any, row: dict[str, Any]) -> int:
    key = connection.execute(insert(table).values(row)).inserted_primary_key
    return int(key[0])


def _url(delivery: int, kind: UrlType, label: str, source: str) -> dict[str, Any]:
    return {
        "delivery_id": delivery,
        "type": kind,
        "mode": TrackingMode.ENABLED,
        "part": "h",
        "label": label,
        "source": source,
    }


def _message(delivery: int, recipient: int, is_failed: bool) -> dict[str, Any]:
    failure = {
        "status": MessageStatus.FAILED,
        "failure_type": FailureType.HARD,
        "failure_reason": FailureReason.USER_UNKNOWN,
        "failure_text": f"550 5.1.1 no such user {HOSTILE}",
    }
    return {
        "delivery_id": delivery,
        "recipient_id": recipient,
        "address": f"r{recipient}.{delivery}@example.com",
        "domain": "example.com",
        "status": MessageStatus.SENT,
        "event_at": START,
        **(failure if is_failed else {}),
    }
