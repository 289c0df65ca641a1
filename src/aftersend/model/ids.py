"""Ids as types, so that a delivery is never taken for a message.

Every number is at least 0 and below 2**63; 0 means "none", so that joins need never be outer.
Source: spec §1.2, §1.7.
"""

from typing import Final, NewType

__all__ = [
    "ID_MAX",
    "NO_URL_ID",
    "OPEN_URL_ID",
    "DeliveryId",
    "LogId",
    "MessageId",
    "RecipientId",
    "ServerId",
    "UrlId",
]

DeliveryId = NewType("DeliveryId", int)
MessageId = NewType("MessageId", int)
"""One message to one recipient in one delivery: the broadLog's id."""
RecipientId = NewType("RecipientId", int)
UrlId = NewType("UrlId", int)
ServerId = NewType("ServerId", str)
"""One ASCII letter or digit that names a tracking server."""
LogId = NewType("LogId", str)
"""One hit, e.g. ``10x00000000000000FF``: server, `0x`, 16 upper-case hex digits."""

ID_MAX: Final = 2**63 - 1
NO_URL_ID: Final = UrlId(0)
OPEN_URL_ID: Final = UrlId(1)
"""The "Open" URL that all deliveries share (spec §1.7)."""
