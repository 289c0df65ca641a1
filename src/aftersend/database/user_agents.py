"""User agents: each text once; hits carry only its number.

The number is the first 8 bytes of BLAKE2b over the UTF-8 text, signed and big-endian: the same on
every machine and for ever, because lakes hold it. 0 stands for no user agent at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal, select, update

from aftersend.database.dialect import insert_or
from aftersend.database.lookup import select_by_ids
from aftersend.database.replacing import replace_rows
from aftersend.database.schema import user_agent, user_agent_stats

__all__ = ["Agent", "ListedAgent", "agent_id", "by_rule", "identified", "keep", "listed"]
__all__ += ["outdated", "replace_days", "unknown"]


@dataclass(frozen=True, slots=True)
class Agent:
    """What a text says of who sent it; empty where it says nothing.

    `rule` is the rule about machines that the text alone meets. `is_recognised` is false for texts
    that neither a browser nor such a rule is known for.

    Limits: no text is longer than its column, see spec §1.10.
    """

    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_family: str = ""
    device: str = ""
    is_mobile: bool = False
    is_recognised: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True)
class ListedAgent:
    """A user agent for people: its text, what it says, and the clicks that count of it."""

    id: int
    text: str
    agent: Agent
    clicks: int


def agent_id(text: str) -> int:
    """Number a user agent, in 64 bits with sign.

    >>> agent_id("Mozilla/5.0"), agent_id("")
    (1318407374697511714, 0)
    """
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


def unknown(connection: Connection, ids: Collection[int]) -> set[int]:
    """Tell which of some numbers have no text yet."""
    wanted = set(ids) - {0}
    known = select_by_ids(connection, (user_agent.c.id,), user_agent.c.id, wanted)
    return wanted - {number for (number,) in known}


def keep(connection: Connection, agents: Mapping[str, Agent], *, edition: str) -> None:
    """Keep texts with what they say; those that are known stay as they are.

    `edition` names the rules by which they were identified.
    """
    rows = [
        {"id": agent_id(text), "text": text, "edition": edition, **asdict(agent)}
        for text, agent in agents.items()
        if text
    ]
    if rows:
        statement = insert_or(connection, user_agent).on_conflict_do_nothing()
        connection.execute(statement, rows)


def outdated(connection: Connection, edition: str, *, limit: int) -> dict[int, str]:
    """Give some texts, by their numbers, that were not identified by the rules of an `edition`."""
    query = select(user_agent.c.id, user_agent.c.text)
    rows = connection.execute(query.where(user_agent.c.edition != edition).limit(limit))
    return {row.id: row.text for row in rows}


def identified(connection: Connection, agents: Mapping[int, Agent], *, edition: str) -> None:
    """Note what texts of some numbers say by the rules of an `edition`."""
    rows = [
        {"number": number, "edition": edition, **asdict(agent)} for number, agent in agents.items()
    ]
    if rows:
        statement = update(user_agent).where(user_agent.c.id == bindparam("number"))
        connection.execute(statement, rows)


def by_rule(connection: Connection) -> dict[str, frozenset[int]]:
    """Give the numbers of the user agents that meet a rule by their text alone, by its name."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    query = select(user_agent.c.rule, user_agent.c.id).where(user_agent.c.rule != "")
    for rule, number in connection.execute(query):
        found[rule].add(number)
    return {rule: frozenset(numbers) for rule, numbers in found.items()}


def of_ids(connection: Connection, ids: Collection[int]) -> Mapping[int, ListedAgent]:
    """Give some user agents by their numbers, without counting their clicks; 0 has no text."""
    query = select(user_agent, literal(0).label("clicks")).where(user_agent.c.id.in_(ids))
    return {row.id: _listed(row) for row in connection.execute(query)}


def listed(
    connection: Connection, *, is_unrecognised: bool = False, limit: int | None = None
) -> list[ListedAgent]:
    """List user agents, those with the most clicks first; at will only those not recognised."""
    clicks = func.coalesce(func.sum(user_agent_stats.c.pages), 0)
    conditions: list[ColumnElement[bool]] = []
    if is_unrecognised:
        conditions.append(user_agent.c.is_recognised.is_(False))
    query = (
        select(user_agent, clicks.label("clicks"))
        .outerjoin(user_agent_stats, user_agent_stats.c.agent_id == user_agent.c.id)
        .where(*conditions)
        .group_by(*user_agent.c)
        .order_by(clicks.desc(), user_agent.c.text)
        .limit(limit)
    )
    return [_listed(row) for row in connection.execute(query)]


def replace_days(
    connection: Connection, days: Collection[date], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Put the clicks of some days by user agent in the place of what stood there.

    Shape: rows have the columns of `user_agent_stats`.
    """
    replace_rows(connection, user_agent_stats, rows, where=user_agent_stats.c.day.in_(days))


def _listed(row: Any) -> ListedAgent:
    agent = Agent(
        browser=row.browser,
        browser_version=row.browser_version,
        os=row.os,
        os_family=row.os_family,
        device=row.device,
        is_mobile=row.is_mobile,
        is_recognised=row.is_recognised,
        rule=row.rule,
    )
    return ListedAgent(row.id, row.text, agent, row.clicks)
