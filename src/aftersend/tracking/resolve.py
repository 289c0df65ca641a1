"""From what a line says to a row of the lake: its message, its recipient, its link.

The control plane is asked once for all messages and once for all links of a batch. Web visits,
which are few or none, are taken out, looked up in their own way (`visit`), and put back.
Source: spec §5 (step 1); architecture "Data plane".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.database.user_agents import agent_id
from aftersend.lake.schema import DAY, TRACKING_LOG
from aftersend.model.ids import ServerId
from aftersend.tracking import parameters
from aftersend.tracking.found import FOUND
from aftersend.tracking.reason import CODES, Reason, mark
from aftersend.tracking.visit import Visits, are_visits

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["Reason", "Resolved", "resolve"]

_COPIED: Final = ("log_id", "at", "part", "source_id", "user_agent", "address", "parameters")
"""What a row of the lake takes from its line as it is."""


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
    visits: Visits,
    *,
    server: ServerId,
    is_in_range: npt.NDArray[np.bool_],
) -> Resolved:
    """Find the message, recipient and link of each line, in the shape of `line.VALID`."""
    codes = np.zeros(lines.num_rows, np.int8)
    mark(codes, Reason.SERVER, ~_array(pc.starts_with(lines["log_id"], str(server))))
    mark(codes, Reason.RANGE, ~is_in_range)
    mark(codes, Reason.DUPLICATE, _is_repeated(lines["number"].to_numpy(), codes == 0))
    is_visit = are_visits(lines)
    if is_visit.any():
        found = _find_both(lines, visits, is_visit)
        _take_reasons(codes, found)
        visits.mark(codes, is_visit, lines=lines, found=found)
        wants_delivery = is_visit & (codes == 0) & (found["delivery_id"].to_numpy() == 0)
        if wants_delivery.any():
            found = visits.with_delivery(found, wants_delivery)
    else:
        found = _find(lines, visits)
        _take_reasons(codes, found)
    is_rejected = codes > 0
    rejected_at = lines["byte_at"].to_numpy()[is_rejected]
    if is_rejected.any():
        kept = pa.array(~is_rejected)
        lines, found = lines.select(_COPIED).filter(kept), found.filter(kept)
    hits, agents = _hits(lines, found)
    reasons = pa.array(CODES).take(pa.array(codes[is_rejected]))
    return Resolved(hits, agents, rejected_at, reasons)


def _find_both(lines: pa.Table, visits: Visits, is_visit: npt.NDArray[np.bool_]) -> pa.Table:
    """Find each kind in its own way, and bring the rows back into the order of the lines."""
    parts = (
        _find(lines.filter(pa.array(~is_visit)), visits),
        visits.find(lines.filter(pa.array(is_visit))),
    )
    order = np.argsort(np.concatenate([np.flatnonzero(~is_visit), np.flatnonzero(is_visit)]))
    return pa.concat_tables(parts).combine_chunks().take(order)


def _find(lines: pa.Table, visits: Visits) -> pa.Table:
    """Find what ordinary hits are of; see `FOUND`."""
    with visits.database.read() as connection:
        messages = visits.remembered.messages(connection, lines["message_id"])
        urls = visits.remembered.urls(connection, lines["url_id"])
    is_message = _are_equal(messages["delivery_id"], lines["delivery_id"], otherwise=False)
    is_url = _are_equal(urls["delivery_id"], lines["delivery_id"], otherwise=True)
    codes = np.zeros(lines.num_rows, np.int8)
    mark(codes, Reason.UNRESOLVED, ~is_message)
    mark(codes, Reason.UNKNOWN_URL, ~(is_url & _array(pc.is_valid(urls["id"]))))
    columns = {
        "reason": pa.array(codes),
        "delivery_id": lines["delivery_id"],
        "message_id": lines["message_id"],
        "recipient_id": messages["recipient_id"],
        "url_id": lines["url_id"],
        "url_type": urls["type"],
        "flags": lines["flags"],
        "domain": messages["domain"],
        "is_seed": messages["is_seed"].cast(pa.bool_()),
        "amount": parameters.amounts(lines["parameters"]),
        "article": parameters.articles(lines["parameters"]),
    }
    return pa.table([columns[name] for name in FOUND.names], schema=FOUND)


def _take_reasons(codes: npt.NDArray[np.int8], found: pa.Table) -> None:
    codes[codes == 0] = found["reason"].to_numpy()[codes == 0]


def _hits(lines: pa.Table, found: pa.Table) -> tuple[pa.Table, Mapping[int, str]]:
    texts: Any = lines["user_agent"].dictionary_encode().combine_chunks()
    agents = {agent_id(text): text for text in map(str, texts.dictionary.to_pylist())}
    numbers = pa.array(list(agents), pa.int64())
    assert len(numbers) == len(texts.dictionary), "64 bits tell user agents apart"
    columns = {name: found[name] for name in FOUND.names} | {
        "log_id": lines["log_id"],
        "at": lines["at"],
        DAY: lines["at"].cast(pa.date32()),
        "part": lines["part"],
        "source_id": lines["source_id"],
        "agent_id": numbers.take(texts.indices),
        "address": pc.if_else(pc.equal(lines["address"], ""), None, lines["address"]),
        "parameters": lines["parameters"],
    }
    return pa.table([columns[name] for name in TRACKING_LOG.names], schema=TRACKING_LOG), agents


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


def _array(column: Any) -> npt.NDArray[np.bool_]:
    array: npt.NDArray[np.bool_] = column.to_numpy()
    return array
