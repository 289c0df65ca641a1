"""The believable crowd."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from aftersend.audience.letter import Letter
from aftersend.audience.population import (
    APPLE_PREFETCH_AGENT,
    CHAT_AGENT,
    GMAIL_PREFETCH_AGENT,
    GOOGLE_PROXY_AGENT,
    Action,
    Habit,
    plan,
    recruit,
)

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


def _plans(habit: Habit, seed: int) -> list[list[Action]]:
    random = Random(seed)
    letter = replace(LETTER, traps=("/r/trap",))
    people = [person for person in recruit(5000, random) if person.habit is habit]
    return [list(plan(person, letter, SENT_AT, random)) for person in people]


def test_bursts_come_when_they_were_published_to_come() -> None:
    """Two thirds of them between 20 and 60 seconds after sending, nearly all before 5 minutes."""
    bursts = [
        (next(each.at for each in actions if each.path == "/r/trap") - SENT_AT).total_seconds()
        for actions in _plans(Habit.GATEWAY, 8)
    ]
    assert 0.55 < sum(20 <= after <= 60 for after in bursts) / len(bursts) < 0.78
    assert 0.93 < sum(after <= 300 for after in bursts) / len(bursts) < 1


def test_only_programs_that_read_the_source_find_the_hidden_link() -> None:
    """A gateway follows it, and is shown that it leads nowhere; nobody else ever does."""
    for habit in Habit:
        for actions in _plans(habit, 9)[:50]:
            traps = [each for each in actions if each.path == "/r/trap"]
            assert [each.statuses for each in traps] == [(410,)] * (habit is Habit.GATEWAY)


def test_a_prober_tries_a_garbled_token_alone_in_its_network() -> None:
    """Then one good one within seconds; no two probers are neighbours of people."""
    for actions in _plans(Habit.PROBER, 10):
        garbled, good = actions[:2]
        assert garbled.statuses == (404,)
        assert good.path in LETTER.links
        assert garbled.path not in LETTER.links
        assert timedelta(seconds=0) < good.at - garbled.at <= timedelta(seconds=4)
        assert garbled.visitor.address.startswith("2001:db8:")


def test_proxies_and_chats_say_who_they_are() -> None:
    """Some of Gmail's users have their images fetched in advance, and forwards bring previews."""
    agents = {
        each.visitor.user_agent
        for habit in (Habit.GOOGLE, Habit.PERSON, Habit.APPLE)
        for actions in _plans(habit, 11)
        for each in actions
    }
    assert {GMAIL_PREFETCH_AGENT, CHAT_AGENT, APPLE_PREFETCH_AGENT, GOOGLE_PROXY_AGENT} <= agents
