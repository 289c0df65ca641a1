"""What the rules have taken out: by rule, as consolidation wrote it down and as the lake says."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from aftersend.database import schema
from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.counted_log import with_all_hits
from aftersend.lake.machines import Rules, described
from aftersend.lake.measure import MEASURES, aggregate
from aftersend.lake.schema import TRACKING_LOG
from aftersend.model.enumeration import UrlType, Verdict
from aftersend.model.ids import DeliveryId, MessageId, RecipientId, UrlId
from aftersend.reports import funnel, render, tracking_indicators
from aftersend.reports.removed import Removed, removed, removed_hits
from aftersend.reports.report import Report
from aftersend.reports.scope import Scope
from tests.support.crowds import (
    AGENT,
    MIRROR,
    NEWS,
    OPEN,
    ORDER,
    PAGE,
    SHOP,
    START,
    TRAP,
    Hit,
    Sent,
    World,
    hit_row,
)
from tests.support.effort import examples

ADDRESSES = ("ada@a.example", "bob@b.example", "seed@s.example")
SEED = 2
CRAWLER, APPLE, PROXY = 7, 8, 9
RULES = Rules(agents={"crawler": [CRAWLER], "apple-privacy": [APPLE], "proxy": [PROXY]})


def _report(world: World, sent: Sent, **asked: object) -> Report:
    scope = Scope([sent.id], rules=RULES, **asked)  # type: ignore[arg-type] # as the test says
    return tracking_indicators.report(world.database, world.lake, scope)


def _told(report: Report) -> dict[str, tuple[int, int, int]]:
    return {
        str(row["rule"]): (int(row["opens"] or 0), int(row["clicks"] or 0), int(row["others"] or 0))
        for row in report.tables["removed"].rows
    }


def _store(world: World, *rows: tuple[int, str, UrlType, int]) -> None:
    names = ("delivery_id", "rule", "url_type", "hits")
    with world.database.write() as connection:
        connection.execute(
            insert(schema.delivery_rule_stats),
            [dict(zip(names, row, strict=True)) for row in rows],
        )


def test_what_consolidation_wrote_down_is_added_up_by_rule(world: World) -> None:
    """In the order in which rules decide; opens, clicks on links, and everything else."""
    _store(
        world,
        (1, "open-repeat", UrlType.OPEN, 5),
        (1, "head", UrlType.EMAIL_CLICK, 3),
        (2, "head", UrlType.EMAIL_CLICK, 4),
        (2, "head", UrlType.OPT_OUT, 1),
        (2, "head", UrlType.MIRROR_PAGE, 1),
        (3, "head", UrlType.EMAIL_CLICK, 100),
        (2, "probe", UrlType.EMAIL_CLICK, 1),
    )
    with world.database.read() as connection:
        found = removed(connection, [1, 2])  # type: ignore[list-item] # ids are numbers

    assert found == [
        Removed("head", described()["head"].label, Verdict.MACHINE, 0, 7, 2),
        Removed("probe", described()["probe"].label, Verdict.SUSPECT, 0, 1, 0),
        Removed("open-repeat", described()["open-repeat"].label, Verdict.REPEAT, 5, 0, 0),
    ]


def test_a_rule_that_is_no_more_is_told_by_its_name(world: World) -> None:
    """Figures of deliveries whose raw hits are gone are never computed again."""
    _store(world, (1, "moon-phase", UrlType.OPEN, 5))
    with world.database.read() as connection:
        (found,) = removed(connection, [1])  # type: ignore[list-item] # ids are numbers
    assert (found.rule, found.label, found.opens) == ("moon-phase", "moon-phase", 5)


def test_seed_addresses_are_not_among_it(world: World) -> None:
    """They are in no figure, whoever asks for all hits."""
    _store(world, (1, "seed", UrlType.OPEN, 5))
    with world.database.read() as connection:
        assert removed(connection, [1]) == []  # type: ignore[list-item] # ids are numbers


def test_a_report_tells_it_in_every_form(world: World) -> None:
    """As a table of its own in JSON and CSV, with the labels that people read."""
    sent = world.send(ADDRESSES, seeds=[SEED])
    _store(world, (sent.id, "head", UrlType.EMAIL_CLICK, 3))
    report = _report(world, sent)
    row = {
        "rule": "head",
        "label": "HEAD request",
        "verdict": "machine",
        "opens": 0,
        "clicks": 3,
        "others": 0,
    }

    assert render.document(report)["tables"]["removed"] == [row]
    lines = list(csv.reader(io.StringIO(render.to_csv(report))))
    assert list(row) in lines
    assert [str(value) for value in row.values()] in lines


def test_a_period_tells_what_was_taken_out_of_it(world: World) -> None:
    """The hits are read from the lake; what came before decides, but is not counted."""
    sent = world.send(ADDRESSES, seeds=[SEED])
    _store(world, (sent.id, "head", UrlType.EMAIL_CLICK, 1000))
    hits = [Hit(0, OPEN, 0), Hit(0, OPEN, 59), Hit(0, OPEN, 61), Hit(0, SHOP, 99, flags="h")]
    world.hit(sent, hits)

    since = START + timedelta(seconds=60)
    report = _report(world, sent, since=since, until=since + timedelta(seconds=10))

    assert _told(report) == {"open-repeat": (1, 0, 0)}


def test_a_funnel_tells_which_visits_were_taken_out(world: World) -> None:
    """Of its own steps alone."""
    sent = world.send(ADDRESSES)
    world.hit(sent, [Hit(0, PAGE, 0), Hit(0, PAGE, 1, flags="h"), Hit(0, SHOP, 1, flags="h")])
    report = funnel.report(world.database, world.lake, ["home", "order"], Scope([sent.id]))
    assert _told(report) == {"head": (0, 0, 1)}


_hits = st.builds(
    Hit,
    who=st.sampled_from([0, 0, 0, 1, SEED]),
    what=st.sampled_from([OPEN, OPEN, SHOP, NEWS, MIRROR, ORDER, TRAP]),
    second=st.sampled_from([0, 0.5, 1, 1.5, 9, 11, 30, 59, 60, 61, 500]),
    flags=st.sampled_from(["0", "0", "0", "h", "u", "p", "x"]),
    agent_id=st.sampled_from([AGENT, AGENT, 0, CRAWLER, APPLE, PROXY]),
    address=st.sampled_from([None, "192.0.2.1", "40.92.0.1"]),
)


def _rows(hits: list[Hit]) -> ibis.Table:
    """Give hits of three messages as the lake does, the third a seed's."""
    sent = Sent(
        id=DeliveryId(1),
        messages=[MessageId(number) for number in (1, 2, 3)],
        recipients=[RecipientId(number) for number in (1, 2, 3)],
        domains=["a.example"] * 3,
        seeds=frozenset([SEED]),
        urls=[UrlId(number) for number in (2, 3, 4, 5)],
    )
    urls = [UrlId(number) for number in range(1, 9)]
    rows = [hit_row(sent, hit, number, urls) for number, hit in enumerate(hits, 1)]
    return ibis.memtable(pa.Table.from_pylist(rows, schema=TRACKING_LOG))


