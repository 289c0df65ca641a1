"""Who each hit is taken to be, and whether it counts: a view over the hits, never a column.

The first rule that fits decides, in the order of `machines.toml`, which also says why:

1. ``head``: a HEAD request. Machine.
2. ``unverified``: the token was not signed by us. Suspect.
3. ``seed``: a test address. A human, but never counted (spec §3.14).
4. ``honeypot``: the hidden link, and every hit of its message within ±`honeypot_s`. Machine.
5. ``no-agent``, ``crawler``; of opens also ``gmail-prefetch`` and ``apple-privacy``: by the user
   agent alone. Machine.
6. ``burst``: a click with another click of the message on another link within ±`burst_s`. Machine.
7. ``burst-open``: an open at most `burst_open_s` before a burst of its message, or before what the
   hidden link took out, unless a proxy fetched it that does so when a person looks. Machine.
8. ``probe``: a click right after a garbled token of its network, or at most `probe_s` after an
   unverified hit of its message. Suspect.
9. ``scanner-network``: a click from where mail security scans links. Suspect.
10. ``open-repeat``: an open less than the deduplication period after another open of the same
    message; the period itself counts again. Repeat. A row of opens, each less than a period after
    the one before, is one open, however long it gets.

Everything else is a human and counts, an expired link included: somebody reacted, though the link
led elsewhere. All bounds are included but that of repeats. What an earlier rule takes out takes no
part in a later one, but unverified hits in probes. Visits of web pages only meet what a hit shows
by itself. Of hits at the same moment the one with the lower log id comes first, so the outcome does
not depend on the order in which lines arrived.

Few messages have hits that other hits may tell: two links clicked or two opens within a short time,
the hidden link, an unverified token. Those are found by counting first; of all others nothing is
sorted.

Classification needs all hits of a message: filter by delivery or recipient before, by time after.
Source: architecture D7; spec §2.4 (dedupOpenPeriodMin), §7.0; field lessons §0.1, §3 E.
"""

import math
from collections.abc import Collection, Iterator
from typing import Final

import ibis
import ibis.expr.types as ir

from aftersend.lake.machines import PROXY, Rules, described, scanner_networks
from aftersend.lake.networks import addresses_within
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.logline import HEAD, PROBED, UNVERIFIED

__all__ = ["counted_log", "with_all_hits"]

_USUAL: Final = Rules()
_VISITS: Final = (UrlType.WEB.value, UrlType.TRANSACTION.value)
_NO_CLICKS: Final = (UrlType.OPEN.value, UrlType.HONEYPOT.value, *_VISITS)
_SLOTS: Final = 62  # as bits, moved by one, they stay below the sign
_LAST_SLOT: Final = 1 << (_SLOTS - 1)
_TELLING: Final = (
    "log_id",
    "message_id",
    "at",
    "url_id",
    "url_type",
    "flags",
    "agent_id",
    "own_rule",
    "is_all",
)
_BEFORE_HONEYPOT: Final = ("head", "unverified", "seed")


def counted_log(hits: ibis.Table, rules: Rules = _USUAL) -> ibis.Table:
    """Say of every hit who it is taken to be, why, and whether it counts.

    Shape: the rows and columns of `hits`, and `verdict` (a `Verdict`), `rule` (empty when none
        fits) and `counted` (bool).
    Limits: no log id comes twice, which the lake sees to.
    """
    log = hits.mutate(rule=_by_itself(hits, rules))
    others = _told_by_others(hits, _watched(hits, rules), rules)
    log = log.left_join(others, log.log_id == others.told_id)
    log = log.mutate(rule=log.told_rule.coalesce(log.rule)).drop("told_id", "told_rule")
    told = _finished(log, hits, rules)
    verdicts = [(rule.name, rule.verdict.value) for rule in described().values()]
    return told.mutate(
        verdict=told.rule.cases(*verdicts, else_=Verdict.HUMAN.value), counted=told.rule == ""
    )


def with_all_hits(counted: ibis.Table) -> ibis.Table:
    """Let every hit count whatever its verdict, but those of seed addresses.

    Shape: the rows and columns of `counted`; only `counted` changes.
    """
    return counted.mutate(counted=~counted.is_seed)


