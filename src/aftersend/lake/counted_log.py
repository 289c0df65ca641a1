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

from aftersend.lake.machines import Rules
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.logline import HEAD, UNVERIFIED

__all__ = ["HEAD_RULE", "OPEN_REPEAT_RULE", "SEED_RULE", "UNVERIFIED_RULE", "counted_log"]
__all__ += ["with_all_hits"]

_USUAL: Final = Rules()

HEAD_RULE: Final = "head"
UNVERIFIED_RULE: Final = "unverified"
SEED_RULE: Final = "seed"
OPEN_REPEAT_RULE: Final = "open-repeat"


def counted_log(hits: ibis.Table, rules: Rules = _USUAL) -> ibis.Table:
    """Say of every hit who it is taken to be, why, and whether it counts.

    Shape: the rows and columns of `hits`, and `verdict` (a `Verdict`), `rule` (empty when none
        fits) and `counted` (bool).
    """
    rule = ibis.cases(
        (hits.flags.contains(HEAD), HEAD_RULE),
        (hits.flags.contains(UNVERIFIED), UNVERIFIED_RULE),
        (hits.is_seed, SEED_RULE),
        else_="",
    )
    # Only opens are sorted: the others have nothing to wait for.
    is_open = (hits.url_type == UrlType.OPEN.value) & (rule == "")
    opens = _repeats(hits.filter(is_open), rules.open_repeat_s)
    rows = opens.union(hits.filter(~is_open).mutate(rule=rule))
    return rows.mutate(
        verdict=rows.rule.cases(
            (HEAD_RULE, Verdict.MACHINE.value),
            (UNVERIFIED_RULE, Verdict.SUSPECT.value),
            (OPEN_REPEAT_RULE, Verdict.REPEAT.value),
            else_=Verdict.HUMAN.value,
        ),
        counted=rows.rule == "",
    )


def with_all_hits(counted: ibis.Table) -> ibis.Table:
    """Let every hit count whatever its verdict, but those of seed addresses.

    Shape: the rows and columns of `counted`; only `counted` changes.
    """
    return counted.mutate(counted=~counted.is_seed)


def _repeats(opens: ibis.Table, period_s: int) -> ibis.Table:
    by_time = ibis.window(group_by=opens.message_id, order_by=[opens.at, opens.log_id])
    timed = opens.mutate(previous_at=opens.at.lag().over(by_time))
    again_at = timed.previous_at + ibis.interval(seconds=period_s)
    is_repeat = (again_at > timed.at).fill_null(False)
    return timed.mutate(rule=is_repeat.ifelse(OPEN_REPEAT_RULE, "")).drop("previous_at")
