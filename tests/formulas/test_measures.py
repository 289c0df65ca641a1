"""Every figure from the lake, against the same figure computed one hit at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import ibis
import pytest
from hypothesis import example, given, settings

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.counted_log import counted_log, with_all_hits
from aftersend.lake.machines import Rules
from aftersend.lake.measure import MEASURES, aggregate, rows
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import START, NaiveHit, hit_lists


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.Connection]:
    """Give an engine that all examples share."""
    connection = duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def counted(connection: duckdb.Connection, hits: Sequence[NaiveHit]) -> ibis.Table:
    """Classify hits with the engine."""
    table = connection.create_table("naive_hits", naive.table(hits), temp=True, overwrite=True)
    return classified(table, Rules())


TWO_EMPTY = [NaiveHit("1", START, 1, 2), NaiveHit("2", START, 4, 2), NaiveHit("3", START, 4, 3)]
HEAD_FIRST = [NaiveHit("1", START, 1, 1, flags="h"), NaiveHit("2", START, 1, 1)]
A_PERIOD_APART = [NaiveHit("1", START, 1, 1), NaiveHit("2", START + timedelta(minutes=1), 1, 1)]
ORDERS = [
    NaiveHit("1", START, 1, naive.ORDER, amount=0.1, article=2),
    NaiveHit("2", START, 1, naive.ORDER, amount=0.2),
    NaiveHit("3", START, 1, 6, amount=7.0, article=7),
    NaiveHit("4", START, 1, naive.ORDER, flags="h", amount=9.0, article=9),
]
SAME_MOMENT = [NaiveHit("2", START, 1, 1), NaiveHit("1", START, 1, 1)]


@settings(max_examples=examples(30), deadline=None)
@given(hits=hit_lists())
@example(hits=HEAD_FIRST)
@example(hits=SAME_MOMENT)
@example(hits=A_PERIOD_APART)
@example(hits=[])
def test_every_hit_gets_the_verdict_of_the_plain_rules(
    connection: duckdb.Connection, hits: list[NaiveHit]
) -> None:
    """The engine classifies as going through the hits by hand does, in whatever order they came.

    Mutants killed: a repeat up to and including the period; HEAD, unverified and seed opens that
    make others repeats; the order of time without the log id.
    """
    found = {
        row["log_id"]: (row["verdict"], row["rule"], row["counted"])
        for row in counted(connection, hits).to_pyarrow().to_pylist()
    }

    assert naive.classify(hits) == found


@settings(max_examples=examples(30), deadline=None)
@given(hits=hit_lists())
@example(hits=TWO_EMPTY)
@example(hits=ORDERS)
@example(hits=[])
def test_every_measure_is_that_of_the_plain_reference(
    connection: duckdb.Connection, hits: list[NaiveHit]
) -> None:
    """All measures of a delivery, from one expression, equal those counted by hand.

    Mutants killed: an empty source id as one person for everybody, and as nobody; hits that do not
    count in a measure; recipients who clicked by hits of any type; money added up as floats;
    amounts of visited pages among those of transactions.
    """
    expected = {
        delivery: naive.measures([hit for hit in hits if hit.delivery_id == delivery], MEASURES)
        for delivery in {hit.delivery_id for hit in hits}
    }

    found = {
        row.pop("delivery_id"): row
        for row in aggregate(counted(connection, hits)).to_pyarrow().to_pylist()
    }

    assert expected == found


@settings(max_examples=examples(15), deadline=None)
@given(hits=hit_lists())
@example(hits=ORDERS)
def test_the_list_behind_a_figure_is_as_long_as_the_figure(
    connection: duckdb.Connection, hits: list[NaiveHit]
) -> None:
    """Per domain, the rows of every measure are as many as the aggregate says, or add up to it.

    Mutants killed: rows of hits that do not count; keys without the group; a sum over all visits.
    """
    log = counted(connection, hits)
    by = ("delivery_id", "domain")
    figures = aggregate(log, by=by).to_pyarrow().to_pylist()

    lists = {
        name: rows(log, measure, by=by).to_pyarrow().to_pylist()
        for name, measure in MEASURES.items()
    }

    for figure in figures:
        for name, measure in MEASURES.items():
            behind = [row for row in lists[name] if all(row[key] == figure[key] for key in by)]
            if measure.summed is None:
                assert figure[name] == len(behind), name
            else:
                brought = [Decimal(str(row[name])) for row in behind if row[name] is not None]
                assert figure[name] == float(sum(brought)), name
                assert figure["transaction"] == len(behind), name


def test_a_row_behind_a_distinct_figure_tells_first_last_and_count(
    connection: duckdb.Connection,
) -> None:
    """One person's row says which message, when first, when last and how often."""
    hits = [NaiveHit(str(n), START.replace(second=n), 1, 2, "browser-1") for n in (3, 1, 2)]

    [row] = rows(counted(connection, hits), MEASURES["person_click"]).to_pyarrow().to_pylist()

    assert {
        "delivery_id": 2,
        "key": "browser-1",
        "message_id": 1,
        "recipient_id": 101,
        "first_at": START.replace(second=1),
        "last_at": START.replace(second=3),
        "count": 3,
    } == row


def test_all_hits_can_be_shown_but_never_those_of_seeds(connection: duckdb.Connection) -> None:
    """Letting everything count counts machines, suspects and repeats, not test addresses."""
    hits = [
        NaiveHit("1", START, 1, 1),
        NaiveHit("2", START, 1, 1),
        NaiveHit("3", START, 1, 2, flags="h"),
        NaiveHit("4", START, 4, 2, flags="u"),
        NaiveHit("5", START, naive.SEED, 2),
    ]

    log = with_all_hits(counted(connection, hits))
    [figures] = aggregate(log, by=()).to_pyarrow().to_pylist()

    assert (2, 2) == (figures["total_recipient_open"], figures["total_recipient_click"])


def test_a_sum_beyond_all_numbers_stays_at_the_last(connection: duckdb.Connection) -> None:
    """Whoever sends a tag absurd numbers of items stops no consolidation.

    Killed by: casting the sum to 63 bits as it is.
    """
    hits = [replace(ORDERS[0], log_id=str(n), article=2**62) for n in range(3)]

    [figures] = aggregate(counted(connection, hits)).to_pyarrow().to_pylist()

    assert 2**63 - 1 == figures["article"]


def test_a_period_of_zero_makes_no_open_a_repeat(connection: duckdb.Connection) -> None:
    """Deduplication can be switched off."""
    log = connection.create_table("naive_hits", naive.table(SAME_MOMENT), temp=True, overwrite=True)

    [figures] = aggregate(counted_log(log, Rules(open_repeat_s=0))).to_pyarrow().to_pylist()

    assert 2 == figures["total_recipient_open"]


def test_without_groups_there_is_one_row_even_of_nothing(connection: duckdb.Connection) -> None:
    """The total of no hits is zero, not nothing."""
    figures = aggregate(counted(connection, []), by=()).to_pyarrow().to_pylist()

    assert [dict.fromkeys(MEASURES, 0)] == figures
