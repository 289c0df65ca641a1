"""The published example: John, Marie, Florian and Henry (spec §7.3)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from aftersend.audience.browser import Browser, Visitor
from aftersend.audience.letter import Letter
from aftersend.platform.clock import ManualClock

__all__ = ["HTML", "SUBJECT", "Expectation", "WorkedExample", "play", "worked_example"]

SUBJECT = "Three links for <%= recipient.first_name %>"
HTML = """<!DOCTYPE html>
<html><body>
<p>Hello <%= recipient.first_name %>,</p>
<ul>
<li><a href="https://www.example.com/one?a=1&amp;b=2">One</a></li>
<li><a href="https://www.example.com/two#part">Two</a></li>
<li><a href="https://www.example.com/three">Three</a></li>
</ul>
</body></html>
"""

_CLIENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A published figure; `rate` is None where none is published."""

    name: str
    value: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """Who takes part, what they do at which minute, and what must come out."""

    recipients: tuple[str, ...]
    events: tuple[Mapping[str, Any], ...]
    expected: tuple[Expectation, ...]


def worked_example() -> WorkedExample:
    """Read the example that is part of the package."""
    text = files("aftersend.audience").joinpath("worked_example.json").read_text("utf-8")
    document = json.loads(text)
    return WorkedExample(
        recipients=tuple(document["recipients"]),
        events=tuple(document["events"]),
        expected=tuple(
            Expectation(name, figure["value"], figure.get("rate"))
            for name, figure in document["expected"].items()
        ),
    )


def play(
    example: WorkedExample,
    letters: Mapping[str, Letter],
    browser: Browser,
    *,
    clock: ManualClock,
    start: datetime,
) -> int:
    """Do what the example says at the minute it says; give the number of requests."""
    visitors: dict[str, Visitor] = {}
    hits = 0
    for event in example.events:
        letter = letters[event["who"]]
        name = event["browser"]
        visitor = visitors.setdefault(name, _visitor(name))
        for turn in range(event.get("times", 1)):
            clock.set(start + timedelta(minutes=event["minute"], seconds=turn))
            is_open = event["type"] == "open"
            path = letter.images[0] if is_open else letter.links[turn % len(letter.links)]
            browser.ask(visitor, path)
            hits += 1
    return hits


def _visitor(name: str) -> Visitor:
    return Visitor(_CLIENT, is_refusing_cookies=name in ("image", "refuses cookies"))
