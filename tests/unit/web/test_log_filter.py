"""Filters as addresses spell them."""

from datetime import UTC, datetime

import pytest

from aftersend.lake.machines import Rules
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.reports.log_query import LogQuery
from aftersend.web.display import Zone
from aftersend.web.log_filter import read_filter

PARIS = Zone.named("Europe/Paris")


def _query(**given: str) -> LogQuery:
    return read_filter(given, zone=PARIS, rules=Rules()).query


def test_without_parameters_the_newest_come_first() -> None:
    """An address without parameters asks for everything, by date downwards."""
    chosen = read_filter({}, zone=PARIS, rules=Rules())

    assert chosen.query == LogQuery()
    assert (chosen.sort, chosen.is_set) == ("-at", False)


def test_days_are_days_of_the_zone_and_both_included() -> None:
    """From and To are whole days in the zone of the pages, 25 hours long when clocks go back."""
    query = _query(since="2026-10-25", until="2026-10-25")

    assert query.since == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert query.until == datetime(2026, 10, 25, 23, tzinfo=UTC)


def test_filters_are_understood() -> None:
    """Type, verdict, texts and order reach the query."""
    query = _query(
        type="email_click", verdict="machine", url=" shop ", recipient="ada", sort="label"
    )

    assert (query.type, query.verdict) == (UrlType.EMAIL_CLICK, Verdict.MACHINE)
    assert (query.url, query.recipient) == ("shop", "ada")
    assert (query.sort, query.is_descending) == ("label", False)


@pytest.mark.parametrize(
    "given",
    [
        {"type": "nonsense"},
        {"verdict": "nonsense"},
        {"since": "yesterday"},
        {"until": "2026-02-30"},
        {"since": "2026-01-01T00:00:00"},
        {"sort": "drop table"},
        {"sort": "-"},
    ],
)
def test_what_makes_no_sense_is_left_out(given: dict[str, str]) -> None:
    """An old bookmark opens the list, without the filter that is no more."""
    assert _query(**given) == LogQuery()
