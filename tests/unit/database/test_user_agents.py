"""User agents: each text once, by a number that never changes."""

from pathlib import Path

from sqlalchemy import select

from aftersend.database import user_agents
from aftersend.database.schema import user_agent
from aftersend.database.user_agents import agent_id
from tests.support.tracking import make_world


def test_the_number_of_a_user_agent_is_pinned() -> None:
    """Lakes hold these numbers: they are the same on every machine, for ever."""
    assert [0, 1318407374697511714, -6535123083299610072] == [
        agent_id(text) for text in ("", "Mozilla/5.0", "Ünïcode")
    ]


def test_a_text_is_kept_once_and_never_changed(tmp_path: Path) -> None:
    """Kept again, alone or with others, the first text stands; no user agent has no row."""
    world = make_world(tmp_path)

    with world.database.write() as connection:
        user_agents.keep(connection, {1: "one", -2: "two", 0: ""})
        user_agents.keep(connection, {1: "other", 3: "three"})
        user_agents.keep(connection, {})

    with world.database.read() as connection:
        rows = connection.execute(
            select(user_agent.c.id, user_agent.c.text).order_by(user_agent.c.id)
        ).all()
        missing = user_agents.unknown(connection, [1, 2, 3, 2**63 - 1, -(2**63)])
    assert [(-2, "two"), (1, "one"), (3, "three")] == rows
    assert {2, 2**63 - 1, -(2**63)} == missing


def test_no_user_agent_is_never_missing(tmp_path: Path) -> None:
    """The number of no user agent at all needs no text."""
    world = make_world(tmp_path)

    with world.database.read() as connection:
        assert set() == user_agents.unknown(connection, [0])
