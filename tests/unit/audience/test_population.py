"""The believable crowd."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

from aftersend.audience.letter import Letter
from aftersend.audience.population import Habit, plan, recruit

SENT_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LETTER = Letter("a@b.example", tuple(f"/r/{name}" for name in "abcdef"), ("/r/open.gif",))


def test_the_same_seed_gives_the_same_crowd() -> None:
    """People and plans follow from the seed alone."""
    first, second = (recruit(50, Random(7)) for _ in range(2))

    assert first == second
    plans = [list(plan(first[0], LETTER, SENT_AT, Random(3))) for _ in range(2)]
    assert plans[0] == plans[1]


def test_addresses_are_different_and_reserved() -> None:
    """No two people share an address, and no address can belong to anybody."""
    people = recruit(2000, Random(1))

    assert len({person.email for person in people}) == 2000
    assert all(person.email.isascii() and person.email.endswith(".example") for person in people)


def test_the_crowd_has_every_kind_of_reader() -> None:
    """There are people, proxies and gateways, and people who prefer text."""
    people = recruit(1000, Random(1))

    assert set(Habit) == {person.habit for person in people}
    assert 10 < sum(person.is_text for person in people) < 100


def test_about_a_third_opens_and_fewer_click() -> None:
    """Shares are those that senders publish, not a crowd of enthusiasts."""
    random = Random(2)
    opened: Counter[str] = Counter()
    for person in recruit(3000, random):
        if person.habit not in (Habit.PERSON, Habit.GOOGLE):
            continue
        paths = {action.path for action in plan(person, LETTER, SENT_AT, random)}
        opened["messages"] += 1
        opened["opened"] += LETTER.images[0] in paths
        opened["clicked"] += not paths.isdisjoint(LETTER.links)

    assert 0.25 < opened["opened"] / opened["messages"] < 0.50
    assert 0.05 < opened["clicked"] / opened["messages"] < 0.20


def test_a_gateway_visits_every_link_within_a_second() -> None:
    """A scanner's burst asks for each link, by HEAD and GET, in less than a second."""
    people = recruit(500, Random(4))
    gateway = next(person for person in people if person.habit is Habit.GATEWAY)
    burst = [
        action
        for action in plan(gateway, LETTER, SENT_AT, Random(5))
        if action.visitor.is_refusing_cookies and action.path in LETTER.links
    ]

    assert {(link, method) for link in LETTER.links for method in ("HEAD", "GET")} <= {
        (action.path, action.method) for action in burst
    }
    assert max(a.at for a in burst[:12]) - min(a.at for a in burst[:12]) < timedelta(seconds=1)


def test_nothing_happens_before_it_was_sent() -> None:
    """Every action comes after the sending."""
    random = Random(6)
    actions = [a for person in recruit(300, random) for a in plan(person, LETTER, SENT_AT, random)]

    assert actions
    assert all(action.at > SENT_AT for action in actions)
