"""How far people come through pages in an order, each told by its web tag.

A person has come to a step who has seen all steps up to it, each not before the one before it. What
else was seen in between does not matter, nor how often.

A person is told by the permanent cookie; without it by the message, or by the recipient whom the
tag named. A hit of which none of these is known is nobody's, and enters no funnel.

Source: architecture D9; spec §4.5.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from aftersend.model.ids import UrlId

__all__ = ["people"]


def people(counted: ibis.Table, steps: Sequence[UrlId]) -> ibis.Table:
    """List everybody who has come to the first of some `steps`, and how far.

    Shape: one row a person: `key` (text), `steps` (i64, how many were seen in their order, from 1),
        `seen` (i64, how many different ones were seen in whatever order), `first_at`, `last_at` of
        the hits on them.
    """
    hits = counted.filter(counted.counted & counted.url_id.isin(list(steps)))
    hits = hits.mutate(key=_key(hits)).filter(lambda table: table.key != "")
    hits = hits.select("key", "url_id", "at")
    everybody = hits.group_by("key").aggregate(
        seen=hits.url_id.nunique(), first_at=hits.at.min(), last_at=hits.at.max()
    )
    reached = _reached(hits, steps[0])
    came = reached.mutate(step=1)
    for number, url_id in enumerate(steps[1:], start=2):
        reached = _reached(hits, url_id, after=reached)
        came = came.union(reached.mutate(step=number))
    far = came.group_by("key").aggregate(steps=came.step.max().cast("int64"))
    return far.join(everybody, "key").select("key", "steps", "seen", "first_at", "last_at")


def _reached(hits: ibis.Table, url_id: UrlId, *, after: ibis.Table | None = None) -> ibis.Table:
    """Tell when each came to a step: its first hit that is not before the step before."""
    here = hits.filter(hits.url_id == url_id)
    if after is not None:
        before = after.select("key", came_at="reached_at")
        here = here.join(before, "key").filter(lambda table: table.at >= table.came_at)
    return here.group_by("key").aggregate(reached_at=here.at.min())


def _key(hits: ibis.Table) -> ir.StringValue:
    # "#" and "@" stand in no source id.
    return ibis.cases(
        (hits.source_id != "", hits.source_id),
        (hits.message_id != 0, ibis.literal("#") + hits.message_id.cast("string")),
        (hits.recipient_id != 0, ibis.literal("@") + hits.recipient_id.cast("string")),
        else_="",
    )
