"""User agents: each text once, by a number that never changes."""

from datetime import date
from pathlib import Path

from sqlalchemy import insert, select

from aftersend.database import user_agents
from aftersend.database.schema import user_agent, user_agent_stats
from aftersend.database.user_agents import Agent, agent_id
from tests.support.tracking import make_world


def test_the_number_of_a_user_agent_is_pinned() -> None:
    """Lakes hold these numbers: they are the same on every machine, for ever."""
    assert [0, 1318407374697511714, -6535123083299610072] == [
        agent_id(text) for text in ("", "Mozilla/5.0", "Ünïcode")
    ]


def test_a_text_is_kept_once_and_never_changed(tmp_path: Path) -> None:
    """Kept again, alone or with others, what stands there stands; no user agent has no row."""
    world = make_world(tmp_path)

    with world.database.write() as connection:
        user_agents.keep(connection, {"one": Agent("A"), "": Agent()}, edition="e")
        user_agents.keep(connection, {"one": Agent("B"), "two": Agent("B")}, edition="f")
        user_agents.keep(connection, {}, edition="g")

    with world.database.read() as connection:
        query = select(user_agent.c.text, user_agent.c.browser, user_agent.c.edition)
        rows = connection.execute(query.order_by(user_agent.c.text)).all()
        missing = user_agents.unknown(connection, [agent_id("one"), 2, 2**63 - 1, -(2**63)])
    assert [("one", "A", "e"), ("two", "B", "f")] == rows
    assert {2, 2**63 - 1, -(2**63)} == missing


def test_no_user_agent_is_never_missing(tmp_path: Path) -> None:
    """The number of no user agent at all needs no text."""
    world = make_world(tmp_path)

    with world.database.read() as connection:
        assert set() == user_agents.unknown(connection, [0])


def test_agents_are_found_by_the_rule_they_meet(tmp_path: Path) -> None:
    """Those without a rule are in no set, and a rule that nobody meets has none."""
    world = make_world(tmp_path)
    rules = {"a": "crawler", "b": "crawler", "c": "", "d": "gmail-prefetch"}

    with world.database.write() as connection:
        agents = {text: Agent(rule=rule) for text, rule in rules.items()}
        user_agents.keep(connection, agents, edition="e")

    with world.database.read() as connection:
        found = user_agents.by_rule(connection)
    assert found == {
        "crawler": {agent_id("a"), agent_id("b")},
        "gmail-prefetch": {agent_id("d")},
    }


def test_texts_are_listed_by_their_clicks(tmp_path: Path) -> None:
    """All clicks of all days add up; one without any is last; at will only the unrecognised."""
    world = make_world(tmp_path)
    agents = {"a": Agent(), "b": Agent("B", is_recognised=True), "c": Agent()}
    days = [("b", 1, 5), ("c", 1, 2), ("c", 2, 4)]

    with world.database.write() as connection:
        user_agents.keep(connection, agents, edition="e")
        for text, day, pages in days:
            row = {"agent_id": agent_id(text), "day": date(2026, 1, day), "pages": pages}
            others = {"visitors": 1, "visitors_of_the_day": 1}
            connection.execute(insert(user_agent_stats).values(**row, **others))

    with world.database.read() as connection:
        both = [user_agents.listed(connection, is_unrecognised=each) for each in (False, True)]
    assert [[(one.text, one.clicks) for one in each] for each in both] == [
        [("c", 6), ("b", 5), ("a", 0)],
        [("c", 6), ("a", 0)],
    ]
    assert both[0][1].agent == Agent("B", is_recognised=True)
