"""A believable audience, planned ahead: who does what with a message, and when.

Everything follows from a seed. The shares are rounded from what senders publish (field lessons,
section 4): about a third of the recipients open, one opener in five clicks, a few forward, some
live behind security gateways that visit every link within a second (median 43 s after sending; an
open about half a minute before), some behind ones that try a garbled token before a link, and
Apple's and Google's proxies load images on people's behalf, some of them in advance. Who forwards a
link to a chat brings its preview along.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from aftersend.audience.browser import Visitor
from aftersend.audience.letter import Letter

__all__ = ["Action", "Habit", "Person", "plan", "recruit"]

_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

GATEWAY_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 Safari"
APPLE_PREFETCH_AGENT = "Mozilla/5.0"
GOOGLE_PROXY_AGENT = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
)
GMAIL_PREFETCH_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
CHAT_AGENT = "WhatsApp/2.23.20.0 A"
AGENTS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/141.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) {_WEBKIT} Version/18.5 Safari/605.1.15",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Version/18.5 Mobile/15E148",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
)

_FIRST_NAMES: Final = (
    "Ada Amir Anna Ben Carla Chen Dora Emil Fatou Gita Hugo Ines Jamal Kenji Lena Marco Nadia "
    "Oscar Priya Quentin Rosa Sven Tara Umar Vera Wanda Xenia Yusuf Zoë Élodie"
)
_LAST_NAMES: Final = (
    "Abbott Berger Costa Dupont Eriksen Fischer García Haddad Ivanova Jansen Kowalski López Møller "
    "Novák O'Brien Petit Quist Rossi Schmidt Tanaka Usman Virtanen Weber Xu Yilmaz Zhang"
)
_DOMAINS = (
    ("gmail.example", 34),
    ("outlook.example", 22),
    ("icloud.example", 14),
    ("yahoo.example", 10),
    ("web.example", 8),
    ("acme-corp.example", 7),
    ("university.example", 5),
)
_LINK_WEIGHTS = (8, 5, 3, 2, 1, 1)
# When a gateway visits, in seconds after sending, and how often that is: published for 836 bursts
# (craft#546).
_BURSTS: Final = ((2, 10, 5), (10, 20, 22), (20, 60, 664), (60, 300, 283), (300, 1800, 26))


class Habit(StrEnum):
    """How somebody's mail is read."""

    PERSON = "person"
    GOOGLE = "google"
    APPLE = "apple"
    GATEWAY = "gateway"
    PROBER = "prober"


@dataclass(frozen=True, slots=True)
class Person:
    """A recipient: `interest` in [0, 1] is how likely he opens."""

    email: str
    first_name: str
    last_name: str
    is_text: bool
    habit: Habit
    interest: float


@dataclass(frozen=True, slots=True)
class Action:
    """One request: at a moment, by somebody, for one path.

    `statuses` are what a tracking server may answer to it.
    """

    at: datetime
    visitor: Visitor
    path: str
    method: str = "GET"
    statuses: tuple[int, ...] = (200, 302)


def recruit(count: int, random: Random) -> list[Person]:
    """Make up `count` recipients at domains that cannot exist (RFC 2606)."""
    domains, weights = zip(*_DOMAINS, strict=True)
    first_names, last_names = _FIRST_NAMES.split(), _LAST_NAMES.split()
    people = []
    for number in range(1, count + 1):
        first, last = random.choice(first_names), random.choice(last_names)
        domain = random.choices(domains, weights)[0]
        people.append(
            Person(
                email=f"{_ascii(first)}.{_ascii(last)}.{number}@{domain}",
                first_name=first,
                last_name=last,
                is_text=random.random() < 0.04,
                habit=_habit(domain, random),
                interest=random.betavariate(1.3, 2.4),
            )
        )
    return people


def plan(person: Person, letter: Letter, sent_at: datetime, random: Random) -> Iterator[Action]:
    """Decide what happens to one message, machines first; not in the order of time."""
    if person.habit is Habit.GATEWAY:
        yield from _gateway(letter, sent_at, random)
    if person.habit is Habit.PROBER:
        yield from _prober(letter, sent_at, random)
    if person.habit is Habit.GOOGLE and letter.images and random.random() < 0.1:
        at = sent_at + timedelta(seconds=random.uniform(1, 30))
        yield Action(at, Visitor(GMAIL_PREFETCH_AGENT, _address(random)), letter.images[0])
    if person.habit is Habit.APPLE and letter.images:
        at = sent_at + timedelta(seconds=random.uniform(20, 900))
        yield Action(at, Visitor(APPLE_PREFETCH_AGENT, _address(random)), letter.images[0])
    if random.random() < person.interest:
        yield from _reading(person, letter, sent_at, random)


