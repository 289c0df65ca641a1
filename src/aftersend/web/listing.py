"""Long lists, a piece at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from litestar.params import PathParameter, QueryParameter

from aftersend.model.ids import ID_MAX

__all__ = ["ROWS", "Id", "Listing", "Offset"]

ROWS: Final = 200
"""Rows that a list shows before somebody asks for more (spec §6.3)."""

RowT = TypeVar("RowT")

Id = Annotated[int, PathParameter(ge=0, le=ID_MAX)]

Offset = Annotated[int, QueryParameter(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class Listing(Generic[RowT]):
    """The rows from `offset` on, of `total` that there are."""

    rows: Sequence[RowT]
    total: int
    offset: int

    @property
    def loaded(self) -> int:
        """Count the rows that are on the page once these have been added."""
        return self.offset + len(self.rows)

    @property
    def next_offset(self) -> int | None:
        """Give the offset of the rows that follow, none at the end."""
        return self.loaded if self.rows and self.loaded < self.total else None