def _sums(engine: duckdb.Connection, counted: ibis.Table) -> Mapping[str, int]:
    measures = [MEASURES["total_recipient_open"], MEASURES["total_recipient_click"]]
    rows: list[Mapping[str, int]]
    rows = engine.to_pyarrow(aggregate(counted, by=(), measures=measures)).to_pylist()
    return rows[0]


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(_hits, max_size=25))
def test_all_hits_are_people_and_what_was_removed(hits: list[Hit]) -> None:
    """The sums of opens and clicks differ by exactly what the rules have taken out.

    Killed the mutant that counts hits of seed addresses as removed, and the one that gathers all
    hits that are no opens as clicks.
    """
    engine = duckdb.connect(threads=1)
    try:
        log = classified(engine.create_table("hits", _rows(hits)), RULES)
        counted = engine.create_table("counted", log, temp=True)
        told = removed_hits(counted)
        everybody = with_all_hits(counted)
        people, more = _sums(engine, counted), _sums(engine, everybody)
        assert removed_hits(everybody) == told
    finally:
        engine.disconnect()
    opens = more["total_recipient_open"] - people["total_recipient_open"]
    clicks = more["total_recipient_click"] - people["total_recipient_click"]
    assert (opens, clicks) == (sum(one.opens for one in told), sum(one.clicks for one in told))


def test_what_is_written_down_is_what_the_lake_says(world: World) -> None:
    """A report of all time, and one of a period that holds everything, tell the same."""
    sent = world.send(ADDRESSES, seeds=[SEED])
    hits = [Hit(0, OPEN, 0), Hit(0, OPEN, 9), Hit(1, SHOP, 9, flags="h"), Hit(1, MIRROR, 9)]
    hits += [Hit(0, SHOP, 99), Hit(0, NEWS, 99.5), Hit(1, ORDER, 99, agent_id=0)]
    hits += [Hit(SEED, SHOP, 9, flags="h"), Hit(SEED, OPEN, 9), Hit(1, NEWS, 500, flags="p")]
    world.hit(sent, hits)
    world.consolidate()

    written, read = _report(world, sent), _report(world, sent, since=START)

    assert _told(written) == _told(read)
    assert sum(map(sum, _told(read).values())) >= 2


@pytest.mark.parametrize("is_all_hits", [False, True])
def test_a_delivery_without_tracking_has_no_such_table(world: World, is_all_hits: bool) -> None:
    """Nothing was counted, so nothing was taken out."""
    sent = world.send(ADDRESSES, is_tracked=False)
    assert "removed" not in _report(world, sent, is_all_hits=is_all_hits).tables