def _reading(person: Person, letter: Letter, sent_at: datetime, random: Random) -> Iterator[Action]:
    own = Visitor(
        random.choice(AGENTS), _address(random), is_refusing_cookies=random.random() < 0.05
    )
    images = Visitor(GOOGLE_PROXY_AGENT, _address(random)) if person.habit is Habit.GOOGLE else own
    at = sent_at + _delay(random)
    for _ in range(1 + min(int(random.expovariate(1.6)), 6)):
        if letter.images:
            yield Action(at, images, letter.images[0])
        if random.random() < 0.22:
            yield from _clicks(letter, own, at, random)
        at += timedelta(hours=random.expovariate(1 / 20))
    if random.random() < 0.03:
        yield from _forward(letter, at, random)


def _clicks(letter: Letter, visitor: Visitor, at: datetime, random: Random) -> Iterator[Action]:
    if not letter.links:
        return
    weights = [_LINK_WEIGHTS[min(place, 5)] for place in range(len(letter.links))]
    for _ in range(1 + min(int(random.expovariate(1.3)), 4)):
        at += timedelta(seconds=random.uniform(4, 90))
        yield Action(at, visitor, random.choices(letter.links, weights)[0])


def _forward(letter: Letter, at: datetime, random: Random) -> Iterator[Action]:
    for _ in range(random.randint(1, 3)):
        friend = Visitor(random.choice(AGENTS), _address(random))
        seen = at + timedelta(hours=random.expovariate(1 / 6))
        if letter.images:
            yield Action(seen, friend, letter.images[0])
        if random.random() < 0.5:
            if letter.links and random.random() < 0.5:
                chat = Visitor(CHAT_AGENT, _address(random), is_refusing_cookies=True)
                yield Action(seen - timedelta(minutes=2), chat, letter.links[0])
            yield from _clicks(letter, friend, seen, random)


def _gateway(letter: Letter, sent_at: datetime, random: Random) -> Iterator[Action]:
    scanner = Visitor(GATEWAY_AGENT, _address(random), is_refusing_cookies=True)
    earliest, latest, _ = random.choices(_BURSTS, [share for _, _, share in _BURSTS])[0]
    after_s = random.uniform(earliest, latest)
    at = sent_at + timedelta(seconds=after_s)
    if letter.images:
        before_s = min(random.uniform(25, 40), after_s / 2)
        yield Action(at - timedelta(seconds=before_s), scanner, letter.images[0])
    for path in letter.traps:
        yield Action(at, scanner, path, statuses=(410,))
    for place, path in enumerate(letter.links):
        when = at + timedelta(milliseconds=40 * place)
        yield Action(when, scanner, path, "HEAD")
        yield Action(when + timedelta(milliseconds=15), scanner, path)


def _prober(letter: Letter, sent_at: datetime, random: Random) -> Iterator[Action]:
    """Try a garbled token, then one link; nobody else is in its network."""
    if not letter.links:
        return
    network = f"2001:db8:{random.randrange(1, 0xFFFF):x}"
    scanner = Visitor(GATEWAY_AGENT, f"{network}::1", is_refusing_cookies=True)
    at = sent_at + timedelta(seconds=random.uniform(30, 600))
    path = random.choice(letter.links)
    yield Action(at, scanner, f"{path[:3]}{codecs.encode(path[3:], 'rot13')}", statuses=(404,))
    yield Action(at + timedelta(seconds=random.uniform(1, 4)), scanner, path)


def _delay(random: Random) -> timedelta:
    return timedelta(seconds=min(random.lognormvariate(8.6, 1.4), 6 * 86_400))


def _habit(domain: str, random: Random) -> Habit:
    if domain == "gmail.example":
        return Habit.GOOGLE
    if domain == "icloud.example":
        return Habit.APPLE if random.random() < 0.7 else Habit.PERSON
    if domain == "acme-corp.example":
        return Habit.GATEWAY
    if domain == "university.example":
        return Habit.PROBER
    return Habit.PERSON


def _address(random: Random) -> str:
    # The ranges of RFC 5737 belong to nobody.
    network = random.choice(("192.0.2", "198.51.100", "203.0.113"))
    return f"{network}.{random.randint(1, 254)}"


def _ascii(name: str) -> str:
    plain = name.translate(str.maketrans("áÉéëíóøñ", "aEeeioon", "'"))
    return plain.lower()
