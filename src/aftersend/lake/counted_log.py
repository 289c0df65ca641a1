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

Few messages have hits that other hits may tell: two links clicked, the hidden link, an unverified
token. Those are found by counting first; of all others nothing is sorted but opens.

Classification needs all hits of a message: filter by delivery or recipient before, by time after.
Source: architecture D7; spec §2.4 (dedupOpenPeriodMin), §7.0; field lessons §0.1, §3 E.
"""

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
_BEFORE_HONEYPOT: Final = ("head", "unverified", "seed")


def counted_log(hits: ibis.Table, rules: Rules = _USUAL) -> ibis.Table:
    """Say of every hit who it is taken to be, why, and whether it counts.

    Shape: the rows and columns of `hits`, and `verdict` (a `Verdict`), `rule` (empty when none
        fits) and `counted` (bool).
    """
    log = hits.mutate(rule=_by_itself(hits, rules))
    watched = _watched(hits, rules)
    if watched is None:
        told = _finished(log, hits, rules)
    else:
        plain = log.anti_join(watched, "message_id")
        near = _by_neighbours(log.semi_join(watched, "message_id"), rules)
        told = _finished(plain, hits, rules).union(_finished(near, hits, rules))
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


def _watched(hits: ibis.Table, rules: Rules) -> ibis.Table | None:
    """List the messages of which some hits may be told by others: all those, and few more."""
    is_click = hits.url_type.notin(_NO_CLICKS)
    is_trap = hits.url_type == UrlType.HONEYPOT.value
    is_unverified = hits.flags.contains(UNVERIFIED)
    some = hits.filter(is_click | is_trap | is_unverified)
    # Spelled anew: what is not shared with the rows of all hits is read by itself, which is quick.
    is_click = some.url_type.notin(_NO_CLICKS)
    url, at = some.url_id, some.at
    groups = some.group_by("message_id").aggregate(
        first_url=url.min(where=is_click),
        last_url=url.max(where=is_click),
        clicks=is_click.sum(),
        first_at=at.min(where=is_click),
        last_at=at.max(where=is_click),
        traps=(some.url_type == UrlType.HONEYPOT.value).sum(),
        unverified=some.flags.contains(UNVERIFIED).sum(),
    )
    reasons = list(_reasons(groups, rules))
    if not reasons:
        return None
    return groups.filter(ibis.or_(*reasons)).select("message_id")


def _reasons(groups: ibis.Table, rules: Rules) -> Iterator[ir.BooleanValue]:
    if rules.has("honeypot"):
        yield groups.traps > 0
    if rules.has("burst"):
        is_near = groups.last_at <= groups.first_at + _interval(rules.burst_s)
        yield (groups.first_url != groups.last_url) & ((groups.clicks > 2) | is_near)
    if _has_probes(rules):
        yield (groups.unverified > 0) & (groups.clicks > 0)


def _by_neighbours(log: ibis.Table, rules: Rules) -> ibis.Table:
    """Put the rules that other hits of a message decide, from `honeypot` to `probe`."""
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


def _finished(log: ibis.Table, hits: ibis.Table, rules: Rules) -> ibis.Table:
    """Put the last rules: of clicks those that look at nothing else, of opens repeats."""
    is_free_open = _is_open(log) & (log.rule == "")
    others = log.filter(~is_free_open)
    if rules.has("probe"):
        others = _put(others, "probe", _is_free_click(others) & others.flags.contains(PROBED))
    if rules.has("scanner-network"):
        clicks = hits.filter(hits.url_type.notin(_NO_CLICKS))
        known = addresses_within(clicks, scanner_networks(), allowed=rules.allow_networks)
        others = others.left_join(known.rename(scanner="address"), others.address == known.address)
        is_scanner = _is_free_click(others) & others.scanner.notnull()
        others = _put(others, "scanner-network", is_scanner).drop("scanner")
    # Only opens are sorted: the others have nothing to wait for.
    opens = log.filter(is_free_open)
    if rules.has("open-repeat"):
        opens = _repeats(opens, rules.open_repeat_s)
    return opens.union(others)


def _repeats(opens: ibis.Table, period_s: int) -> ibis.Table:
    by_time = ibis.window(group_by=opens.message_id, order_by=[opens.at, opens.log_id])
    timed = opens.mutate(previous_at=opens.at.lag().over(by_time))
    again_at = timed.previous_at + ibis.interval(seconds=period_s)
    is_repeat = (again_at > timed.at).fill_null(False)
    return timed.mutate(rule=is_repeat.ifelse("open-repeat", "")).drop("previous_at")


def _has_probes(rules: Rules) -> bool:
    return rules.has("probe") and rules.has("unverified")


def _is_open(log: ibis.Table) -> ir.BooleanValue:
    return log.url_type == UrlType.OPEN.value


def _is_free_click(log: ibis.Table) -> ir.BooleanValue:
    return log.url_type.notin(_NO_CLICKS) & (log.rule == "")


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
