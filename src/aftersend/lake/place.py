"""Where in the lake a hit is, by its log id: only files that may hold it are read."""

from dataclasses import dataclass
from typing import Any

import pyarrow.compute

from aftersend.lake.table import Lake
from aftersend.model.ids import DeliveryId, LogId, MessageId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Place", "place_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """The message that a hit is about; ids 0 where there is none."""

    delivery_id: DeliveryId
    message_id: MessageId


def place_of(lake: Lake, log_id: LogId) -> Place | None:
    """Tell which message a hit is about; None when the lake has no such hit.

    Files whose lowest and highest log ids leave it out are not opened.
    """
    rows = (
        lake.hits.load()
        .to_pyarrow_dataset()
        .to_table(columns=["delivery_id", "message_id"], filter=pc.field("log_id") == log_id)
        .to_pylist()
    )
    if not rows:
        return None
    return Place(DeliveryId(rows[0]["delivery_id"]), MessageId(rows[0]["message_id"]))
