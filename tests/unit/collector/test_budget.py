"""How many hits of one address are recorded in a minute."""

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aftersend.collector.budget import SOURCES_MAX, WINDOW_SECONDS, Budget, source_of
from aftersend.platform.clock import ManualClock
from tests.support.tracking_server import NOW

FIRST, SECOND = "192.0.2.1", "192.0.2.2"


def made(hits_max: int, *, sources_max: int = SOURCES_MAX) -> tuple[Budget, ManualClock]:
    """Make a budget and the clock that it looks at."""
    clock = ManualClock(NOW)
    return Budget(hits_max, clock, sources_max=sources_max), clock


def admitted(budget: Budget, *addresses: str) -> list[bool]:
    """Ask for one hit after the other."""
    return [budget.admits(address) for address in addresses]


def test_the_first_hits_of_a_source_are_admitted() -> None:
    """Each source has a budget of its own."""
    budget, _ = made(2)

    assert admitted(budget, FIRST, FIRST, FIRST, SECOND) == [True, True, False, True]


def test_a_new_minute_begins_with_nobody_known() -> None:
    """The window is fixed: it ends a minute after it began, whoever has asked in it."""
    budget, clock = made(1)
    early = admitted(budget, FIRST, FIRST)
    clock.advance(WINDOW_SECONDS - 0.001)
    late = admitted(budget, FIRST)
    clock.advance(0.001)

    assert (early, late, admitted(budget, FIRST, FIRST)) == ([True, False], [False], [True, False])


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "127.255.255.254", "::1", "0:0::1", "::ffff:127.0.0.1", "::1%lo"]
)
def test_our_own_machine_has_no_budget(address: str) -> None:
    """A load test, a proxy beside us that nobody has named, and who has no address."""
    budget, _ = made(1)

    assert admitted(budget, *[address] * 4) == [True] * 4


def test_no_limit_admits_all() -> None:
    """0 is no limit, and the one who asks can know it before."""
    budget, _ = made(0)

    assert admitted(budget, *[FIRST] * 4) == [True] * 4
    assert not budget.is_limited
    assert made(1)[0].is_limited


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:DB8::1", "2001:0db8::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),
        ("::2", "::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("not an address", "not an address", True),
        ("no:address", "no:addresses", False),
    ],
)
def test_what_is_one_source(one: str, other: str, is_same: bool) -> None:
    """A /64 of IPv6 is one; IPv4 is itself, also where it is spelled as IPv6."""
    assert (source_of(one) == source_of(other)) is is_same


def test_all_spellings_of_a_source_share_its_budget() -> None:
    """Who has 2 to the 64 addresses has one budget."""
    budget, _ = made(2)

    assert admitted(budget, *[f"2001:db8::{each}" for each in range(4)]) == [
        True,
        True,
        False,
        False,
    ]


def test_a_full_table_still_knows_who_is_in_it() -> None:
    """New spellings of a known source find its count; sources beyond the table are admitted."""
    budget, _ = made(1, sources_max=2)
    admitted(budget, "2001:db8::1", FIRST)

    assert admitted(budget, "2001:db8::2", "2001:db8::3", FIRST) == [False, False, False]
    assert admitted(budget, SECOND, SECOND, SECOND) == [True, True, True]


def test_a_table_never_grows_beyond_its_limit() -> None:
    """Neither many sources nor many spellings of one can fill the memory."""
    budget, _ = made(1, sources_max=10)
    admitted(budget, *[f"2001:db8::{each}" for each in range(100)])
    admitted(budget, *[f"192.0.2.{each}" for each in range(100)])

    assert len(budget._by_text) <= 10
    assert len(budget._by_source) <= 11


def test_what_was_left_out_is_told_once_a_minute_without_addresses() -> None:
    """An administrator learns how many hits of how many sources, not whose."""
    budget, clock = made(1)
    admitted(budget, FIRST, FIRST, FIRST, SECOND, SECOND)
    with capture_logs() as early:
        budget.tell()
    clock.advance(WINDOW_SECONDS)
    admitted(budget, FIRST)
    with capture_logs() as logs:
        budget.tell()
        budget.tell()

    assert early == []
    assert [(log["hits"], log["sources"]) for log in logs] == [(3, 2)]
    assert "192.0.2" not in repr(logs)


def test_minutes_that_nobody_has_told_add_up() -> None:
    """A thread that was held up loses no count."""
    budget, clock = made(1)
    for _ in range(2):
        admitted(budget, FIRST, FIRST, SECOND, SECOND)
        clock.advance(WINDOW_SECONDS)
    with capture_logs() as logs:
        budget.tell()

    assert [(log["hits"], log["sources"]) for log in logs] == [(4, 4)]


def test_what_was_left_out_is_told_although_nobody_comes_any_more() -> None:
    """The end of the last attack is told too, and a quiet minute is not."""
    budget, clock = made(1)
    admitted(budget, FIRST, FIRST)
    with capture_logs() as logs:
        for _ in range(3):
            clock.advance(WINDOW_SECONDS)
            budget.tell()

    assert [(log["hits"], log["sources"]) for log in logs] == [(1, 1)]


def _naive_source(address: str) -> str:
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        if parsed.is_loopback:
            return ""
        if parsed.ipv4_mapped is None:
            return str(int(parsed) >> 64)
        parsed = parsed.ipv4_mapped
    assert isinstance(parsed, IPv4Address)
    return "" if parsed.is_loopback else str(parsed)


ADDRESSES = st.one_of(
    st.integers(0, 5).map(lambda each: f"192.0.2.{each}"),
    st.integers(0, 5).map(lambda each: f"::ffff:192.0.2.{each}"),
    st.tuples(st.integers(0, 2), st.integers(0, 9)).map(
        lambda each: f"2001:db8:0:{each[0]}::{each[1]}"
    ),
    st.sampled_from(["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.9", "::", "0.0.0.0"]),
)


@given(
    st.integers(1, 4),
    st.lists(st.tuples(ADDRESSES, st.sampled_from([0.0, 0.0, 0.0, 1.0, 29.5, 60.0, 200.0]))),
)
def test_it_agrees_with_counting_slowly(hits_max: int, steps: list[tuple[str, float]]) -> None:
    """Any hits at any times are admitted as a count by parsed address would."""
    budget, clock = made(hits_max)
    begun, counts = clock.monotonic(), Counter[str]()
    for address, seconds in steps:
        clock.advance(seconds)
        if clock.monotonic() >= begun + WINDOW_SECONDS:
            begun, counts = clock.monotonic(), Counter()
        source = _naive_source(address)
        counts[source] += 1
        expected = not source or counts[source] <= hits_max

        assert budget.admits(address) is expected
