"""Some files of the inbox, read as one piece of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.tracking.inbox import InboxFile

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """The bytes of some files, one behind the other; `starts` are their places, and the end."""

    files: Sequence[InboxFile]
    raw: bytearray
    starts: npt.NDArray[np.int64]

    @classmethod
    def read(cls, files: Sequence[InboxFile]) -> Self:
        """Read files of one server, in the order of their lines."""
        starts = np.cumsum([0, *(file.path.stat().st_size for file in files)], dtype=np.int64)
        raw = bytearray(int(starts[-1]))
        for file, start, end in zip(files, starts, starts[1:], strict=False):
            with file.path.open("rb") as stream:
                stream.readinto(memoryview(raw)[start:end])
        return cls(files, raw, starts)

    @property
    def last(self) -> int:
        """Give the last number that the files cover."""
        return self.files[-1].last

    def file_index(self, byte_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tell in the how-many-th files, from 0, bytes stand."""
        return np.searchsorted(self.starts, byte_at, side="right") - 1

    def is_in_range(self, lines: pa.Table) -> npt.NDArray[np.bool_]:
        """Tell of each line whether its number is one that its file covers."""
        file = self.file_index(lines["byte_at"].to_numpy())
        numbers = lines["number"].to_numpy()
        first = np.array([file.first for file in self.files], np.int64)
        last = np.array([file.last for file in self.files], np.int64)
        is_in: npt.NDArray[np.bool_] = (numbers >= first[file]) & (numbers <= last[file])
        return is_in

    def places(self, rejected: pa.Table) -> pa.Table:
        """Say where lines stood in the segments of their server."""
        byte_at = rejected["byte_at"].to_numpy()
        file = self.file_index(byte_at)
        offsets = np.array([file.offset for file in self.files], np.int64)
        segments = pa.array([file.segment for file in self.files], pa.string())
        columns: list[Any] = [
            segments.take(file),
            pa.array(byte_at - self.starts[file] + offsets[file]),
            rejected["reason"],
            rejected["bytes"],
        ]
        return pa.table(columns, names=["segment", "offset", "reason", "bytes"])

    def bytes_at(self, places: pa.Table) -> npt.NDArray[np.int64]:
        """Give where lines at some places of segments begin in this batch."""
        offsets = places["offset"].to_numpy()
        found = []
        for file, start, end in zip(self.files, self.starts, self.starts[1:], strict=False):
            here = offsets[pc.equal(places["segment"], file.segment).to_numpy()]
            at = here - file.offset + start
            found.append(at[(at >= start) & (at < end)])
        return np.concatenate(found)