def _by_itself(hits: ibis.Table, rules: Rules) -> ir.StringValue:
    """Tell the rule that a hit shows by itself, of those before `burst`."""
    is_open = _is_open(hits)
    cases = {
        "head": hits.flags.contains(HEAD),
        "unverified": hits.flags.contains(UNVERIFIED),
        "seed": hits.is_seed,
        "honeypot": hits.url_type == UrlType.HONEYPOT.value,
        "no-agent": hits.agent_id == 0,
        "crawler": _has_agent(hits, rules, "crawler"),
        "gmail-prefetch": is_open & _has_agent(hits, rules, "gmail-prefetch"),
        "apple-privacy": is_open & _has_agent(hits, rules, "apple-privacy"),
    }
    fitting = [(case, rule) for rule, case in cases.items() if rules.has(rule)]
    return ibis.cases(*fitting, else_="") if fitting else ibis.literal("")


def _watched(hits: ibis.Table, rules: Rules) -> ibis.Table:
    """List the messages of which some hits may be told by others: all those, and few more.

    Shape: one row per message; watched_id, is_all: whether more than its opens are to be watched.
    """
    lists = [_with_clicks_to_watch(hits, rules).mutate(is_all=True)]
    if rules.has("open-repeat"):
        lists += [_with_opens_to_watch(hits, rules).mutate(is_all=False)]
    both = ibis.union(*lists)
    return both.group_by("watched_id").aggregate(is_all=both.is_all.any())


def _with_clicks_to_watch(hits: ibis.Table, rules: Rules) -> ibis.Table:
    is_trap = hits.url_type == UrlType.HONEYPOT.value
    some = hits.filter(_is_click(hits) | is_trap | hits.flags.contains(UNVERIFIED))
    url = ibis.cases((_is_click(some), some.url_id))
    at = ibis.cases((_is_click(some), some.at))
    groups = some.group_by("message_id").aggregate(
        first_url=url.min(),
        last_url=url.max(),
        has_trap=(some.url_type == UrlType.HONEYPOT.value).any(),
        has_unverified=some.flags.contains(UNVERIFIED).any(),
        **_slots(at, rules.burst_s),
    )
    return groups.filter(ibis.or_(*_reasons(groups, rules))).select(watched_id=groups.message_id)


def _with_opens_to_watch(hits: ibis.Table, rules: Rules) -> ibis.Table:
    opens = hits.filter(_is_open(hits))
    groups = opens.group_by("message_id").aggregate(**_slots(opens.at, rules.open_repeat_s))
    return groups.filter(_are_near(groups)).select(watched_id=groups.message_id)


def _reasons(groups: ibis.Table, rules: Rules) -> Iterator[ir.BooleanValue]:
    if rules.has("honeypot"):
        yield groups.has_trap
    if rules.has("burst"):
        yield (groups.first_url != groups.last_url) & _are_near(groups)
    if _has_probes(rules):
        yield groups.has_unverified & groups.first_url.notnull()


