"""Attributing web visits: to whom, when, and that only they change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.errors import Transient
from aftersend.lake.rewrite import Rewriting
from aftersend.model.enumeration import WebTrackingMode
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.tracking.attribute import attribute
from aftersend.tracking.consolidate import consolidate
from aftersend.tracking.load import load
from tests.support import naive
from tests.support.effort import examples
from tests.support.naive import NaiveHit
from tests.support.tracking import Visit, World, keep_lines, make_visited_world, make_world

AT = naive.START
DAY = timedelta(days=1)
HOME = "tagid=home%7Cw"
ORDER = "tagid=order%7Ct&amount=19.99&article=2"
VIRTUAL = 4
Row = tuple[int, int, int, str]


def click(message: int, at: Any, source: str = "browser", flags: str = "0") -> NaiveHit:
    """Make a click on a link of a message."""
    return NaiveHit("", at, message, 2, source, flags)


def load_lines(world: World, *entries: Visit | NaiveHit, server: str = "1") -> None:
    """Load lines behind those of the server that are loaded already."""
    keep_lines(world, server, entries, world.lake.pointer(ServerId(server)) + 1)
    load(world.context([]))


def rows(world: World) -> list[Row]:
    """List delivery, message, recipient and flags of the visits, in the order of their lines."""
    ids = ("delivery_id", "message_id", "recipient_id", "flags")
    return [tuple(row[name] for name in ids) for row in world.hits() if row["url_type"] in (4, 5)]


@pytest.mark.parametrize(
    ("mode", "delivery"),
    [
        ("anonymous-last", 2),
        ("anonymous-forced", 2),
        ("permanent-last", 2),
        ("permanent-forced", 2),
    ],
)
def test_a_purchase_the_next_day_is_credited_to_yesterdays_email(
    tmp_path: Path, mode: str, delivery: int
) -> None:
    """With its amount and items in the figures of that delivery, and none left elsewhere."""
    world = make_visited_world(tmp_path, mode)
    load_lines(world, click(1, AT))
    consolidate(world.context([]))
    load_lines(world, Visit(AT + DAY, ORDER, "browser"))

    report = attribute(world.context([]))
    consolidate(world.context([]))

    assert "Attributed 1 web visits." == report.text
    assert [(delivery, 1, 101, "a")] == rows(world)
    figures = {row.delivery_id: row for row in world.state()["delivery_indicator"]}
    assert (1, 1, 19.99, 2) == (
        figures[delivery].total_web_page,
        figures[delivery].transaction,
        figures[delivery].amount,
        figures[delivery].article,
    )
    assert 0 == figures[VIRTUAL].transaction


def test_a_jobid_holds_in_forced_mode_only(tmp_path: Path) -> None:
    """Forced: the delivery that the tag named stays, whoever it was; last: that of the click."""
    found = {}
    for mode in ("anonymous-forced", "anonymous-last"):
        world = make_visited_world(tmp_path / mode, mode)
        load_lines(world, click(1, AT), Visit(AT, HOME, "browser", 0, 3))
        attribute(world.context([]))
        load_lines(world, click(3, AT - DAY), click(2, AT))
        attribute(world.context([]))
        found[mode] = rows(world)

    assert {"anonymous-forced": [(3, 2, 102, "da")], "anonymous-last": [(3, 2, 102, "da")]} == found


def test_what_a_browser_did_before_it_was_known_becomes_somebodys(tmp_path: Path) -> None:
    """Anonymous: the first click of the browser, days later, credits all it did before.

    Mutants killed: only visits after the click; only the newest lines; the latest click instead of
    the earliest.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, Visit(AT - 3 * DAY, HOME, "browser"), Visit(AT, HOME, "other"))
    attribute(world.context([]))
    load_lines(world, Visit(AT - DAY, ORDER, "browser"))
    attribute(world.context([]))
    before = rows(world)

    load_lines(world, click(1, AT), click(2, AT + DAY))
    attribute(world.context([]))

    assert [(VIRTUAL, 0, 0, "0")] * 3 == before
    mine, nobodys = (2, 1, 101, "a"), (VIRTUAL, 0, 0, "0")
    assert [mine, nobodys, mine] == rows(world)


