"""Why a hit has its verdict: the rule, its reason, and what made it fit."""

from pathlib import Path

import pytest

from aftersend.database import user_agents
from aftersend.database.user_agents import Agent, agent_id
from aftersend.errors import NotFound
from aftersend.lake import place
from aftersend.lake.machines import Rules, described
from aftersend.model.enumeration import Verdict
from aftersend.model.ids import LogId, MessageId, ServerId
from aftersend.model.logline import log_id
from aftersend.reports.explain import EVIDENCE_MAX, Explanation, explain
from tests.support.crowds import MIRROR, NEWS, OPEN, PAGE, SHOP, TRAP, Hit, Sent, World

ADA, BOB = 0, 1
LYNX = "Lynx/2.9"


def _number(number: int) -> LogId:
    return log_id(ServerId("1"), number)


def _played(world: World, *hits: Hit) -> Sent:
    sent = world.send(["ada@a.example", "bob@b.example"])
    world.hit(sent, hits)
    return sent


def _explained(world: World, number: int) -> Explanation:
    return explain(world.database, world.lake, _number(number), Rules())


def _decisive(found: Explanation) -> list[tuple[float, str]]:
    return [(each.offset_s, each.hit.rule) for each in found.evidence if each.is_decisive]


def test_a_hit_without_a_rule_is_a_person_and_counts(world: World) -> None:
    """Who, what, when and with which program is told with it."""
    with world.database.write() as connection:
        user_agents.keep(connection, {LYNX: Agent(browser="Lynx")}, edition="1")
    sent = _played(world, Hit(ADA, SHOP, 7, agent_id=agent_id(LYNX), address="192.0.2.1"))

    found = _explained(world, 1)

    assert found.rule is None
    assert found.is_counted
    assert found.hit.verdict is Verdict.HUMAN
    assert found.reason == "No rule fits, so it is taken for a person and counts."
    assert (found.hit.delivery_id, found.hit.recipient) == (sent.id, "ada@a.example")
    assert (found.agent.text, found.agent.agent.browser) == (LYNX, "Lynx")
    assert (found.address, found.vendor, found.evidence) == ("192.0.2.1", "", [])


def test_a_network_of_scanners_is_named(world: World) -> None:
    """The vendor helps to believe it, whatever the rule."""
    _played(world, Hit(ADA, SHOP, 7, address="40.92.0.1"))
    assert _explained(world, 1).vendor.startswith("Microsoft")


@pytest.mark.parametrize(
    ("hits", "rule", "decisive"),
    [
        ((Hit(ADA, SHOP, 5, flags="h"), Hit(ADA, SHOP, 6)), "head", []),
        (
            (Hit(ADA, OPEN, 5), Hit(ADA, OPEN, 0), Hit(ADA, OPEN, 3)),
            "open-repeat",
            [(-2, "open-repeat")],
        ),
        ((Hit(ADA, SHOP, 5), Hit(ADA, NEWS, 5.5), Hit(ADA, SHOP, 9)), "burst", [(0.5, "burst")]),
        (
            (Hit(ADA, OPEN, 5), Hit(ADA, SHOP, 9), Hit(ADA, NEWS, 9.5), Hit(BOB, NEWS, 9)),
            "burst-open",
            [(4, "burst"), (4.5, "burst")],
        ),
        (
            (Hit(ADA, MIRROR, 5), Hit(ADA, TRAP, 9), Hit(BOB, TRAP, 9)),
            "honeypot",
            [(4, "honeypot")],
        ),
        ((Hit(ADA, SHOP, 5), Hit(ADA, NEWS, 1, flags="u")), "probe", [(-4, "unverified")]),
        ((Hit(ADA, SHOP, 5, flags="p"),), "probe", []),
        ((Hit(ADA, PAGE, 5, agent_id=0),), "no-agent", []),
    ],
)
def test_the_first_hit_is_explained(
    world: World, hits: tuple[Hit, ...], rule: str, decisive: list[tuple[float, str]]
) -> None:
    """Hits that made the rule fit are marked; those of other messages are never told of."""
    sent = _played(world, *hits)
    found = _explained(world, 1)

    assert found.rule == described()[rule]
    assert found.hit.rule == rule
    assert found.hit.verdict is described()[rule].verdict
    assert not found.is_counted
    assert found.reason == described()[rule].reason
    assert _decisive(found) == decisive
    assert {each.hit.message_id for each in found.evidence} <= {sent.messages[ADA]}


def test_evidence_stands_in_order_of_time(world: World) -> None:
    """Before and after the hit, up to the longest window and no further."""
    _played(world, Hit(ADA, SHOP, 100), *(Hit(ADA, OPEN, second) for second in (40, 39, 160, 161)))
    assert [each.offset_s for each in _explained(world, 1).evidence] == [-60, 60]


def test_what_decided_is_told_however_many_stand_nearer(world: World) -> None:
    """A message that was hit a thousand times is told of in a page."""
    crowd = [Hit(ADA, SHOP, 50 + number / 100) for number in range(EVIDENCE_MAX + 5)]
    _played(world, Hit(ADA, SHOP, 50), *crowd, Hit(ADA, TRAP, 59.9))
    found = _explained(world, 1)

    assert len(found.evidence) == EVIDENCE_MAX
    assert _decisive(found) == [(9.9, "honeypot")]


def test_a_hit_that_is_not_there_is_told_in_a_sentence(world: World) -> None:
    """Also in a lake without any hit."""
    with pytest.raises(NotFound, match=r"There is no hit 10x0000000000000007\."):
        _explained(world, 7)


def test_only_files_that_may_hold_the_hit_are_read(world: World) -> None:
    """Those of other ranges of log ids may be gone, and nobody notices."""
    sent = world.send(["ada@a.example"])
    for second in range(3):
        world.hit(sent, [Hit(ADA, SHOP, second * 86_400)])
    files = sorted((Path(world.folder) / "lake" / "tracking_log").rglob("*.parquet"))
    assert len(files) == 3
    for file in files[:1] + files[2:]:
        file.unlink()

    found = place.place_of(world.lake, _number(2))

    assert found == place.Place(sent.id, MessageId(sent.messages[ADA]))
