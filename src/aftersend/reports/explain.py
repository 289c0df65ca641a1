"""Why a hit has its verdict: the rule that fits, and the hits beside it that made it fit.

Verdicts are never stored, so this is worked out anew from all hits of the message, as every figure
is. Source: architecture D7; field lessons §0.4.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import ibis

from aftersend.database import user_agents
from aftersend.database.engine import Database
from aftersend.database.user_agents import Agent, ListedAgent
from aftersend.errors import NotFound
from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.hits import hits
from aftersend.lake.machines import Rule, Rules, described, scanner_networks
from aftersend.lake.place import place_of
from aftersend.lake.table import Lake
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import LogId
from aftersend.reports.log_query import LogRow
from aftersend.reports.logs import hit_columns, log_rows

__all__ = ["EVIDENCE_MAX", "Evidence", "Explanation", "explain"]

EVIDENCE_MAX: Final = 100
"""Hits that are told of, the nearest ones; those that made the rule fit come first."""

_MORE: Final = ("agent_id", "address", "flags", "counted")
_NOBODY: Final = ListedAgent(0, "", Agent(), 0)
_NO_RULE: Final = "No rule fits, so it is taken for a person and counts."


@dataclass(frozen=True, slots=True)
class Evidence:
    """Another hit of the same message; `offset_s` is how much later it came.

    `is_decisive` tells that the rule would not fit without it, or without one like it.
    """

    hit: LogRow
    offset_s: float
    agent: str
    is_decisive: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A hit with its verdict and why; `rule` None: none fits.

    `address` is empty where none is stored, `vendor` where it is in no known scanner network.
    `evidence` are the hits of the same message that are near enough to matter, in order of time.
    """

    hit: LogRow
    rule: Rule | None
    is_counted: bool
    flags: str
    agent: ListedAgent
    address: str
    vendor: str
    evidence: Sequence[Evidence]

    @property
    def reason(self) -> str:
        """Say why, in a sentence."""
        return _NO_RULE if self.rule is None else self.rule.reason


def explain(database: Database, lake: Lake, log_id: LogId, rules: Rules) -> Explanation:
    """Say why a hit has its verdict.

    Raises:
        NotFound: the lake has no such hit.
    """
    place = place_of(lake, log_id)
    if place is None:
        raise NotFound("hit", log_id)
    engine = duckdb.connect()
    try:
        log = hits(engine, lake, deliveries=[place.delivery_id])
        if place.message_id:
            log = log.filter(log.message_id == place.message_id)
        else:
            log = log.filter(log.log_id == log_id)
        rows = _rows(classified(log, rules))
    finally:
        engine.disconnect()
    (asked,) = [row for row in rows if row["log_id"] == log_id]
    near = _near(asked, rows, rules)
    deciding = _deciding(asked, near, rules)
    near = _shown(asked, near, deciding)
    agent_ids = {row["agent_id"] for row in (asked, *near)}
    with database.read() as connection:
        named = {row.log_id: row for row in log_rows(connection, [asked, *near])}
        agents = user_agents.of_ids(connection, agent_ids)
    return Explanation(
        hit=named[log_id],
        rule=described()[asked["rule"]] if asked["rule"] else None,
        is_counted=asked["counted"],
        flags=asked["flags"],
        agent=agents.get(asked["agent_id"], _NOBODY),
        address=asked["address"] or "",
        vendor=_vendor(asked["address"] or ""),
        evidence=[
            Evidence(
                hit=named[row["log_id"]],
                offset_s=_offset(asked, row),
                agent=agents.get(row["agent_id"], _NOBODY).text,
                is_decisive=row["log_id"] in deciding,
            )
            for row in near
        ],
    )


def _rows(log: ibis.Table) -> list[Mapping[str, Any]]:
    wanted = log.select(*hit_columns(), *_MORE).order_by(["at", "log_id"])
    rows: list[Mapping[str, Any]] = wanted.to_pyarrow().to_pylist()
    return rows


def _near(
    asked: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], rules: Rules
) -> list[Mapping[str, Any]]:
    """Give the other hits within the longest window, in order of time."""
    windows = (
        rules.open_repeat_s,
        rules.burst_s,
        rules.burst_open_s,
        rules.honeypot_s,
        rules.probe_s,
    )
    reach = timedelta(seconds=max(windows))
    return [
        row
        for row in rows
        if row["log_id"] != asked["log_id"] and abs(row["at"] - asked["at"]) <= reach
    ]


def _deciding(
    asked: Mapping[str, Any], near: Sequence[Mapping[str, Any]], rules: Rules
) -> frozenset[LogId]:
    """Tell which hits made the rule fit."""
    test = _DECISIVE.get(asked["rule"])
    if test is None:
        return frozenset()
    found = [LogId(row["log_id"]) for row in near if test(asked, row, rules)]
    # Of a row of opens only the one before tells how near they stand.
    return frozenset(found[-1:] if asked["rule"] == "open-repeat" else found)


def _shown(
    asked: Mapping[str, Any], near: Sequence[Mapping[str, Any]], deciding: frozenset[LogId]
) -> list[Mapping[str, Any]]:
    """Give the hits that are told of: those that decide first, then the nearest."""
    first = sorted(
        near,
        key=lambda row: (row["log_id"] not in deciding, abs(_offset(asked, row)), row["log_id"]),
    )
    return sorted(first[:EVIDENCE_MAX], key=lambda row: (row["at"], row["log_id"]))


def _is_trap(asked: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> bool:
    is_hit = row["url_type"] == UrlType.HONEYPOT and row["rule"] == "honeypot"
    return is_hit and abs(_offset(asked, row)) <= rules.honeypot_s


def _is_in_burst(asked: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> bool:
    is_other = row["rule"] == "burst" and row["url_id"] != asked["url_id"]
    return is_other and abs(_offset(asked, row)) <= rules.burst_s


def _is_burst_after(asked: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> bool:
    return row["rule"] == "burst" and 0 <= _offset(asked, row) <= rules.burst_open_s


def _is_probe(asked: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> bool:
    return row["rule"] == "unverified" and 0 <= -_offset(asked, row) <= rules.probe_s


def _is_repeated(asked: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> bool:
    is_open = row["url_type"] == UrlType.OPEN and row["rule"] in ("", "open-repeat")
    is_before = (row["at"], row["log_id"]) < (asked["at"], asked["log_id"])
    return is_open and is_before and -_offset(asked, row) < rules.open_repeat_s


_DECISIVE: Final[Mapping[str, Callable[[Any, Any, Rules], bool]]] = {
    "honeypot": _is_trap,
    "burst": _is_in_burst,
    "burst-open": _is_burst_after,
    "probe": _is_probe,
    "open-repeat": _is_repeated,
}


def _offset(asked: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    at: datetime = row["at"]
    return float((at - asked["at"]).total_seconds())


def _vendor(address: str) -> str:
    """Name whose scanners stand in the network of an address, if anybody's do."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    return next((vendor for network, vendor in scanner_networks().items() if found in network), "")