def test_each_visit_is_that_of_the_click_before_it(tmp_path: Path) -> None:
    """Two people at one browser: each visit belongs to who clicked last, until then.

    At the same moment the click comes first; of two clicks the one with the higher log id is the
    later.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(
        world,
        *(Visit(AT + timedelta(minutes=minute), HOME, "browser") for minute in (0, 1, 2, 3, 4)),
        click(1, AT + timedelta(minutes=1)),
        click(5, AT + timedelta(minutes=3)),
        click(2, AT + timedelta(minutes=3)),
    )

    attribute(world.context([]))

    assert [1, 1, 1, 2, 2] == [row[1] for row in rows(world)]


def test_a_late_line_moves_a_visit_to_whom_it_belongs(tmp_path: Path) -> None:
    """Figures of the delivery that loses it are replaced too.

    Mutant killed: only new deliveries named as touched.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, click(1, AT), Visit(AT + DAY, ORDER, "browser"))
    attribute(world.context([]))
    consolidate(world.context([]))
    before = [row.delivery_id for row in world.state()["delivery_indicator"] if row.transaction]

    load_lines(world, click(2, AT + DAY / 2), server="2")
    attribute(world.context([]))
    consolidate(world.context([]))

    after = [row.delivery_id for row in world.state()["delivery_indicator"] if row.transaction]
    assert ([2], [3]) == (before, after)
    assert [(3, 2, 102, "a")] == rows(world)


@pytest.mark.parametrize("flags", ["u", "h", "uh"])
def test_who_forges_a_link_identifies_nobody(tmp_path: Path, flags: str) -> None:
    """Nor does a HEAD request; nor a visit that was attributed itself."""
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, click(1, AT, flags=flags), Visit(AT + DAY, HOME, "browser"))

    attribute(world.context([]))

    assert [(VIRTUAL, 0, 0, "0")] == rows(world)


def test_who_told_who_they_are_is_believed(tmp_path: Path) -> None:
    """A recipient named by the page keeps a visit, though it got no message of the delivery."""
    world = make_visited_world(tmp_path, "anonymous-last")
    named = f"{HOME}&rcpid=email%3Dperson5%40example1.com"
    load_lines(world, click(1, AT), Visit(AT + DAY, named, "browser"))

    attribute(world.context([]))

    assert [(VIRTUAL, 0, 105, "0")] == rows(world)


def test_visits_of_a_tester_do_not_count(tmp_path: Path) -> None:
    """The seed's message makes the visit a seed's."""
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, click(naive.SEED, AT), Visit(AT + DAY, ORDER, "browser"))
    attribute(world.context([]))
    consolidate(world.context([]))

    figures = world.state()["delivery_indicator"]
    assert [(1, naive.SEED, 0, "a")] == rows(world)
    assert [0] * len(figures) == [row.transaction for row in figures]


def test_nothing_new_is_no_commit(tmp_path: Path) -> None:
    """Doing it again changes nothing, and new hits of others change nothing but the pointer."""
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, click(1, AT), Visit(AT + DAY, ORDER, "browser"))
    attribute(world.context([]))
    before = (world.lake.version, world.lake.files().paths)

    again = attribute(world.context([]))

    assert "Attributed 0 web visits." == again.text
    assert before == (world.lake.version, world.lake.files().paths)
    load_lines(world, click(2, AT, "other"))
    attribute(world.context([]))
    assert set(before[1]) < set(world.lake.files().paths)


