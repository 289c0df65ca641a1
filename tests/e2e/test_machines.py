"""Machines on the whole road: sent, hit, collected, and not counted; people always are."""

import codecs
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.app import (
    Instance,
    embedded_collector,
    init,
    open_instance,
    rules,
    run_workflow,
)
from aftersend.audience.browser import Browser, Visitor
from aftersend.audience.letter import Letter
from aftersend.audience.play import carry_out
from aftersend.audience.population import Habit, Person, plan
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from aftersend.reports.log_query import LogQuery
from aftersend.reports.logs import delivery_logs

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HTML = '<p><a href="https://shop.example/a">A</a> <a href="https://shop.example/b">B</a></p>'
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
ADA = Visitor(FIREFOX, "192.0.2.7", is_refusing_cookies=True)
BOB = Visitor(FIREFOX, "203.0.113.7", is_refusing_cookies=True)


@dataclass
class Road:
    """An instance, its clock, a delivery that Ada got, and a browser for everybody."""

    opened: Instance
    clock: ManualClock
    delivery_id: DeliveryId
    letter: Letter
    browser: Browser

    def ask(self, visitor: Visitor, path: str, second: float) -> int:
        """Ask for a path so many seconds after sending."""
        self.clock.set(START)
        self.clock.advance(second)
        return self.browser.ask(visitor, path).status_code

    def verdicts(self) -> list[tuple[str, str, str]]:
        """Collect, and tell type, verdict and rule of each hit in order of time."""
        run_workflow(self.opened, "tracking").check()
        query = LogQuery(rules=rules(self.opened), is_descending=False)
        page = delivery_logs(self.opened.database, self.opened.lake(), self.delivery_id, query)
        return [(row.type.slug, row.verdict.value, row.rule) for row in page.rows]


@contextmanager
def _road(folder: Path) -> Iterator[Road]:
    init(folder, entropy=SeededEntropy(1))
    with (folder / "aftersend.toml").open("a") as file:
        file.write("\n[content]\nhas_honeypot = true\n")
    clock = ManualClock(START)
    opened = open_instance(folder, clock=clock)
    (opened.var / "people.csv").write_text("email\nada@x.example\n")
    import_recipients(opened.database, opened.var / "people.csv", clock=clock)
    with Post(opened) as post:
        delivery_id, (letter,) = post.send(Draft("First", "A <a@b.example>", "Hello", HTML))
    with embedded_collector(opened) as base_url, Browser(base_url) as browser:
        yield Road(opened, clock, delivery_id, letter, browser)


@pytest.fixture(name="road")
def _fixture(tmp_path: Path) -> Iterator[Road]:
    with _road(tmp_path / "instance") as road:
        yield road


def test_who_follows_the_hidden_link_is_a_machine(road: Road) -> None:
    """E12: everything of the message within ten seconds is; a click a minute later counts."""
    (trap,) = road.letter.traps
    assert road.ask(ADA, road.letter.images[0], 20) == 200
    assert road.ask(ADA, road.letter.links[0], 25) == 302
    assert road.ask(ADA, trap, 30) == 410
    assert road.ask(ADA, road.letter.links[1], 40) == 302
    assert road.ask(BOB, road.letter.links[1], 101) == 302

    assert road.verdicts() == [
        ("open", "machine", "honeypot"),
        ("email_click", "machine", "honeypot"),
        ("honeypot", "machine", "honeypot"),
        ("email_click", "machine", "honeypot"),
        ("email_click", "human", ""),
    ]


GARBLED: dict[str, Callable[[str], str]] = {
    "rot13": lambda token: codecs.encode(token, "rot13"),
    "last character": lambda token: token[:-1] + ("a" if token[-1] != "a" else "e"),
    "quoted": lambda token: f"{token}%27",
    "truncated": lambda token: token[:-9],
    "bad padding": lambda token: f"{token}a==",
}


@pytest.mark.parametrize("garble", GARBLED.values(), ids=GARBLED.keys())
def test_a_probe_makes_the_click_behind_it_suspect(
    road: Road, garble: Callable[[str], str]
) -> None:
    """C4: from the same network at once; from another one a minute later a person's counts."""
    path = road.letter.links[0]
    road.ask(ADA, f"/r/{garble(path.removeprefix('/r/'))}", 30)
    assert road.ask(ADA, path, 33) == 302
    assert road.ask(BOB, path, 93) == 302

    good = [each for each in road.verdicts() if each[2] != "unverified"]
    assert good == [("email_click", "suspect", "probe"), ("email_click", "human", "")]


def test_every_kind_of_machine_of_the_audience_is_told(road: Road) -> None:
    """Gateway, prober and Apple's prefetch: none of their clicks counts, each by its own rule."""
    person = Person("ada@x.example", "Ada", "A", False, Habit.GATEWAY, 0)
    rng = random.Random(3)
    at = START
    for habit in (Habit.GATEWAY, Habit.PROBER, Habit.APPLE):
        actions = list(plan(replace(person, habit=habit), road.letter, at, rng))
        at = max(each.at for each in actions)
        carry_out(actions, road.browser, clock=road.clock, until=at)

    found = road.verdicts()

    assert {"head", "honeypot", "probe", "apple-privacy"} <= {rule for _, _, rule in found}
    assert [each for each in found if each[0] == "email_click" and each[1] == "human"] == []
    assert UrlType.HONEYPOT.slug in {kind for kind, _, _ in found}
