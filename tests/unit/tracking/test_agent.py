"""What texts of user agents say."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from aftersend.database.schema import user_agent
from aftersend.database.user_agents import Agent, agent_id
from aftersend.settings import MachineSettings
from aftersend.tracking import agent
from aftersend.tracking.agent import edition, identify
from tests.support.tracking import World, make_world

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
)
PIXEL = (
    "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/118.0.0.0 Mobile Safari/537.36"
)
UBUNTU = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
LENGTHS = {
    "browser": 50,
    "browser_version": 10,
    "os": 50,
    "os_family": 20,
    "device": 255,
    "rule": 32,
}


def kept(world: World) -> dict[str, tuple[str, str]]:
    """Give browser and edition of every text that is kept."""
    with world.database.read() as connection:
        rows = connection.execute(select(user_agent)).all()
    return {row.text: (row.browser, row.edition) for row in rows}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36",
            Agent("Chrome", "120.0", "Windows 10", "Windows", "PC", False, True),
        ),
        (
            f"{MAC} Version/16.1 Safari/605.1.15",
            Agent("Safari", "16.1", "macOS 10.15", "macOS", "Mac", False, True),
        ),
        (IPHONE, Agent("Mobile Safari", "17.0", "iOS 17", "iOS", "iPhone", True, True)),
        (PIXEL, Agent("Chrome Mobile", "118.0", "Android 13", "Android", "Pixel 7", True, True)),
        (UBUNTU, Agent("Firefox", "115.0", "Linux", "Linux", "PC", False, True)),
        ("Mozilla/5.0", Agent(is_recognised=True, rule="apple-privacy")),
        ("what is this", Agent()),
        ("", Agent()),
    ],
)
def test_browsers_systems_and_devices_are_told(text: str, expected: Agent) -> None:
    """Those of most readers; a text that says nothing is not recognised."""
    assert identify(text) == expected


_parts = st.sampled_from(
    [WINDOWS, IPHONE, PIXEL, "Firefox/", "Version/", "9" * 40, "; ", "(", ")", "\0", "\udce9"]
)


@given(st.lists(_parts | st.text(max_size=300), max_size=8).map("".join))
def test_no_text_stops_anything(text: str) -> None:
    """Whatever somebody sends: an answer whose texts fit their columns and can be stored.

    Mutants killed: texts not cut; lone surrogates left as they are.
    """
    found = asdict(identify(text))

    assert all(len(found[name]) <= most for name, most in LENGTHS.items())
    assert all("\0" not in found[name] and found[name].encode() is not None for name in LENGTHS)


def test_a_new_text_is_kept_with_what_it_says(tmp_path: Path) -> None:
    """Kept once with its edition; kept again, nothing changes."""
    world = make_world(tmp_path)
    settings = MachineSettings()

    for _ in range(2):
        agent.keep(world.database, {agent_id(UBUNTU): UBUNTU, 0: ""}, settings)

    assert {UBUNTU: ("Firefox", edition())} == kept(world)


def test_other_rules_identify_all_texts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch after batch until none is left; the next time there is nothing to do.

    Mutant killed: one batch only.
    """
    world = make_world(tmp_path)
    settings = MachineSettings(allow_agents=("corporate",))
    texts = [f"{UBUNTU} {number}" for number in range(7)]
    agent.keep(world.database, {agent_id(text): text for text in texts}, MachineSettings())
    with world.database.write() as connection:
        connection.execute(update(user_agent).values(browser="?"))
    monkeypatch.setattr(agent, "TEXTS_AT_ONCE", 3)

    counts = [agent.identify_anew(world.database, settings) for _ in range(2)]

    assert [7, 0] == counts
    assert {text: ("Firefox", edition(("corporate",))) for text in texts} == kept(world)


def test_an_edition_names_the_allow_list_whatever_its_order() -> None:
    """Another list is another edition; the same in another order is not."""
    assert edition(("a", "b")) == edition(("b", "a")) != edition(("a",))
    assert len(edition()) <= 64
