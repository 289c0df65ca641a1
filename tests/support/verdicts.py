"""Who each hit is taken to be, the slow and plain way: pair by pair, no engine.

What `counted_log` says must be what stands here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pyarrow as pa

from aftersend.lake.machines import PROXY, Rules, described, scanner_networks
from aftersend.lake.schema import TRACKING_LOG
from aftersend.model.enumeration import UrlType

__all__ = ["START", "Hit", "after", "classify", "table"]

START = datetime(2026, 1, 2, 23, 59, 30, tzinfo=UTC)
"""Half a minute before midnight, so that hits of one message lie on two days."""

VISITS = (UrlType.WEB, UrlType.TRANSACTION)


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of a message; a browser's click on link 1 unless it says otherwise."""

    log_id: str
    at: datetime
    message_id: int = 1
    url_id: int = 1
    type: UrlType = UrlType.EMAIL_CLICK
    flags: str = "0"
    agent_id: int = 1
    address: str | None = "192.0.2.7"
    is_seed: bool = False

    @property
    def is_click(self) -> bool:
        """Tell whether it follows a link of the message that people see."""
        return self.type not in (UrlType.OPEN, UrlType.HONEYPOT, *VISITS)


def after(seconds: float) -> datetime:
    """Give the moment so many seconds after the start."""
    return START + timedelta(microseconds=round(seconds * 1_000_000))


def classify(hits: Sequence[Hit], rules: Rules) -> Mapping[str, str]:
    """Tell the rule of each hit by its log id; empty where none fits."""
    found = {hit.log_id: "" for hit in hits}
    for name in described():
        if not rules.has(name):
            continue
        fits = _FITS[name]
        free = [hit for hit in hits if not found[hit.log_id]]
        known = [hit for hit in hits if found[hit.log_id] in ("burst", "honeypot")]
        known = [hit for hit in known if hit.type is not UrlType.OPEN]
        unverified = [hit for hit in hits if "u" in hit.flags and rules.has("unverified")]
        for hit in free:
            near = [one for one in free if one.message_id == hit.message_id]
            if name == "burst-open":
                near = [one for one in known if one.message_id == hit.message_id]
            if name == "probe":
                near = [one for one in unverified if one.message_id == hit.message_id]
            if fits(hit, near, rules):
                found[hit.log_id] = name
    return found


def table(hits: Iterable[Hit]) -> pa.Table:
    """Give hits as rows of the lake."""
    rows = [
        {
            "log_id": hit.log_id,
            "at": hit.at,
            "day": hit.at.date(),
            "delivery_id": 1,
            "message_id": hit.message_id,
            "recipient_id": 100 + hit.message_id,
            "url_id": hit.url_id,
            "url_type": hit.type.value,
            "part": "h",
            "source_id": "",
            "flags": hit.flags,
            "domain": "example.com",
            "is_seed": hit.is_seed,
            "agent_id": hit.agent_id,
            "address": hit.address,
            "amount": None,
            "article": None,
            "parameters": "",
        }
        for hit in hits
    ]
    return pa.Table.from_pylist(rows, schema=TRACKING_LOG)


def _since(hit: Hit, earlier: Hit) -> float:
    return (hit.at - earlier.at) / timedelta(seconds=1)


def _honeypot(hit: Hit, near: Sequence[Hit], rules: Rules) -> bool:
    traps = [one for one in near if one.type is UrlType.HONEYPOT]
    return hit.type not in VISITS and any(
        abs(_since(hit, trap)) <= rules.honeypot_s for trap in traps
    )


def _burst(hit: Hit, near: Sequence[Hit], rules: Rules) -> bool:
    others = [one for one in near if one.is_click and one.url_id != hit.url_id]
    return hit.is_click and any(abs(_since(hit, one)) <= rules.burst_s for one in others)


def _burst_open(hit: Hit, near: Sequence[Hit], rules: Rules) -> bool:
    is_scanner = hit.type is UrlType.OPEN and hit.agent_id not in rules.agents.get(PROXY, ())
    return is_scanner and any(0 <= _since(one, hit) <= rules.burst_open_s for one in near)


def _probe(hit: Hit, near: Sequence[Hit], rules: Rules) -> bool:
    follows = any(0 <= _since(hit, one) <= rules.probe_s for one in near)
    return hit.is_click and ("p" in hit.flags or follows)


def _scanner_network(hit: Hit, _near: Sequence[Hit], rules: Rules) -> bool:
    text = (hit.address or "").partition(",")[0]
    if not hit.is_click or not text:
        return False
    address = ip_address(text)
    allowed = any(address in ip_network(network) for network in rules.allow_networks)
    return not allowed and any(address in network for network in scanner_networks())


def _open_repeat(hit: Hit, near: Sequence[Hit], rules: Rules) -> bool:
    opens = [one for one in near if one.type is UrlType.OPEN]
    before = [one for one in opens if (one.at, one.log_id) < (hit.at, hit.log_id)]
    return hit.type is UrlType.OPEN and any(
        _since(hit, one) < rules.open_repeat_s for one in before
    )


def _agent(rule: str, kind: UrlType | None = None) -> Callable[[Hit, Sequence[Hit], Rules], bool]:
    def fits(hit: Hit, _near: Sequence[Hit], rules: Rules) -> bool:
        return hit.agent_id in rules.agents.get(rule, ()) and kind in (None, hit.type)

    return fits


_FITS: Mapping[str, Callable[[Hit, Sequence[Hit], Rules], bool]] = {
    "head": lambda hit, _near, _rules: "h" in hit.flags,
    "unverified": lambda hit, _near, _rules: "u" in hit.flags,
    "seed": lambda hit, _near, _rules: hit.is_seed,
    "honeypot": _honeypot,
    "no-agent": lambda hit, _near, _rules: hit.agent_id == 0,
    "crawler": _agent("crawler"),
    "gmail-prefetch": _agent("gmail-prefetch", UrlType.OPEN),
    "apple-privacy": _agent("apple-privacy", UrlType.OPEN),
    "burst": _burst,
    "burst-open": _burst_open,
    "probe": _probe,
    "scanner-network": _scanner_network,
    "open-repeat": _open_repeat,
}
