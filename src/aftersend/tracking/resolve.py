"""From what a line says to a row of the lake: its message, its recipient, its link.

The control plane is asked once for all messages and once for all links of a batch.
Source: spec §5 (step 1); architecture "Data plane".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.database.engine import Database
from aftersend.database.lookup import messages_by_id, urls_by_id
from aftersend.database.user_agents import agent_id
from aftersend.lake.schema import DAY, TRACKING_LOG
from aftersend.model.ids import ServerId

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Reason", "Resolved", "resolve"]

_AMOUNT: Final = r"(?:^|&)amount=(?P<value>-?[0-9]{1,15}(?:\.[0-9]{1,15})?)(?:&|$)"
_ARTICLE: Final = r"(?:^|&)article=(?P<value>-?[0-9]{1,15})(?:&|$)"


class Reason(StrEnum):
    """Why a line that follows the format is rejected; the first that fits, in this order."""

    SERVER = "server"
    """It names another tracking server than the one it came from."""
    RANGE = "range"
    """Its number cannot stand where it stood: a damaged log id."""
    DUPLICATE = "duplicate"
    """A line before it has the same number: a damaged log id."""
    UNKNOWN_MESSAGE = "unknown_message"
    """There is no such message, or it is one of another delivery."""
    UNKNOWN_URL = "unknown_url"
    """There is no such link, or it is one of another delivery."""


_REASONS: Final = ("", *Reason)
_MESSAGE: Final = pa.schema(
    (
        pa.field("id", pa.int64()),
        pa.field("delivery_id", pa.int64()),
        pa.field("recipient_id", pa.int64()),
        pa.field("domain", pa.string()),
        pa.field("is_seed", pa.int8()),
    )
)
_URL: Final = pa.schema(
    (
        pa.field("id", pa.int64()),
        pa.field("delivery_id", pa.int64()),
        pa.field("type", pa.int8()),
    )
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Rows for the lake, and what was not: where lines begin, and why they are rejected.

    Shape: `hits` has the columns of `TRACKING_LOG`; `agents` are texts by number.
    """

    hits: pa.Table
    agents: Mapping[int, str]
    rejected_at: npt.NDArray[np.int64]
    reasons: "pa.Array[Any]"


def resolve(
    lines: pa.Table,
    database: Database,
    *,
    server: ServerId,
    is_in_range: npt.NDArray[np.bool_],
) -> Resolved:
    """Find the message, recipient and link of each line, in the shape of `line.VALID`."""
    with database.read() as connection:
        messages = _found(
            messages_by_id(connection, _distinct(lines["message_id"])),
            lines["message_id"],
            _MESSAGE,
        )
        urls = _found(urls_by_id(connection, _distinct(lines["url_id"])), lines["url_id"], _URL)
    is_message = _are_equal(messages["delivery_id"], lines["delivery_id"], otherwise=False)
    is_url = _are_equal(urls["delivery_id"], lines["delivery_id"], otherwise=True)
    codes = np.zeros(lines.num_rows, np.int8)
    _mark(codes, Reason.SERVER, ~_array(pc.starts_with(lines["log_id"], str(server))))
    _mark(codes, Reason.RANGE, ~is_in_range)
    _mark(codes, Reason.DUPLICATE, _is_repeated(lines["number"].to_numpy(), codes == 0))
    _mark(codes, Reason.UNKNOWN_MESSAGE, ~is_message)
    _mark(codes, Reason.UNKNOWN_URL, ~(is_url & _array(pc.is_valid(urls["id"]))))
    is_rejected = codes > 0
    if is_rejected.any():
        kept = pa.array(~is_rejected)
        rejected_at = lines["byte_at"].to_numpy()[is_rejected]
        lines, messages, urls = (table.filter(kept) for table in (lines, messages, urls))
    else:
        rejected_at = np.empty(0, np.int64)
    hits, agents = _hits(lines, messages, urls)
    reasons = pa.array(_REASONS).take(pa.array(codes[is_rejected]))
    return Resolved(hits, agents, rejected_at, reasons)


def _hits(
    lines: pa.Table, messages: pa.Table, urls: pa.Table
) -> tuple[pa.Table, Mapping[int, str]]:
    texts: Any = lines["user_agent"].dictionary_encode().combine_chunks()
    agents = {agent_id(text): text for text in map(str, texts.dictionary.to_pylist())}
    numbers = pa.array(list(agents), pa.int64())
    assert len(numbers) == len(texts.dictionary), "64 bits tell user agents apart"
    columns = {
        "log_id": lines["log_id"],
        "at": lines["at"],
        DAY: lines["at"].cast(pa.date32()),
        "delivery_id": lines["delivery_id"],
        "message_id": lines["message_id"],
        "recipient_id": messages["recipient_id"],
        "url_id": lines["url_id"],
        "url_type": urls["type"],
        "part": lines["part"],
        "source_id": lines["source_id"],
        "flags": lines["flags"],
        "domain": messages["domain"],
        "is_seed": messages["is_seed"].cast(pa.bool_()),
        "agent_id": numbers.take(texts.indices),
        "address": pc.if_else(pc.equal(lines["address"], ""), None, lines["address"]),
        "amount": _extract(lines["parameters"], _AMOUNT).cast(pa.float64()),
        "article": _extract(lines["parameters"], _ARTICLE).cast(pa.int64()),
        "parameters": lines["parameters"],
    }
    return pa.table([columns[name] for name in TRACKING_LOG.names], schema=TRACKING_LOG), agents


def _found(rows: Sequence[Any], wanted: Any, schema: pa.Schema) -> pa.Table:
    """Line up what was found with what was wanted; nulls where there is nothing."""
    columns: list[Any] = [
        pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)
    ]
    places = pc.index_in(wanted, value_set=columns[0]).combine_chunks()
    return pa.table([column.take(places) for column in columns], schema=schema)


def _distinct(column: Any) -> Sequence[int]:
    ids: list[int] = column.unique().to_pylist()
    return ids


def _are_equal(left: Any, right: Any, *, otherwise: bool) -> npt.NDArray[np.bool_]:
    return _array(pc.fill_null(pc.equal(left, right), otherwise))


def _is_repeated(
    numbers: npt.NDArray[np.int64], is_candidate: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    is_repeated = np.zeros(len(numbers), np.bool_)
    rows = np.flatnonzero(is_candidate)
    if not np.all(np.diff(numbers[rows]) > 0):
        _, first = np.unique(numbers[rows], return_index=True)
        is_repeated[rows] = True
        is_repeated[rows[first]] = False
    return is_repeated


def _mark(codes: npt.NDArray[np.int8], reason: Reason, has: npt.NDArray[np.bool_]) -> None:
    codes[(codes == 0) & has] = _REASONS.index(reason)


def _extract(parameters: Any, pattern: str) -> Any:
    if not pc.any(pc.not_equal(parameters, "")).as_py():
        return pa.nulls(len(parameters), pa.string())
    return pc.struct_field(pc.extract_regex(parameters, pattern), "value")


def _array(column: Any) -> npt.NDArray[np.bool_]:
    array: npt.NDArray[np.bool_] = column.to_numpy()
    return array
