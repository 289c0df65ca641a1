"""Published scanner timing among people: what is taken out, and what is not."""

from pathlib import Path

import pytest

from tests.support.scanners import Group, markdown, simulated

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "machines.md"


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    """Give what the rules made of 836 bursts and 20,000 people."""
    return simulated()


def test_bursts_do_not_count_and_people_do(groups: list[Group]) -> None:
    """At least 99 % of the hits of bursts are taken out, at most 0.1 % of people's clicks.

    Mutants killed: a window of two seconds; clicks on one link in bursts.
    """
    bursts = [group for group in groups if group.name == "Scanners: bursts"]
    people = [
        group for group in groups if group.name.startswith("People") and "opens" not in group.name
    ]

    assert sum(group.removed for group in bursts) >= 0.99 * sum(group.hits for group in bursts)
    assert sum(group.removed for group in people) <= 0.001 * sum(group.hits for group in people)
    assert sum(group.hits for group in people) > 30_000


def test_the_table_of_the_guide_is_the_one_of_the_generator(groups: list[Group]) -> None:
    """Nobody has to believe the figures: the seed makes them again."""
    assert markdown(groups) in GUIDE.read_text()
