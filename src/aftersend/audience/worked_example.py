"""The published example: John, Marie, Florian and Henry (spec §7.3)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import FOUND, OK
from importlib.resources import files
from typing import Any, Final

from aftersend.audience.browser import Browser, Visitor
from aftersend.audience.letter import Letter
from aftersend.platform.clock import ManualClock

__all__ = [
    "DESTINATIONS",
    "HTML",
    "SUBJECT",
    "Expectation",
    "Played",
    "WorkedExample",
    "play",
    "worked_example",
]

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

_PAUSE_S: Final = 5
_CLIENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


DESTINATIONS: Final = (
    "https://www.example.com/one?a=1&b=2",
    "https://www.example.com/two#part",
    "https://www.example.com/three",
)


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


@dataclass(frozen=True, slots=True)
class Played:
    """How many requests were answered, and how many redirects led where the author pointed."""

    hits: int
    redirects: int


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
) -> Played:
    """Do what the example says at the minute it says."""
    visitors: dict[str, Visitor] = {}
    hits = redirects = 0
    for event in example.events:
        letter = letters[event["who"]]
        name = event["browser"]
        visitor = visitors.setdefault(name, _visitor(name))
        for turn in range(event.get("times", 1)):
            # Two links within a second would be a machine's.
            seconds = _PAUSE_S * turn
            clock.set(start + timedelta(minutes=event["minute"], seconds=seconds))
            if event["type"] == "open":
                hits += browser.ask(visitor, letter.images[0]).status_code == OK
                continue
            place = turn % len(letter.links)
            answer = browser.ask(visitor, letter.links[place])
            hits += answer.status_code == FOUND
            redirects += answer.headers.get("Location") == DESTINATIONS[place]
    return Played(hits, redirects)


def _visitor(name: str) -> Visitor:
    return Visitor(_CLIENT, is_refusing_cookies=name in ("image", "refuses cookies"))
