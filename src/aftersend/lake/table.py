"""The two Delta tables of the lake.

Source: architecture D4, "Data plane".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from deltalake import DeltaTable

from aftersend.lake.schema import DAY, REJECTED_LINE, TRACKING_LOG
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import Clock

__all__ = ["Lake"]


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake that exists."""

    url: str
    options: Mapping[str, str]
    clock: Clock

    @classmethod
    def open(cls, url: str, *, options: Mapping[str, str], clock: Clock) -> Self:
        """Open the lake at `url`, a folder or an object store, and make it if it is missing."""
        lake = cls(url.rstrip("/"), dict(options), clock)
        for name, schema, parted_by in (
            ("tracking_log", TRACKING_LOG, [DAY]),
            ("rejected_line", REJECTED_LINE, []),
        ):
            DeltaTable.create(
                f"{lake.url}/{name}",
                schema,
                mode="ignore",
                partition_by=parted_by,
                storage_options=dict(lake.options),
            )
        return lake

    def files(self, deliveries: Collection[DeliveryId] | None = None) -> list[str]:
        """List the Parquet files that may hold hits of `deliveries` (none named: all files)."""
        del deliveries
        return sorted(self._table("tracking_log").file_uris())

    def _table(self, name: str) -> DeltaTable:
        return DeltaTable(f"{self.url}/{name}", storage_options=dict(self.options))
