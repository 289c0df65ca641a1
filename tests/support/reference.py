"""All consolidated figures, the slow and plain way: each hit beside each other, no engine.

Written from the specification and from the rules as people read them, not from the product's code.
Source: spec §1.10, §2.4, §7.2, §7.13; architecture D7.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["AGENTS", "DOMAINS", "SCANNER", "Hit", "Message", "figures", "verdicts"]

OPEN, CLICK, OPT_OUT, WEB, TRANSACTION, MIRROR, HONEYPOT = 2, 1, 3, 4, 5, 6, 90

AGENTS: Mapping[str, str] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15": "",
    "": "no-agent",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "crawler",
    "Mozilla/5.0": "apple-privacy",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": (
        "proxy"
    ),
}
"""User agents, and the rule that each of them meets by itself; a proxy is no machine."""

SCANNER = "40.92.27.3"
"""An address of a scanner network of the rules."""

DOMAINS = {
    "example0.com": "Gmail",
    "gmail.com": "Gmail",
    "googlemail.com": "Gmail",
    "aol.de": "AOL",
}
"""Some domains and their names; the first is an alias that `make_world` has added."""

_BUCKET_S = 300


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a recipient."""

    id: int
    delivery_id: int
    recipient_id: int
    domain: str
    is_seed: bool = False
    is_failed: bool = False

    @property
    def domain_name(self) -> str:
        """Tell under which name its domain is gathered."""
        return DOMAINS.get(self.domain.lower(), "Others")


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of a message."""

    log_id: str
    at: datetime
    message: Message
    url_id: int
    url_type: int
    agent: str
    source_id: str = ""
    flags: str = "0"
    address: str = "127.0.0.1"
    amount: Decimal | None = None
    article: int | None = None

    @property
    def is_click(self) -> bool:
        """Tell whether rules about clicks are about it."""
        return self.url_type not in (OPEN, WEB, TRANSACTION, HONEYPOT)

    @property
    def is_visit(self) -> bool:
        """Tell whether a page of the web told of it."""
        return self.url_type in (WEB, TRANSACTION)


def verdicts(hits: Iterable[Hit]) -> Mapping[str, str]:
    """Tell the rule that each hit meets, by log id; empty: none, so it counts."""
    found: dict[str, str] = {}
    by_message: defaultdict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_message[hit.message.id].append(hit)
    for each in by_message.values():
        found |= _verdicts(sorted(each, key=lambda hit: (hit.at, hit.log_id)))
    return found


def _verdicts(hits: Sequence[Hit]) -> dict[str, str]:
    """Put rule after rule on the hits of one message that no earlier rule has taken."""
    rule = {hit.log_id: _first(hit) for hit in hits}

    def take(name: str, fits: Callable[[Hit], bool]) -> None:
        taken = [hit.log_id for hit in hits if not rule[hit.log_id] and fits(hit)]
        rule.update(dict.fromkeys(taken, name))

    def near(hit: Hit, behind_s: float, ahead_s: float) -> Iterable[Hit]:
        low, high = hit.at - timedelta(seconds=behind_s), hit.at + timedelta(seconds=ahead_s)
        return (other for other in hits if low <= other.at <= high)

    traps = {hit.log_id for hit in hits if not rule[hit.log_id] and hit.url_type == HONEYPOT}
    take(
        "honeypot",
        lambda hit: not hit.is_visit and any(each.log_id in traps for each in near(hit, 10, 10)),
    )
    take("no-agent", lambda hit: AGENTS[hit.agent] == "no-agent")
    take("crawler", lambda hit: AGENTS[hit.agent] == "crawler")
    take(
        "apple-privacy",
        lambda hit: hit.url_type == OPEN and AGENTS[hit.agent] == "apple-privacy",
    )
    clicks = [hit for hit in hits if not rule[hit.log_id] and hit.is_click]
    take(
        "burst",
        lambda hit: (
            hit.is_click
            and any(each in clicks and each.url_id != hit.url_id for each in near(hit, 1, 1))
        ),
    )
    take(
        "burst-open",
        lambda hit: (
            hit.url_type == OPEN
            and AGENTS[hit.agent] != "proxy"
            and any(
                rule[each.log_id] in ("burst", "honeypot") and each.url_type != OPEN
                for each in near(hit, 0, 60)
            )
        ),
    )
    take(
        "probe",
        lambda hit: (
            hit.is_click
            and ("p" in hit.flags or any("u" in each.flags for each in near(hit, 10, 0)))
        ),
    )
    take("scanner-network", lambda hit: hit.is_click and hit.address == SCANNER)
    opens = [hit for hit in hits if not rule[hit.log_id] and hit.url_type == OPEN]
    for place in range(1, len(opens)):
        if opens[place].at - opens[place - 1].at < timedelta(seconds=60):
            rule[opens[place].log_id] = "open-repeat"
    return rule


def _first(hit: Hit) -> str:
    if "h" in hit.flags:
        return "head"
    if "u" in hit.flags:
        return "unverified"
    return "seed" if hit.message.is_seed else ""


def figures(
    hits: Sequence[Hit], messages: Iterable[Message], agent_id: Callable[[str], int]
) -> Mapping[str, Mapping[Any, Any]]:
    """Give all tables of figures, by name and key; rows of nothing but zeros are left out."""
    rule = verdicts(hits)
    counted = [hit for hit in hits if not rule[hit.log_id]]
    messages = list(messages)
    return {
        "delivery_indicator": {
            number: {
                **_reactions([hit for hit in counted if hit.message.delivery_id == number]),
                "hits": sum(hit.message.delivery_id == number for hit in hits),
                "pending": 0,
            }
            for number in {message.delivery_id for message in messages}
        },
        "delivery_log_stats": _without_zeros(_domains(counted, messages)),
        "tracking_stats": _buckets(counted),
        "delivery_rule_stats": _by_rule(hits, rule),
        "user_agent_stats": _agent_days(counted, agent_id),
    }


def _reactions(counted: Sequence[Hit]) -> dict[str, float]:
    orders = [hit for hit in counted if hit.url_type == TRANSACTION]
    return {
        "recipient_open": len({hit.message.id for hit in counted}),
        "total_recipient_open": sum(hit.url_id == 1 for hit in counted),
        "recipient_click": len({hit.message.id for hit in counted if hit.url_type == CLICK}),
        "person_click": len(
            {hit.source_id or hit.message.id for hit in counted if hit.url_type == CLICK}
        ),
        "total_recipient_click": sum(hit.url_type == CLICK for hit in counted),
        "opt_out": sum(hit.url_type == OPT_OUT for hit in counted),
        "mirror_page": sum(hit.url_type == MIRROR for hit in counted),
        "total_web_page": sum(hit.is_visit for hit in counted),
        "transaction": len(orders),
        "amount": float(sum(hit.amount for hit in orders if hit.amount is not None)),
        "article": sum(hit.article for hit in orders if hit.article is not None),
    }


def _domains(counted: Sequence[Hit], messages: Sequence[Message]) -> dict[Any, dict[str, float]]:
    names = ("recipient_open", "recipient_click", "person_click", "opt_out")
    rows = {}
    for key in {(message.delivery_id, message.domain_name) for message in messages}:
        here = [hit for hit in counted if (hit.message.delivery_id, hit.message.domain_name) == key]
        sent = [
            message
            for message in messages
            if (message.delivery_id, message.domain_name) == key and not message.is_seed
        ]
        reactions = _reactions(here)
        rows[key] = {
            "prepared": len(sent),
            "success": sum(not message.is_failed for message in sent),
            "error": sum(message.is_failed for message in sent),
            **{name: reactions[name] for name in names},
        }
    return rows


def _buckets(counted: Iterable[Hit]) -> dict[Any, dict[str, int]]:
    rows: dict[Any, dict[str, int]] = {}
    for hit in counted:
        seconds = int(hit.at.timestamp()) // _BUCKET_S * _BUCKET_S
        key = (hit.message.delivery_id, hit.url_id, datetime.fromtimestamp(seconds, UTC))
        rows.setdefault(key, {"total_clicks": 0})["total_clicks"] += 1
    return rows


def _by_rule(hits: Iterable[Hit], rule: Mapping[str, str]) -> dict[Any, dict[str, int]]:
    rows: dict[Any, dict[str, int]] = {}
    for hit in hits:
        # What a seed address does never counts, whatever other rule fits it.
        name = "seed" if hit.message.is_seed else rule[hit.log_id]
        if name:
            key = (hit.message.delivery_id, name, hit.url_type)
            rows.setdefault(key, {"hits": 0})["hits"] += 1
    return rows


def _agent_days(
    counted: Iterable[Hit], agent_id: Callable[[str], int]
) -> dict[Any, dict[str, int]]:
    clicks = [hit for hit in counted if hit.url_type == CLICK]
    rows = {}
    for agent, day in {(hit.agent, hit.at.date()) for hit in clicks}:
        of_day = [hit for hit in clicks if hit.at.date() == day]
        of_agent = [hit for hit in of_day if hit.agent == agent]
        rows[agent_id(agent), day] = {
            "visitors": len({hit.message.recipient_id for hit in of_agent}),
            "pages": len(of_agent),
            "visitors_of_the_day": len({hit.message.recipient_id for hit in of_day}),
        }
    return rows


def _without_zeros(rows: Mapping[Any, Mapping[str, float]]) -> dict[Any, Mapping[str, float]]:
    return {key: row for key, row in rows.items() if any(row.values())}
