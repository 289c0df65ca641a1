"""What a list of tracking logs is asked for, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aftersend.errors import InvalidInput
from aftersend.lake.machines import Rules
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.ids import DeliveryId, LogId, MessageId, RecipientId

__all__ = ["LIMIT", "SORTS", "LogPage", "LogQuery", "LogRow"]

LIMIT: Final = 200
"""Rows of a page, unless more are asked for (spec §6.3)."""

SORTS: Final = (
    "at",
    "type",
    "label",
    "url",
    "delivery",
    "recipient",
    "verdict",
    "rule",
    "part",
    "source_id",
    "amount",
    "article",
    "log_id",
)
"""What tracking logs can be sorted by; those that are alike stand by log id."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which tracking logs, in which order, and which of them.

    `url`, `delivery` and `recipient` are parts of texts, in any case: of the label or the source of
    the URL, of the delivery's label, of the address. `since` and `until`: from the one on and
    before the other. `limit` none: all.
    """

    type: UrlType | None = None
    verdict: Verdict | None = None
    rule: str = ""
    url: str = ""
    delivery: str = ""
    recipient: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "at"
    is_descending: bool = True
    limit: int | None = LIMIT
    offset: int = 0
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        """Refuse what cannot be sorted by."""
        if self.sort not in SORTS:
            raise InvalidInput(
                f"Tracking logs cannot be sorted by {self.sort}; choose {', '.join(SORTS)}."
            )

    @property
    def needs_verdicts(self) -> bool:
        """Tell whether the verdict decides which hits stand on a page, or where."""
        return self.verdict is not None or bool(self.rule) or self.sort in ("verdict", "rule")


@dataclass(frozen=True, slots=True)
class LogRow:
    """One hit, as people read it.

    `recipient` is the address that the message went to; without a message, the one of the recipient
    that a web tag named, or nothing. `amount` and `article` are what a web tag told.
    """

    log_id: LogId
    at: datetime
    type: UrlType
    url: str
    label: str
    delivery: str
    delivery_id: DeliveryId
    recipient: str
    source_id: str
    verdict: Verdict
    rule: str
    part: str
    message_id: MessageId
    recipient_id: RecipientId
    amount: float | None = None
    article: int | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some rows of a list, and how many there are in all."""

    rows: Sequence[LogRow]
    total: int
