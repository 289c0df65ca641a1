"""Who each hit is taken to be, and whether it counts: a view over the hits, never a column.

The first rule of this list that fits decides:

1. ``head``: a HEAD request; no person's browser sends one for a link. Machine.
2. ``unverified``: the token was not signed by us, so anybody may have made it. Suspect.
3. ``seed``: a test address. A human, but never counted (spec §3.14).
4. ``open-repeat``: an open less than the deduplication period after another open of the same
   message; the period itself counts again. Repeat. A row of opens, each less than a period after
   the one before, is one open, however long it gets.

Everything else is a human and counts, an expired link included: somebody reacted, though the link
led elsewhere. Hits that rules 1 to 3 take out never make another hit a repeat. Of hits at the same
moment the one with the lower log id comes first, so the outcome does not depend on the order in
which lines arrived.

Classification needs all hits of a message: filter by delivery or recipient before, by time after.
Source: architecture D7; spec §2.4 (dedupOpenPeriodMin), §7.0.
"""

from typing import Final

import ibis
from ibis import _

from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.logline import HEAD, UNVERIFIED

__all__ = ["DEDUP_OPEN_PERIOD_S", "HEAD_RULE", "OPEN_REPEAT_RULE", "SEED_RULE", "UNVERIFIED_RULE"]
__all__ += ["counted_log", "with_all_hits"]

DEDUP_OPEN_PERIOD_S: Final = 60

HEAD_RULE: Final = "head"
UNVERIFIED_RULE: Final = "unverified"
SEED_RULE: Final = "seed"
OPEN_REPEAT_RULE: Final = "open-repeat"


def counted_log(hits: ibis.Table, *, dedup_open_period_s: int = DEDUP_OPEN_PERIOD_S) -> ibis.Table:
    """Say of every hit who it is taken to be, why, and whether it counts.

    Shape: the rows and columns of `hits`, and `verdict` (a `Verdict`), `rule` (empty when none
        fits) and `counted` (bool).
    Unit: `dedup_open_period_s` in seconds; 0 makes no open a repeat.
    """
    is_excluded = _.flags.contains(HEAD) | _.flags.contains(UNVERIFIED) | _.is_seed
    rows = hits.mutate(is_open_candidate=(_.url_type == UrlType.OPEN.value) & ~is_excluded)
    opens = ibis.window(
        group_by=[rows.message_id, rows.is_open_candidate], order_by=[rows.at, rows.log_id]
    )
    rows = rows.mutate(previous_at=rows.at.lag().over(opens))
    is_repeat = rows.is_open_candidate & (
        rows.previous_at + ibis.interval(seconds=dedup_open_period_s) > rows.at
    )
    rows = rows.mutate(
        rule=ibis.cases(
            (rows.flags.contains(HEAD), HEAD_RULE),
            (rows.flags.contains(UNVERIFIED), UNVERIFIED_RULE),
            (rows.is_seed, SEED_RULE),
            (is_repeat, OPEN_REPEAT_RULE),
            else_="",
        )
    ).drop("is_open_candidate", "previous_at")
    return rows.mutate(
        verdict=ibis.cases(
            (rows.rule == HEAD_RULE, Verdict.MACHINE.value),
            (rows.rule == UNVERIFIED_RULE, Verdict.SUSPECT.value),
            (rows.rule == OPEN_REPEAT_RULE, Verdict.REPEAT.value),
            else_=Verdict.HUMAN.value,
        ),
        counted=rows.rule == "",
    )


def with_all_hits(counted: ibis.Table) -> ibis.Table:
    """Let every hit count whatever its verdict, but those of seed addresses.

    Shape: the rows and columns of `counted`; only `counted` changes.
    """
    return counted.mutate(counted=~counted.is_seed)
