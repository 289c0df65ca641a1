"""Scanners among people, made from published timing; and what the rules make of them.

836 bursts as craft#546 saw them (when they begin after sending, links within a second, the open
about 33 s before) and 20,000 people who click: once, on several links, in a hurry, twice on the one
link, and behind corporate proxies whose scanner was there before. All chance comes from one seed.

`python -m tests.support.scanners` prints the table that stands in docs/guide/machines.md.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from aftersend.lake import duckdb
from aftersend.lake.counted_log import counted_log
from aftersend.lake.machines import Rules
from aftersend.model.enumeration import UrlType
from tests.support.verdicts import Hit, after, table

__all__ = ["SEED", "Group", "markdown", "simulated"]

SEED = 546
BURSTS = 836
BROWSER, PROXY = 1, 5
AZURE, HOME = "20.49.104.1", "192.0.2.7"
BEGINS = ((0, 10, 0.5), (10, 20, 2.2), (20, 60, 66.4), (60, 300, 28.3), (300, 3600, 2.6))
"""From and until how many seconds after sending, and how many of a hundred bursts begin there."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the rules made of the hits of one group."""

    name: str
    hits: int
    rules: Counter[str]

    @property
    def removed(self) -> int:
        """Count the hits that do not count."""
        return sum(count for rule, count in self.rules.items() if rule)


def simulated(seed: int = SEED) -> list[Group]:
    """Make the hits, classify them with the engine, and count by group."""
    made = list(_everybody(Random(seed)))
    hits = [replace(hit, log_id=f"10x{n:016X}") for n, (_, hit) in enumerate(made)]
    connection = duckdb.connect()
    try:
        rows = connection.create_table("hits", table(hits), temp=True)
        told = counted_log(rows, Rules(agents={"proxy": {PROXY}})).select("log_id", "rule")
        rule = {row["log_id"]: row["rule"] for row in told.to_pyarrow().to_pylist()}
    finally:
        connection.disconnect()
    counts: dict[str, Counter[str]] = {}
    for (name, _), hit in zip(made, hits, strict=True):
        counts.setdefault(name, Counter())[rule[hit.log_id]] += 1
    return [Group(name, found.total(), found) for name, found in counts.items()]


def markdown(groups: Sequence[Group]) -> str:
    """Spell the groups as a table."""
    lines = ["| Group | Hits | Not counted | Share | By rule |", "|---|--:|--:|--:|---|"]
    for group in groups:
        by_rule = ", ".join(f"`{rule}` {n:,}" for rule, n in sorted(group.rules.items()) if rule)
        share = group.removed / group.hits
        lines.append(
            f"| {group.name} | {group.hits:,} | {group.removed:,} | {share:.2%} | {by_rule} |"
        )
    return "\n".join(lines) + "\n"


def _everybody(random: Random) -> Iterator[tuple[str, Hit]]:
    for message in range(1, BURSTS + 1):
        yield from _burst(random, message)
    for message in range(1, 20_001):
        # The first thousand sit behind corporate proxies; scanners had the mail of most before.
        yield from _person(random, message)


def _burst(random: Random, message: int) -> Iterator[tuple[str, Hit]]:
    [(first, last, _)] = random.choices(BEGINS, [weight for *_, weight in BEGINS])
    start = random.uniform(first, last)
    opened = max(start - random.gauss(33, 6), start * 0.3)
    yield "Scanners: opens before", _hit(message, opened, 9, UrlType.OPEN, address=AZURE)
    links = random.randint(2, 12)
    span = random.uniform(0.1, 0.95)
    for link in range(1, links + 1):
        yield "Scanners: bursts", _hit(message, start + span * link / links, link, address=AZURE)


def _person(random: Random, message: int) -> Iterator[tuple[str, Hit]]:
    at = 900 + random.expovariate(1 / 20_000)
    if message <= 1_000:
        name, clicks, address = "corporate proxies", random.randint(1, 2), AZURE
    elif message <= 13_000:
        name, clicks, address = "single clicks", 1, HOME
    elif message <= 17_000:
        name, clicks, address = "several links", random.randint(2, 4), HOME
    elif message <= 18_500:
        name, clicks, address = "fast readers", random.randint(2, 3), HOME
    else:
        name, clicks, address = "one link, clicked twice", 2, HOME
    agent = PROXY if random.random() < 0.4 else BROWSER
    opened = _hit(message, at, 9, UrlType.OPEN, agent=agent, address=address)
    yield "People: opens", opened
    for number in range(clicks):
        at += _pause(random, name, number)
        link = 1 if name.startswith("one link") else 1 + number
        yield f"People: {name}", _hit(message, at, link, address=address)


def _pause(random: Random, name: str, number: int) -> float:
    if number and name == "fast readers":
        return random.triangular(0.9, 4, 2)
    if number and name.startswith("one link"):
        return random.uniform(0.1, 0.6)
    return 1.5 + random.expovariate(1 / 25)


def _hit(
    message: int,
    seconds: float,
    link: int,
    kind: UrlType = UrlType.EMAIL_CLICK,
    *,
    agent: int = BROWSER,
    address: str = HOME,
) -> Hit:
    return Hit("", after(seconds), message, link, kind, "0", agent, address)


if __name__ == "__main__":
    sys.stdout.write(markdown(simulated()))
