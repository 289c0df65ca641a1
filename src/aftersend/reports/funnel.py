"""The report Funnel: how many people go from page to page, and where they stay away.

Its steps are web tags in an order. The hits are read from the lake: nothing of it is consolidated.
Source: spec §1.10, §7.0; architecture D9.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aftersend.database import tags
from aftersend.database.engine import Database
from aftersend.database.tags import Tag
from aftersend.errors import InvalidInput, NotFound
from aftersend.lake import duckdb
from aftersend.lake.funnel import people
from aftersend.lake.table import Lake
from aftersend.reports.counted import counted_hits
from aftersend.reports.indicator import Figure, ratio
from aftersend.reports.removed import NEEDED, TABLE, Removed, removed_hits, removed_table
from aftersend.reports.report import Cell, Report, Table
from aftersend.reports.scope import Scope, as_of, chosen

__all__ = ["DECLARED", "LABEL", "NAME", "STEPS_MAX", "FunnelFigure", "report"]

NAME: Final = "funnel"
LABEL: Final = "Funnel"
STEPS_MAX: Final = 10

_COLUMNS: Final = {
    "step": "Step",
    "tag": "Web tag",
    "label": "Label",
    "people": "People",
    "people_rate": "Share of step 1",
    "lost": "Lost on the way here",
    "lost_rate": "Lost ÷ step before",
}


@dataclass(frozen=True, slots=True)
class FunnelFigure:
    """A count of people, and its share of those at the first step.

    `is_counted` is told how many steps a person saw in their order, how many in whatever order, and
    how many there are.
    """

    name: str
    label: str
    formula: str
    is_counted: Callable[[int, int, int], bool]


DECLARED: Final = (
    FunnelFigure(
        "entry",
        "People at the first step",
        "d(person; saw step 1)",
        lambda _steps, _seen, _of: True,
    ),
    FunnelFigure(
        "conversion",
        "Conversions",
        "d(person; saw all steps, each not before the one before)",
        lambda steps, _seen, of: steps == of,
    ),
    FunnelFigure(
        "bounce",
        "Bounces",
        "d(person; saw step 1 and no other step)",
        lambda _steps, seen, _of: seen == 1,
    ),
)
"""The figures of a funnel; the losses between steps stand in its table."""


@dataclass(frozen=True, slots=True)
class _Group:
    """So many people saw `steps` in their order and `seen` in whatever order."""

    steps: int
    seen: int
    count: int


def report(database: Database, lake: Lake, tag_ids: Sequence[str], scope: Scope) -> Report:
    """Follow people through web tags, given in the order of the steps.

    Without deliveries in `scope` all visits count, those that no message brought about too.

    Raises:
        InvalidInput: fewer than two tags, more than `STEPS_MAX`, or one of them twice.
        NotFound: there is no such tag or delivery.
    """
    if not 2 <= len(tag_ids) <= STEPS_MAX or len(set(tag_ids)) < len(tag_ids):
        raise InvalidInput(f"A funnel has 2 to {STEPS_MAX} different web tags: name them in order.")
    with database.read() as connection:
        found = tags.by_tag_id(connection, tag_ids)
        for tag_id in tag_ids:
            if tag_id not in found:
                raise NotFound("web tag", tag_id)
        if scope.deliveries is not None:
            chosen(connection, scope)
        at = as_of(connection, ())
    steps = [found[tag_id] for tag_id in tag_ids]
    groups, removed = _groups(lake, scope, steps)
    return Report(
        name=NAME,
        label=LABEL,
        as_of=at,
        indicators={one.name: _figure(one, groups, len(steps)) for one in DECLARED},
        tables={"steps": _table(groups, steps), TABLE: removed_table(removed)},
    )


def _groups(
    lake: Lake, scope: Scope, steps: Sequence[Tag]
) -> tuple[list[_Group], Sequence[Removed]]:
    """Tell how many people saw which steps, and which visits of them the rules took out."""
    engine = duckdb.connect()
    try:
        hits = counted_hits(engine, lake, scope, scope.deliveries)
        hits = hits.filter(hits.url_id.isin([tag.id for tag in steps]))
        # They are few, but stand far apart: go through the lake once.
        needed = ("source_id", "message_id", "recipient_id", "url_id", "at", "counted", *NEEDED)
        found = engine.create_table("hits", hits.select(*needed), temp=True)
        listed = people(found, [tag.id for tag in steps])
        counts = listed.group_by("steps", "seen").aggregate(count=listed.count())
        rows: list[dict[str, Any]] = counts.to_pyarrow().to_pylist()
        return [_Group(**row) for row in rows], removed_hits(found)
    finally:
        engine.disconnect()


def _figure(one: FunnelFigure, groups: Sequence[_Group], of: int) -> Figure:
    entered = sum(group.count for group in groups)
    value = sum(group.count for group in groups if one.is_counted(group.steps, group.seen, of))
    return Figure(one.label, "people", value, ratio(value, entered))


def _table(groups: Sequence[_Group], steps: Sequence[Tag]) -> Table:
    came = [
        sum(group.count for group in groups if group.steps >= number)
        for number in range(1, len(steps) + 1)
    ]
    rows: list[dict[str, Cell]] = []
    for index, (tag, count) in enumerate(zip(steps, came, strict=True)):
        before = came[index - 1] if index else None
        lost = None if before is None else before - count
        rows.append(
            {
                "step": index + 1,
                "tag": tag.tag_id,
                "label": tag.label,
                "people": count,
                "people_rate": ratio(count, came[0]),
                "lost": lost,
                "lost_rate": ratio(lost, before),
            }
        )
    return Table("Steps", _COLUMNS, rows)