def test_only_files_that_change_are_written_anew(tmp_path: Path) -> None:
    """Rows beside stay what they were; so do pointers; files are found by their new deliveries.

    Mutants killed: the old file left in; statistics of the old file kept; rows left out of order.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, *(click(number, AT, "") for number in (9, 5, 7)))
    load_lines(
        world, click(6, AT, ""), Visit(AT, HOME, "x"), Visit(AT, ORDER, "browser"), click(4, AT, "")
    )
    paths, hits = set(world.lake.files().paths), world.hits()
    load_lines(world, click(8, AT + DAY), server="2")

    attribute(world.context([]))

    changed = {"delivery_id": 3, "message_id": 8, "recipient_id": 108, "flags": "a"}
    changed |= {"domain": "example0.com"}
    expected = [row | changed if row["source_id"] == "browser" else row for row in hits]
    assert expected == [row for row in world.hits() if row["log_id"][0] == "1"]
    assert (7, 1) == (world.lake.pointer(ServerId("1")), world.lake.pointer(ServerId("2")))
    assert 1 == len(paths - set(world.lake.files().paths))
    [new] = set(world.lake.files([DeliveryId(3)]).paths) - paths - _of_day(world, AT + DAY)
    table = world.lake.hits.load()
    deliveries = world.lake.hits.read(table, "/".join(new.split("/")[-2:]))["delivery_id"]
    assert [1, 2, 3, 4] == deliveries.to_pylist()


def test_who_comes_second_begins_again(tmp_path: Path) -> None:
    """Two runs that attribute at once: each visit is there once, as if one had done it."""
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, click(1, AT), Visit(AT + DAY, ORDER, "browser"))
    other = make_world(tmp_path, "anonymous-last")

    def overtake(point: str) -> None:
        if point == "attribute:written" and not any(row[3] == "a" for row in rows(other)):
            attribute(other.context([]))

    report = attribute(world.context([], overtake))

    assert "Attributed 0 web visits." == report.text
    assert [(2, 1, 101, "a")] == rows(world)


def test_who_is_always_overtaken_says_so(tmp_path: Path) -> None:
    """The tries are bounded; a later run goes on."""
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, Visit(AT, ORDER, "browser"))
    other = make_world(tmp_path, "anonymous-last")

    def overtake(point: str) -> None:
        if point == "attribute:written":
            Rewriting.begin(other.lake, "attribution-anonymous-last").commit([])
            load_lines(other, click(1, AT))

    with pytest.raises(Transient):
        attribute(world.context([], overtake))


def test_another_mode_looks_at_everything_again(tmp_path: Path) -> None:
    """What one mode left alone another one attributes, without new lines."""
    world = make_visited_world(tmp_path, "anonymous-forced")
    load_lines(world, click(1, AT), Visit(AT, HOME, "browser", 0, 3))
    attribute(world.context([]))
    forced = rows(world)
    last = make_world(tmp_path, "anonymous-last")

    attribute(last.context([]))

    assert ([(3, 1, 101, "da")], [(2, 1, 101, "da")]) == (forced, rows(last))


def test_permanent_mode_looks_back_alone(tmp_path: Path) -> None:
    """Visits that anonymous mode kept stay nobody's when the browser clicks afterwards.

    Mutant killed: the earliest click after a visit taken in all modes.
    """
    world = make_visited_world(tmp_path, "anonymous-last")
    load_lines(world, Visit(AT, HOME, "browser"))
    permanent = make_world(tmp_path, "permanent-last")
    load_lines(permanent, click(1, AT + DAY), Visit(AT + 2 * DAY, HOME, "browser"))

    attribute(permanent.context([]))

    assert [(VIRTUAL, 0, 0, "0"), (2, 1, 101, "a")] == rows(permanent)


@dataclass(frozen=True)
class Line:
    """One line of the property: where it came from, and what it says."""

    server: str
    entry: NaiveHit | Visit

    @property
    def is_visit(self) -> bool:
        """Tell whether it is a web visit."""
        return isinstance(self.entry, Visit)


def naive_rows(lines: Sequence[Line], mode: WebTrackingMode) -> dict[str, Row]:
    """Tell what each visit is to look like, one after the other, without any engine."""
    numbers = {"1": 0, "2": 0}
    named: list[tuple[str, Line]] = []
    for each in lines:
        numbers[each.server] += 1
        named.append((f"{each.server}0x{numbers[each.server]:016X}", each))
    told = [
        (each.entry.at, log_id, each.entry)
        for log_id, each in named
        if each.entry.message_id and each.entry.source_id and not set("uh") & set(each.entry.flags)
    ]
    result: dict[str, Row] = {}
    for log_id, each in named:
        if not each.is_visit:
            continue
        entry, flags = each.entry, each.entry.flags
        delivery, message = entry.delivery_id or VIRTUAL, entry.message_id
        if not message:
            flags = f"{flags}d".replace("0", "") if entry.delivery_id else flags
            of_source = sorted(hit for hit in told if hit[2].source_id == entry.source_id)
            before = [hit for hit in of_source if hit[0] <= entry.at]
            after = of_source[:1] if mode.is_anonymous else []
            for hit in before[-1:] or after:
                message = hit[2].message_id
                flags = f"{flags}a".replace("0", "")
                if mode.is_last_delivery or not entry.delivery_id:
                    delivery = hit[2].delivery_id
        recipient = 0 if message in (0, naive.SEED) else 100 + message
        result[log_id] = (delivery, message, recipient, flags)
    return result


@st.composite
def line_lists(draw: st.DrawFn) -> list[Line]:
    """Make clicks and visits of a few browsers, close in time, out of order, on two servers."""
    lines = []
    for _ in range(draw(st.integers(1, 16))):
        at = AT + timedelta(minutes=draw(st.integers(0, 5)))
        source = draw(st.sampled_from(["browser-1", "browser-1", "browser-2", "browser-3"]))
        flags = draw(st.sampled_from(["0", "0", "0", "h"]))
        message = draw(st.sampled_from([1, 2, naive.SEED, 5]))
        entry: NaiveHit | Visit = NaiveHit(
            "", at, message, 2, source, draw(st.sampled_from(["0", "0", "u", "h", "x"]))
        )
        kind = draw(st.sampled_from(["click", "unknown", "unknown", "named", "cookie"]))
        if kind != "click":
            told = message if kind == "cookie" else 0
            delivery = {"unknown": 0, "named": 3, "cookie": naive.MESSAGES[message]}[kind]
            entry = Visit(at, HOME, source, told, delivery, flags)
        lines.append(Line(draw(st.sampled_from("12")), entry))
    return lines


@settings(max_examples=examples(12), deadline=None)
@given(
    lines=line_lists(),
    mode=st.sampled_from(
        ["permanent-forced", "permanent-last", "anonymous-forced", "anonymous-last"]
    ),
    data=st.data(),
)
def test_order_and_repetition_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[Line],
    mode: str,
    data: st.DataObject,
) -> None:
    """However lines spread over batches and runs, visits look as the plain reading says.

    In permanent modes every browser is known at the beginning: who is unknown when a line is
    loaded is rejected then.

    Mutants killed: clicks of HEAD requests believed; attributed visits taken for identified ones;
    the earliest click before a visit instead of the latest; sources of new visits alone looked at,
    not of new clicks; rows of the same moment in the order of their arrival.
    """
    if mode.startswith("permanent"):
        known = (f"browser-{number}" for number in (1, 2, 3))
        lines = [*(Line("1", click(1, AT - DAY, source)) for source in known), *lines]
    world = make_visited_world(tmp_path_factory.mktemp("order"), mode)
    waiting = {server: [each.entry for each in lines if each.server == server] for server in "12"}
    if mode.startswith("permanent"):
        load_lines(world, *waiting["1"][:3])
        waiting["1"] = waiting["1"][3:]
    while any(waiting.values()):
        server = data.draw(st.sampled_from([each for each in "12" if waiting[each]]))
        count = data.draw(st.integers(1, len(waiting[server])))
        load_lines(world, *waiting[server][:count], server=server)
        waiting[server] = waiting[server][count:]
        for _ in range(data.draw(st.integers(0, 2))):
            attribute(world.context([]))
    attribute(world.context([]))

    visits = [row for row in world.hits() if row["url_type"] in (4, 5)]
    ids = ("delivery_id", "message_id", "recipient_id", "flags")
    assert naive_rows(lines, WebTrackingMode(mode)) == {
        row["log_id"]: tuple(row[name] for name in ids) for row in visits
    }
    assert len(lines) == len(world.hits())


def _of_day(world: World, at: Any) -> set[str]:
    return {path for path in world.lake.files().paths if f"day={at.date()}" in path}
