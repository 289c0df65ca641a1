"""How far people come, against going through each person's hits by hand."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.funnel import people
from aftersend.lake.machines import Rules
from aftersend.model.ids import UrlId
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import START, NaiveHit

STEPS = (UrlId(6), UrlId(2), UrlId(naive.ORDER))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.Connection]:
    """Give an engine that all examples share."""
    connection = duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def _by_hand(hits: Sequence[NaiveHit]) -> dict[str, tuple[int, int]]:
    """Tell of everybody at step 1 how many steps were seen in order, and in any order."""
    verdicts = naive.classify(hits)
    seen: dict[str, list[NaiveHit]] = {}
    for hit in hits:
        if verdicts[hit.log_id][2] and hit.url_id in STEPS:
            seen.setdefault(hit.source_id or f"#{hit.message_id}", []).append(hit)
    result = {}
    for key, mine in seen.items():
        at, count = None, 0
        for step in STEPS:
            times = [hit.at for hit in mine if hit.url_id == step and (at is None or hit.at >= at)]
            if not times:
                break
            at, count = min(times), count + 1
        if count:
            result[key] = (count, len({hit.url_id for hit in mine}))
    return result


_hits = st.lists(
    st.builds(
        NaiveHit,
        log_id=st.integers(0, 10**9).map(str),
        at=st.integers(0, 9).map(lambda second: START + timedelta(seconds=second)),
        message_id=st.sampled_from([1, 2, naive.SEED]),
        url_id=st.sampled_from([*STEPS, *STEPS, 3]),
        source_id=st.sampled_from(["", "browser-1", "browser-2"]),
        flags=st.sampled_from(["0", "0", "0", "h"]),
    ),
    max_size=25,
    unique_by=lambda hit: hit.log_id,
)
BACKWARDS = [NaiveHit(str(n), START + timedelta(seconds=n), 1, STEPS[2 - n], "b") for n in range(3)]
AT_ONCE = [NaiveHit(str(n), START, 1, STEPS[n], "b") for n in range(3)]
TWICE = [*BACKWARDS, NaiveHit("9", START + timedelta(seconds=9), 1, STEPS[1], "b")]


@settings(max_examples=examples(40), deadline=None)
@given(hits=_hits)
@example(hits=BACKWARDS)
@example(hits=AT_ONCE)
@example(hits=TWICE)
@example(hits=[])
def test_everybody_has_come_as_far_as_the_plain_reference_says(
    connection: duckdb.Connection, hits: list[NaiveHit]
) -> None:
    """One row a person who saw the first step, with the steps seen in their order.

    Mutants killed: steps in whatever order; only the first hit on a step; a step strictly after the
    one before; machines and test addresses; everybody without a cookie as one person.
    """
    log = connection.create_table("naive_hits", naive.table(hits), temp=True, overwrite=True)

    rows = people(classified(log, Rules()), STEPS).to_pyarrow().to_pylist()

    assert _by_hand(hits) == {row["key"]: (row["steps"], row["seen"]) for row in rows}
    assert len(rows) == len({row["key"] for row in rows})
