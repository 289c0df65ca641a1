"""Log lines by the million: from raw bytes to columns, without a loop over lines.

The bytes are never copied line by line: places of line feeds make them an Arrow array, one regular
expression (`logline.PATTERN`, on RE2) checks the shape of all lines, the engine splits them.
What comes out, reasons of rejection included, is what `logline.decode` says line by line.

Source: spec §4.7; `aftersend.model.logline`.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.lake.duckdb import split_lines
from aftersend.model import logline

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["RAW_BYTES_MAX", "REJECTED", "VALID", "Lines", "parse"]

RAW_BYTES_MAX: Final = 2**31 - 1 - logline.LINE_BYTES_MAX
"""Arrow counts bytes of one array in 31 bits."""

VALID: Final = pa.schema(
    (
        pa.field("byte_at", pa.int64()),
        pa.field("log_id", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("message_id", pa.int64()),
        pa.field("delivery_id", pa.int64()),
        pa.field("url_id", pa.int64()),
        pa.field("flags", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("part", pa.string()),
        pa.field("parameters", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("address", pa.string()),
    )
)
REJECTED: Final = pa.schema(
    (
        pa.field("byte_at", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("bytes", pa.binary()),
    )
)

_WHOLE_LINE: Final = rf"\A{logline.PATTERN.decode()}\n\z"
_ESCAPED_COLUMNS: Final = ("parameters", "user_agent", "address")
_NUMBERS: Final = ("number", "message_id", "delivery_id", "url_id")
_NEWLINE: Final = 10
_TABS: Final = 10
_END: Final = 2**62
_PIECE_BYTES: Final = 1 << 20
_THREADS: Final = 2
_STRETCHES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines in two tables: those that can be read (`VALID`) and those that cannot (`REJECTED`).

    `byte_at` is where the line begins; each line stands in exactly one table, in their order.
    """

    valid: pa.Table
    rejected: pa.Table
    _starts: npt.NDArray[np.int32]
    _bytes: "pa.Array[Any]"

    def reject(self, byte_at: npt.NDArray[np.int64], reasons: "pa.Array[Any]") -> pa.Table:
        """Describe lines that begin at `byte_at` as rejected: columns `REJECTED`."""
        rows = self._bytes.take(self.row_index(byte_at))
        return _rejected(pa.array(byte_at), reasons, rows)

    def row_index(self, byte_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tell the how-many-th lines, from 0, begin at `byte_at`."""
        return np.searchsorted(self._starts, byte_at)


def parse(raw: bytes | bytearray) -> Lines:
    """Read whole lines; a last one without a line feed counts as a line.

    Limits: `RAW_BYTES_MAX`.
    """
    assert len(raw) <= RAW_BYTES_MAX, "who calls bounds what is read at once"
    has_end = not raw or raw.endswith(b"\n")
    starts, lines = _lines(raw if has_end else raw + b"\n")
    lengths = np.diff(starts)
    lengths[-1:] -= not has_end
    table = pa.table({"byte_at": starts[:-1].astype(np.int64), "length": lengths, "bytes": lines})
    has_shape = pc.and_(_match(lines), pc.less_equal(table["length"], logline.LINE_BYTES_MAX))
    misshapen = table.filter(pc.invert(has_shape))
    split = _split(_shaped(table, has_shape))
    is_valid = pc.and_(pc.is_valid(split["at"]), _have_numbers(split))
    impossible = split.filter(pc.invert(is_valid))
    if impossible.num_rows:
        split = split.filter(is_valid)
    if b"\\" in raw:
        split = _unescaped(split)
    parsed = Lines(split.cast(VALID), _misshapen(misshapen), starts, lines)
    if not impossible.num_rows:
        return parsed
    reasons = pc.if_else(pc.is_valid(impossible["at"]), "number", "time")
    more = parsed.reject(impossible["byte_at"].to_numpy(), reasons)
    rejected = pa.concat_tables((parsed.rejected, more)).sort_by("byte_at")
    return replace(parsed, rejected=rejected)


def _lines(raw: bytes | bytearray) -> tuple[npt.NDArray[np.int32], "pa.Array[Any]"]:
    """Give where lines begin, and the end behind the last; and the lines over the same bytes."""
    data = np.frombuffer(raw, np.uint8)
    # In pieces that stay in the processor's cache.
    ends = [
        np.flatnonzero(data[at : at + _PIECE_BYTES] == _NEWLINE) + at
        for at in range(0, len(data), _PIECE_BYTES)
    ]
    starts = np.concatenate([np.zeros(1, np.int64), *(piece + 1 for piece in ends)]).astype(
        np.int32
    )
    buffers = [None, pa.py_buffer(starts.data), pa.py_buffer(raw)]
    return starts, pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)


def _match(lines: "pa.Array[Any]") -> "pa.ChunkedArray[Any]":
    middle = len(lines) // _THREADS
    with ThreadPoolExecutor(_THREADS) as threads:
        halves = threads.map(
            lambda half: pc.match_substring_regex(half, _WHOLE_LINE),
            (lines.slice(0, middle), lines.slice(middle)),
        )
        matched: pa.ChunkedArray[Any] = pa.chunked_array([*halves], pa.bool_())
        return matched


def _shaped(lines: pa.Table, has_shape: "pa.ChunkedArray[Any]") -> pa.Table:
    """Leave out what has no shape: the stretches between, without a copy, where they are few."""
    out = np.flatnonzero(~has_shape.to_numpy())
    if len(out) > _STRETCHES_MAX:
        return lines.filter(has_shape)
    ends = [*out.tolist(), lines.num_rows]
    begins = [0, *(out + 1).tolist()]
    return pa.concat_tables(
        [
            lines.slice(begin, end - begin)
            for begin, end in zip(begins, ends, strict=True)
            if end > begin
        ]
        or [lines.slice(0, 0)]
    )


def _split(shaped: pa.Table) -> pa.Table:
    # The shape admits ASCII only, so bytes are text without a look at them.
    text = pa.chunked_array(
        [chunk.view(pa.string()) for chunk in shaped["bytes"].chunks], pa.string()
    )
    return split_lines(pa.table({"byte_at": shaped["byte_at"], "text": text}))


def _have_numbers(split: pa.Table) -> "pa.ChunkedArray[Any]":
    have: pa.ChunkedArray[Any] = pc.is_valid(split[_NUMBERS[0]])
    for name in _NUMBERS[1:]:
        have = pc.and_(have, pc.is_valid(split[name]))
    return have


def _misshapen(lines: pa.Table) -> pa.Table:
    reasons = pc.case_when(
        pc.make_struct(
            pc.greater(lines["length"], logline.LINE_BYTES_MAX),
            pc.not_equal(pc.count_substring(lines["bytes"], "\t"), _TABS),
        ),
        "length",
        "fields",
        "shape",
    )
    return _rejected(lines["byte_at"], reasons, lines["bytes"])


def _rejected(byte_at: Any, reasons: Any, lines: Any) -> pa.Table:
    bare = pc.binary_replace_slice(lines, start=-1, stop=_END, replacement=b"")
    return pa.table([byte_at, reasons, bare], schema=REJECTED)


def _unescaped(split: pa.Table) -> pa.Table:
    for name in _ESCAPED_COLUMNS:
        has_escape = pc.match_substring(split[name], "\\")
        if not pc.any(has_escape).as_py():
            continue
        texts = split[name].filter(has_escape).combine_chunks().dictionary_encode()
        known = pa.array([logline.unescape(str(text)) for text in texts.dictionary.to_pylist()])
        plain = pc.replace_with_mask(
            split[name].combine_chunks(), has_escape.combine_chunks(), known.take(texts.indices)
        )
        split = split.set_column(split.column_names.index(name), name, plain)
    return split
