"""What was found out about lines: one row a line, whatever kind of hit it is."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

from aftersend.lake.schema import TRACKING_LOG

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["FOUND", "MESSAGE", "URL", "lined_up"]

_NAMES: Final = (
    "delivery_id",
    "message_id",
    "recipient_id",
    "url_id",
    "url_type",
    "flags",
    "domain",
    "is_seed",
    "amount",
    "article",
)
FOUND: Final = pa.schema(
    (
        pa.field("reason", pa.int8()),
        *(pa.field(name, TRACKING_LOG.field(name).type) for name in _NAMES),
    )
)
"""`reason` is a place in `reason.CODES`; where it is not 0, the other columns may be null."""

MESSAGE: Final = pa.schema(
    (
        pa.field("id", pa.int64()),
        pa.field("delivery_id", pa.int64()),
        pa.field("recipient_id", pa.int64()),
        pa.field("domain", pa.string()),
        pa.field("is_seed", pa.int8()),
    )
)
"""The rows of `lookup.messages_by_id`."""

URL: Final = pa.schema(
    (
        pa.field("id", pa.int64()),
        pa.field("delivery_id", pa.int64()),
        pa.field("type", pa.int8()),
    )
)
"""The rows of `lookup.urls_by_id`."""


def lined_up(rows: Sequence[Any], wanted: Any, schema: pa.Schema) -> pa.Table:
    """Line up what was found with what was wanted; nulls where there is nothing."""
    columns: list[Any] = [
        pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)
    ]
    places = pc.index_in(wanted, value_set=columns[0]).combine_chunks()
    return pa.table([column.take(places) for column in columns], schema=schema)
