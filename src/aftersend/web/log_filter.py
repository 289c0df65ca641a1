"""The filters of tracking logs, as the address of a page spells them.

What an address spells wrongly is left out, so that an old bookmark still opens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aftersend.lake.machines import Rules, described
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.reports.log_query import LogQuery
from aftersend.web.display import Zone
from aftersend.web.listing import ROWS

__all__ = ["RULES", "TYPES", "VERDICTS", "LogFilter", "read_filter"]

TYPES: Final = tuple((one.slug, one.label) for one in UrlType)
VERDICTS: Final = tuple((one.value, one.value.capitalize()) for one in Verdict)

RULES: Final = tuple((rule.name, rule.label) for rule in described().values())

_SORTS: Final = ("at", "label", "type", "recipient", "delivery", "url", "verdict", "source_id")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a list is filtered and sorted by: texts for the form, `query` for the report."""

    type: str
    verdict: str
    rule: str
    url: str
    recipient: str
    delivery: str
    since: str
    until: str
    sort: str
    has_uuid: bool
    query: LogQuery

    @property
    def is_set(self) -> bool:
        """Tell whether anything but the order was asked for."""
        texts = (self.type, self.verdict, self.rule, self.url, self.recipient, self.delivery)
        return any(texts) or any((self.since, self.until))


def read_filter(
    given: Mapping[str, str], *, zone: Zone, rules: Rules, offset: int = 0
) -> LogFilter:
    """Read the parameters of an address; `since` and `until` are days, both included."""
    since, until = _day(given, "since", zone), _day(given, "until", zone)
    sort = given.get("sort", "")
    column = sort.removeprefix("-")
    is_sorted = column in _SORTS
    kinds = [one for one in UrlType if one.slug == given.get("type")]
    verdicts = [one for one in Verdict if one.value == given.get("verdict")]
    texts = {name: given.get(name, "").strip() for name in ("url", "recipient", "delivery")}
    rule = given.get("rule", "") if given.get("rule") in described() else ""
    query = LogQuery(
        rule=rule,
        type=kinds[0] if kinds else None,
        verdict=verdicts[0] if verdicts else None,
        since=since and since.astimezone(UTC),
        # By the wall clock: a day may have 23 or 25 hours.
        until=until and (until + timedelta(days=1)).astimezone(UTC),
        sort=column if is_sorted else "at",
        is_descending=sort.startswith("-") if is_sorted else True,
        limit=ROWS,
        offset=offset,
        rules=rules,
        **texts,
    )
    return LogFilter(
        rule=rule,
        type=given.get("type", "") if kinds else "",
        verdict=given.get("verdict", "") if verdicts else "",
        since=given.get("since", "") if since else "",
        until=given.get("until", "") if until else "",
        sort=sort if is_sorted else "-at",
        has_uuid=given.get("uuid") == "yes",
        query=query,
        **texts,
    )


def _day(given: Mapping[str, str], name: str, zone: Zone) -> datetime | None:
    text = given.get(name, "")
    return zone.read(text) if len(text) == len("2026-01-31") else None