def _slots(at: ir.TimestampValue, length_s: float) -> dict[str, ir.Value]:
    """Put moments into few slots that lie in a ring, each a bit; to be aggregated by message.

    Moments no further apart than `length_s` lie in the same slot or in two side by side.
    """
    number = (at.epoch_seconds() // max(1, math.ceil(length_s))).cast("int64")
    # Before 1970 the remainder is below zero.
    slot = ibis.literal(1, "int64") << ((number % _SLOTS + _SLOTS) % _SLOTS)
    return {"slots": slot.bit_or(), "slot_sum": slot.sum()}


def _are_near(groups: ibis.Table) -> ir.BooleanValue:
    """Tell whether two moments of a message may be as near to each other as slots are long."""
    # Two in one slot make the sum more than the bits; or two slots stand side by side.
    slots = groups.slots
    is_beside = (slots & (slots << 1)) != 0
    is_round = ((slots & 1) != 0) & (slots >= _LAST_SLOT)
    return (groups.slot_sum != slots) | is_beside | is_round


def _told_by_others(hits: ibis.Table, watched: ibis.Table, rules: Rules) -> ibis.Table:
    """List the hits whose rule other hits of their message decide.

    Shape: one row per such hit; told_id (log id), told_rule.
    """
    # Read beside the hits themselves: only a few of them, and few columns, have to be sorted.
    few = hits.inner_join(watched, hits.message_id == watched.watched_id)
    few = few.mutate(own_rule=_by_itself(few, rules)).select(*_TELLING)
    few = few.mutate(rule=few.own_rule)
    log = ibis.union(_by_neighbours(few.filter(few.is_all), rules), few.filter(~few.is_all))
    told = [log.filter(log.rule != log.own_rule)]
    if rules.has("open-repeat"):
        told += [_repeats(log, rules.open_repeat_s)]
    return ibis.union(*(part.select(told_id=part.log_id, told_rule=part.rule) for part in told))


def _by_neighbours(log: ibis.Table, rules: Rules) -> ibis.Table:
    """Put the rules that other hits of a message decide."""
    if rules.has("honeypot"):
        near = _window(log, rules.honeypot_s, rules.honeypot_s)
        is_left = log.rule.notin(_BEFORE_HONEYPOT) & log.url_type.notin(_VISITS)
        log = _put(log, "honeypot", is_left & (log.rule == "honeypot").max().over(near))
    if rules.has("burst"):
        near = _window(log, rules.burst_s, rules.burst_s)
        url = _is_free_click(log).ifelse(log.url_id, ibis.null("int64"))
        is_burst = url.min().over(near) != url.max().over(near)
        log = _put(log, "burst", _is_free_click(log) & is_burst)
    if rules.has("burst") and rules.has("burst-open"):
        ahead = _window(log, 0, rules.burst_open_s)
        is_fetched = _is_open(log) & (log.rule == "") & ~_has_agent(log, rules, PROXY)
        # Who follows a hidden link follows the others too, and loads the pictures before.
        is_scanner = log.rule.isin(("burst", "honeypot")) & ~_is_open(log)
        log = _put(log, "burst-open", is_fetched & is_scanner.max().over(ahead))
    if _has_probes(rules):
        behind = _window(log, rules.probe_s, 0)
        is_probed = log.flags.contains(UNVERIFIED).max().over(behind)
        log = _put(log, "probe", _is_free_click(log) & is_probed)
    return log


def _repeats(log: ibis.Table, period_s: int) -> ibis.Table:
    """List the opens that repeat another."""
    opens = log.filter(_is_open(log) & (log.rule == ""))
    by_time = ibis.window(group_by=opens.message_id, order_by=[opens.at, opens.log_id])
    timed = opens.mutate(previous_at=opens.at.lag().over(by_time))
    is_repeat = timed.previous_at + ibis.interval(seconds=period_s) > timed.at
    return timed.filter(is_repeat).mutate(rule=ibis.literal("open-repeat"))


def _finished(log: ibis.Table, hits: ibis.Table, rules: Rules) -> ibis.Table:
    """Put the last rules about clicks, which look at nothing else."""
    if rules.has("probe"):
        log = _put(log, "probe", _is_free_click(log) & log.flags.contains(PROBED))
    if rules.has("scanner-network"):
        known = addresses_within(
            hits.filter(_is_click(hits)), scanner_networks(), allowed=rules.allow_networks
        )
        log = log.left_join(known.rename(scanner="address"), log.address == known.address)
        is_scanner = _is_free_click(log) & log.scanner.notnull()
        log = _put(log, "scanner-network", is_scanner).drop("scanner")
    return log


def _has_probes(rules: Rules) -> bool:
    return rules.has("probe") and rules.has("unverified")


def _is_open(log: ibis.Table) -> ir.BooleanValue:
    return log.url_type == UrlType.OPEN.value


def _is_click(log: ibis.Table) -> ir.BooleanValue:
    return log.url_type.notin(_NO_CLICKS)


def _is_free_click(log: ibis.Table) -> ir.BooleanValue:
    return _is_click(log) & (log.rule == "")


def _has_agent(log: ibis.Table, rules: Rules, name: str) -> ir.BooleanValue:
    agents: Collection[int] = rules.agents.get(name, ())
    return log.agent_id.isin(sorted(agents)) if agents else ibis.literal(False)


def _put(log: ibis.Table, rule: str, where: ir.BooleanValue) -> ibis.Table:
    return log.mutate(rule=where.ifelse(rule, log.rule))


def _window(log: ibis.Table, before_s: float, after_s: float) -> ir.Value:
    return ibis.range_window(
        preceding=_interval(before_s),
        following=_interval(after_s),
        group_by=log.message_id,
        order_by=log.at,
    )


def _interval(seconds: float) -> ir.IntervalScalar:
    return ibis.interval(microseconds=round(seconds * 1_000_000))
