"""The columns of the two tables of the lake.

Source: architecture "Data plane".
"""

from typing import Final

import pyarrow as pa

__all__ = ["DAY", "REJECTED_LINE", "TRACKING_LOG"]

DAY: Final = "day"
"""The column that the tracking log is parted by: the UTC day of `at`."""

TRACKING_LOG: Final = pa.schema(
    (
        pa.field("log_id", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field(DAY, pa.date32(), nullable=False),
        pa.field("delivery_id", pa.int64(), nullable=False),
        pa.field("message_id", pa.int64(), nullable=False),
        pa.field("recipient_id", pa.int64(), nullable=False),
        pa.field("url_id", pa.int64(), nullable=False),
        pa.field("url_type", pa.int8(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("flags", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("is_seed", pa.bool_(), nullable=False),
        pa.field("agent_id", pa.int64(), nullable=False),
        pa.field("address", pa.string()),
        pa.field("amount", pa.float64()),
        pa.field("article", pa.int64()),
        pa.field("parameters", pa.string(), nullable=False),
    )
)
"""One row a hit; ids 0 where there is none; `agent_id` 0 for an empty user agent."""

REJECTED_LINE: Final = pa.schema(
    (
        pa.field("server", pa.string(), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("bytes", pa.binary(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    )
)
"""One row a line that could not be loaded: where it stood, why, its bytes, when it was rejected."""
