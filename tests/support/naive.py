"""Figures from hits, the slow and plain way: one hit after the other, no engine.

What the expressions of the lake give must be what stands here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from aftersend.lake.machines import Rules, described
from aftersend.lake.schema import TRACKING_LOG
from aftersend.model.enumeration import UrlType
from tests.support import verdicts

__all__ = [
    "START",
    "NaiveHit",
    "buckets",
    "classify",
    "hit_lists",
    "keys",
    "measures",
    "sums",
    "table",
]

START = datetime(2026, 1, 2, 23, 58, tzinfo=UTC)
"""Two minutes before midnight, so that hits of one message lie on two days."""

MESSAGES = {number: 1 + number % 3 for number in range(1, 10)}
"""Messages of three deliveries; the recipient of message n is 100 + n; message 3 is a seed's."""
SEED = 3
URL_OF_DELIVERY_1 = 20
ORDER = 7
URL_TYPES = {1: 2, 2: 1, 3: 1, 4: 3, 5: 6, 6: 4, ORDER: 5, URL_OF_DELIVERY_1: 1}
"""The open, two links, the opt-out, the mirror page, a web page, a transaction, another link."""


@dataclass(frozen=True, slots=True)
class NaiveHit:
    """One hit; what is not here follows from the message and the link."""

    log_id: str
    at: datetime
    message_id: int
    url_id: int
    source_id: str = ""
    flags: str = "0"
    amount: float | None = None
    article: int | None = None

    @property
    def delivery_id(self) -> int:
        """Tell the delivery of the message."""
        return MESSAGES[self.message_id]

    @property
    def domain(self) -> str:
        """Tell the email domain of the message: odd and even ones."""
        return f"example{self.message_id % 2}.com"

    @property
    def domain_name(self) -> str:
        """Tell under which name the domain is gathered: one is an alias, the other is not."""
        return "Others" if self.message_id % 2 else "Gmail"

    @property
    def url_type(self) -> int:
        """Tell the type of the link."""
        return URL_TYPES[self.url_id]


def classify(hits: Iterable[NaiveHit], period_s: int = 60) -> Mapping[str, tuple[str, str, bool]]:
    """Tell verdict, rule and whether it counts, by log id."""
    rules = Rules(open_repeat_s=period_s)
    plain = [
        verdicts.Hit(
            log_id=hit.log_id,
            at=hit.at,
            message_id=hit.message_id,
            url_id=hit.url_id,
            type=UrlType(hit.url_type),
            flags=hit.flags,
            is_seed=hit.message_id == SEED,
        )
        for hit in hits
    ]
    told = described()
    return {
        log_id: (told[rule].verdict.value if rule else "human", rule, not rule)
        for log_id, rule in verdicts.classify(plain, rules).items()
    }


def keys(hits: Iterable[NaiveHit], measure: str) -> list[object]:
    """List what a measure counts among hits that count: one entry a hit, or a key once."""
    pick: Mapping[str, tuple[Callable[[NaiveHit], bool], Callable[[NaiveHit], object]]] = {
        "recipient_open": (lambda _: True, lambda hit: hit.message_id),
        "total_recipient_open": (lambda hit: hit.url_id == 1, lambda hit: hit.log_id),
        "recipient_click": (lambda hit: hit.url_type == 1, lambda hit: hit.message_id),
        "person_click": (
            lambda hit: hit.url_type == 1,
            lambda hit: hit.source_id or ("message", hit.message_id),
        ),
        "total_recipient_click": (lambda hit: hit.url_type == 1, lambda hit: hit.log_id),
        "opt_out": (lambda hit: hit.url_type == 3, lambda hit: hit.log_id),
        "mirror_page": (lambda hit: hit.url_type == 6, lambda hit: hit.log_id),
        "total_web_page": (lambda hit: hit.url_type in (4, 5), lambda hit: hit.log_id),
        "transaction": (lambda hit: hit.url_type == 5, lambda hit: hit.log_id),
    }
    has, key = pick[measure]
    return list(dict.fromkeys(key(hit) for hit in hits if has(hit)))


def sums(hits: Iterable[NaiveHit]) -> Mapping[str, float]:
    """Add up what the transactions among hits brought, to the last digit."""
    orders = [hit for hit in hits if hit.url_type == 5]
    amounts = [Decimal(str(hit.amount)) for hit in orders if hit.amount is not None]
    return {
        "amount": float(sum(amounts)),
        "article": sum(hit.article for hit in orders if hit.article is not None),
    }


def measures(hits: Sequence[NaiveHit], names: Iterable[str]) -> Mapping[str, float]:
    """Compute measures of hits, of which those count that `classify` says."""
    verdicts = classify(hits)
    counted = [hit for hit in hits if verdicts[hit.log_id][2]]
    added = sums(counted)
    return {name: added[name] if name in added else len(keys(counted, name)) for name in names}


def buckets(hits: Sequence[NaiveHit], period_s: int) -> Mapping[tuple[int, int, datetime], int]:
    """Count the hits that count by delivery, link and start of a period."""
    verdicts = classify(hits)
    result: dict[tuple[int, int, datetime], int] = {}
    for hit in hits:
        if verdicts[hit.log_id][2]:
            past = hit.at.timestamp() % period_s
            start = (hit.at - timedelta(seconds=past)).replace(microsecond=0)
            key = (hit.delivery_id, hit.url_id, start)
            result[key] = result.get(key, 0) + 1
    return result


def table(hits: Sequence[NaiveHit]) -> pa.Table:
    """Give hits as rows of the lake."""
    rows = [
        {
            "log_id": hit.log_id,
            "at": hit.at,
            "day": hit.at.date(),
            "delivery_id": hit.delivery_id,
            "message_id": hit.message_id,
            "recipient_id": 100 + hit.message_id,
            "url_id": hit.url_id,
            "url_type": hit.url_type,
            "part": "h",
            "source_id": hit.source_id,
            "flags": hit.flags,
            "domain": hit.domain,
            "is_seed": hit.message_id == SEED,
            "agent_id": 1,
            "amount": hit.amount,
            "article": hit.article,
            "parameters": "",
        }
        for hit in hits
    ]
    return pa.Table.from_pylist(rows, schema=TRACKING_LOG)


# Floats drift over these; a refund is below zero.
_amounts = st.sampled_from([None, 0.1, 0.2, 0.3, 19.99, -19.99, 1e9, 0.000001])
_articles = st.sampled_from([None, 0, 1, 3, -1])
_gaps = st.sampled_from([0, 1, 29_999_999, 30_000_000, 59_999_999, 60_000_000, 60_000_001])


@st.composite
def hit_lists(draw: st.DrawFn) -> list[NaiveHit]:
    """Make hits close to each other, in the order in which they came, which is not that of time."""
    count = draw(st.integers(0, 40))
    at, hits = START, []
    for number in range(count):
        at += timedelta(microseconds=draw(_gaps))
        url_id = draw(st.sampled_from([1, 1, 1, ORDER, *URL_TYPES]))
        hits.append(
            NaiveHit(
                log_id=f"10x{number:016X}",
                at=at,
                message_id=draw(st.sampled_from(sorted(MESSAGES))),
                url_id=url_id,
                source_id=draw(st.sampled_from(["", "", "browser-1", "browser-2"])),
                flags=draw(st.sampled_from(["0", "0", "0", "h", "u", "x", "uh"])),
                amount=draw(_amounts) if url_id in (6, ORDER) else None,
                article=draw(_articles) if url_id in (6, ORDER) else None,
            )
        )
    order = draw(st.permutations(range(count)))
    return [hits[place] for place in order]
