"""The report Tracking indicators, from stores to figures."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.audience.worked_example import worked_example
from aftersend.database import workflows
from aftersend.errors import NotFound
from aftersend.lake.measure import MEASURES
from aftersend.model.enumeration import DeliveryState, FailureReason
from aftersend.model.ids import DeliveryId
from aftersend.model.run import Counts
from aftersend.reports import render
from aftersend.reports.behind import COUNTED, Page, behind
from aftersend.reports.deliveries import summaries, summary
from aftersend.reports.indicator import INDICATORS, Box
from aftersend.reports.report import Report
from aftersend.reports.scope import Scope
from aftersend.reports.tracking_indicators import report
from tests.support.crowds import (
    MIRROR,
    NEWS,
    NOBODY,
    OPEN,
    OPT_OUT,
    ORDER,
    PAGE,
    SHOP,
    START,
    Hit,
    Sent,
    World,
)
from tests.support.crowds import make_world as make
from tests.support.effort import examples

_GOLDEN = Path(__file__).parents[2] / "golden" / "reports"
_PEOPLE = ["a@gmail.com", "b@aol.de", "c@example.com", "d@example.org", "e@example.com"]
_ALL = Page(limit=None)


def _values(found: Report) -> dict[str, float | None]:
    return {name: figure.value for name, figure in found.indicators.items()}


def _play_worked_example(world: World) -> Sent:
    example = worked_example()
    sent = world.send(list(example.recipients))
    hits: list[Hit] = []
    for event in example.events:
        who = example.recipients.index(event["who"])
        for turn in range(event.get("times", 1)):
            # Two links within a second are a burst.
            second = 60 * event["minute"] + 5 * turn
            source = "" if event["browser"] == "image" else event["browser"]
            if source == "refuses cookies":
                source = f"new-{len(hits)}"
            what = OPEN if event["type"] == "open" else (SHOP, NEWS)[turn % 2]
            hits.append(Hit(who, what, second, source))
    world.hit(sent, hits)
    return sent


@pytest.mark.parametrize("is_all_hits", [False, True])
def test_the_worked_example_gives_the_published_figures(world: World, is_all_hits: bool) -> None:
    """John, Marie, Florian and Henry come out as published, consolidated and live alike."""
    sent = _play_worked_example(world)
    world.consolidate()
    found = report(world.database, world.lake, Scope([sent.id], is_all_hits=is_all_hits))

    for expected in worked_example().expected:
        figure = found.indicators[expected.name]
        assert figure.value == expected.value, expected.name
        if expected.rate is not None:
            assert figure.rate == expected.rate, expected.name


def test_the_worked_example_gives_the_published_domain_table(world: World) -> None:
    """All four are Others: sent 4, opens 3, clicks 2; so is the total."""
    sent = _play_worked_example(world)
    world.consolidate()
    rows = report(world.database, world.lake, Scope([sent.id])).tables["domains"].rows

    for row, name in zip(rows, ("Others", "Total"), strict=True):
        assert row == {
            "domain": name,
            "sent": 4,
            "sent_rate": 1.0,
            "complaints": 0,
            "complaints_rate": 0.0,
            "recipient_open": 3,
            "recipient_open_rate": 0.75,
            "recipient_click": 2,
            "recipient_click_rate": 0.5,
            "raw_reactivity": pytest.approx(2 / 3),
        }


@pytest.mark.parametrize(("name", "spell"), [("json", render.to_json), ("csv", render.to_csv)])
def test_the_report_is_spelled_as_ever(world: World, name: str, spell: object) -> None:
    """The worked example in JSON and CSV is, byte for byte, what scripts rely on."""
    sent = _play_worked_example(world)
    world.consolidate()
    assert callable(spell)
    text = spell(report(world.database, world.lake, Scope([sent.id])))

    assert text.encode() == (_GOLDEN / f"worked_example.{name}").read_bytes()


def test_people_are_counted_as_others_have_failed_to(world: World) -> None:
    """Repeats, two links, images off, seeds, HEAD and forgeries (field lessons D1 to D6)."""
    sent = world.send([*_PEOPLE, "seed@example.com"], seeds=[5])
    world.hit(
        sent,
        [
            Hit(0, SHOP, 0, "browser-a"),
            Hit(0, SHOP, 5, "browser-a"),  # D1: the same link twice
            Hit(0, NEWS, 9, "browser-a"),  # D2: another link
            Hit(1, OPEN, 0),
            Hit(1, OPEN, 100),
            Hit(1, OPEN, 200),  # D3: three openings of one message
            Hit(2, SHOP, 0, "browser-c"),  # D4: a click without images
            Hit(3, SHOP, 0, "probe", flags="h"),  # a HEAD request
            Hit(4, SHOP, 0, "forger", flags="u"),  # a forged link
            Hit(5, OPEN, 0),  # D6: a seed address
            Hit(5, SHOP, 0, "seed"),
            Hit(2, OPT_OUT, 50, "browser-c"),
            Hit(2, MIRROR, 60, "browser-c"),
        ],
    )
    world.consolidate()
    found = _values(report(world.database, world.lake, Scope([sent.id])))

    assert found == {
        "to_deliver": 5,
        "success": 5,
        "error": 0,
        "estimated_recipient_open": 3,
        "estimated_total_recipient_open": 3,
        "opt_out": 1,
        "mirror_page": 1,
        "forward": 0,
        "recipient_open": 3,
        "total_recipient_open": 3,
        "person_click": 2,
        "total_recipient_click": 4,
        "recipient_click": 2,
        "raw_reactivity": pytest.approx(2 / 3),
        "estimated_reactivity": pytest.approx(2 / 3),
        "total_web_page": 0,
        "transaction": 0,
        "amount": 0,
        "article": 0,
        "average_amount": None,
        "average_article": None,
        "amount_per_message": 0,
    }


def test_web_visits_and_transactions_are_counted(world: World) -> None:
    """Visits, transactions, money and items of people; nobody's visit has no email domain.

    Of people who got a message a visit proves an opening, as any other hit does.
    """
    sent = world.send([*_PEOPLE, "seed@example.com"], seeds=[5])
    world.hit(
        sent,
        [
            Hit(0, PAGE, 0, "browser-a"),
            Hit(0, ORDER, 9, "browser-a", amount=0.1, article=2),
            Hit(NOBODY, PAGE, 5, "browser-b"),
            Hit(NOBODY, ORDER, 6, "browser-b", amount=0.2),
            Hit(1, ORDER, 7, "browser-c", article=1, has_message=False),
            Hit(1, ORDER, 8, "robot", flags="h", amount=99.0, article=9),
            Hit(5, ORDER, 9, "seed", amount=50.0, article=5),
        ],
    )
    world.consolidate()
    scope = Scope([sent.id])
    found = report(world.database, world.lake, scope)
    values = _values(found)

    names = [one.name for one in INDICATORS if one.box is Box.WEB]
    assert {name: values[name] for name in names} == {
        "total_web_page": 5,
        "transaction": 3,
        "amount": 0.3,
        "article": 3,
        "average_amount": pytest.approx(0.1),
        "average_article": 1,
        "amount_per_message": pytest.approx(0.06),
    }
    assert (values["recipient_open"], values["recipient_click"]) == (1, 0)
    assert "Others" in [row["domain"] for row in found.tables["domains"].rows]
    assert found == report(world.database, world.lake, Scope([sent.id], since=START))


def test_visits_of_nobody_make_no_domain(world: World) -> None:
    """A delivery to Gmail alone has no row of others, whoever visited pages."""
    sent = world.send(["a@gmail.com"])
    world.hit(sent, [Hit(NOBODY, PAGE, 0, "browser")])
    world.consolidate()

    for scope in (Scope([sent.id]), Scope([sent.id], since=START)):
        rows = report(world.database, world.lake, scope).tables["domains"].rows
        assert [row["domain"] for row in rows] == ["Gmail", "Total"]


def test_all_hits_count_machines_but_no_seeds(world: World) -> None:
    """Asked for all hits, HEAD, forgeries and repeats count as well; seed addresses never do."""
    sent = world.send([*_PEOPLE, "seed@example.com"], seeds=[5])
    hits = [Hit(0, OPEN, 0), Hit(0, OPEN, 1), Hit(1, SHOP, 0, "x", "h"), Hit(5, SHOP, 0, "seed")]
    world.hit(sent, hits)
    world.consolidate()
    humans = _values(report(world.database, world.lake, Scope([sent.id])))
    everyone = _values(report(world.database, world.lake, Scope([sent.id], is_all_hits=True)))

    names = ("recipient_open", "total_recipient_open", "total_recipient_click")
    assert [humans[name] for name in names] == [1, 1, 0]
    assert [everyone[name] for name in names] == [2, 2, 1]


def test_several_deliveries_are_summed_before_ratios_are_made(world: World) -> None:
    """1 of 1 and 0 of 4 openers make a rate of 1/5; people are counted per delivery."""
    first = world.send(["a@gmail.com"])
    second = world.send(_PEOPLE[1:])
    world.hit(first, [Hit(0, SHOP, 0, "shared")])
    world.hit(second, [Hit(0, SHOP, 0, "shared")])
    world.consolidate()
    found = report(world.database, world.lake, Scope([second.id, first.id]))

    assert found.indicators["recipient_open"].rate == 2 / 5
    assert found.indicators["person_click"].value == 2
    assert report(world.database, world.lake, Scope()) == found


def test_a_delivery_without_tracking_says_so(world: World) -> None:
    """What was sent is told; opens and clicks are none, and no table is there."""
    sent = world.send(_PEOPLE, is_tracked=False)
    world.consolidate()
    found = report(world.database, world.lake, Scope([sent.id], is_all_hits=True))

    known = {name: value for name, value in _values(found).items() if value is not None}
    assert known == {"to_deliver": 5, "success": 5, "error": 0}
    assert found.tables == {}
    assert found.notes == ("Tracking is off: there are no opens and clicks to count.",)


def test_deliveries_without_tracking_do_not_lower_rates(world: World) -> None:
    """One of two deliveries is tracked: its opens are a share of its own success (D8)."""
    tracked = world.send(_PEOPLE)
    world.send(_PEOPLE, is_tracked=False)
    world.hit(tracked, [Hit(0, OPEN, 0)])
    world.consolidate()
    found = report(world.database, world.lake, Scope())

    assert found.indicators["success"].value == 10
    assert found.indicators["recipient_open"].rate == 1 / 5
    assert found.tables["domains"].rows[-1]["sent"] == 5
    assert found.notes == (
        "1 delivery has tracking off and no part in the rates of opens and clicks.",
    )


def test_a_period_counts_the_hits_in_it(world: World) -> None:
    """From the first moment on and before the last; what came before still makes a repeat."""
    sent = world.send(_PEOPLE)
    world.hit(sent, [Hit(0, OPEN, 0), Hit(0, OPEN, 30), Hit(1, OPEN, 60), Hit(2, OPEN, 90)])
    since, until = START + timedelta(seconds=30), START + timedelta(seconds=90)
    scope = Scope([sent.id], since=since, until=until)
    found = report(world.database, world.lake, scope)

    assert found.indicators["total_recipient_open"].value == 1
    assert found.indicators["to_deliver"].value == 5


def test_without_names_a_period_chooses_the_deliveries_begun_in_it(world: World) -> None:
    """A report of a day is about the deliveries of that day."""
    world.send(_PEOPLE)
    world.clock.advance(86_400)
    world.send(_PEOPLE[:2])
    world.send(_PEOPLE, contact_at=None, state=DeliveryState.BEING_EDITED)
    since = START + timedelta(days=1)
    found = report(world.database, world.lake, Scope(since=since))
    before = report(world.database, world.lake, Scope(until=since))

    assert found.indicators["to_deliver"].value == 2
    assert before.indicators["to_deliver"].value == 5


def test_an_unknown_delivery_is_not_found(world: World) -> None:
    """A report about nothing is an error, not zeros."""
    with pytest.raises(NotFound, match=r"^There is no delivery 7\.$"):
        report(world.database, world.lake, Scope([DeliveryId(7)]))


def test_before_any_consolidation_there_are_zeros_and_no_date(world: World) -> None:
    """Right after sending the table is there already; nobody has opened as far as is known."""
    sent = world.send(_PEOPLE, failed={4: FailureReason.DENYLISTED})
    found = report(world.database, world.lake, Scope([sent.id]))

    assert found.as_of is None
    assert _values(found)["recipient_open"] == 0
    assert [(row["domain"], row["sent"]) for row in found.tables["domains"].rows] == [
        ("AOL", 1),
        ("Gmail", 1),
        ("Others", 2),
        ("Total", 4),
    ]
    assert found.tables["domains"].rows[-1]["complaints"] == 1


def test_domains_add_up_to_success_while_messages_still_leave(world: World) -> None:
    """What was sent after the last consolidation is in the table as it is in Success."""
    sent = world.send(_PEOPLE[:2], state=DeliveryState.IN_PROGRESS)
    world.consolidate()
    world.clock.advance(60)
    with world.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE message SET status = 2 WHERE address = 'b@aol.de'",
        )
        connection.exec_driver_sql("UPDATE delivery SET success = 1, error = 1")
    found = report(world.database, world.lake, Scope([sent.id]))

    total = found.tables["domains"].rows[-1]["sent"]
    assert total == found.indicators["success"].value == 1


def test_as_of_is_when_the_last_finished_run_began(world: World) -> None:
    """Every hit collected by then is in the figures; a later run that failed promises nothing."""
    sent = world.send(_PEOPLE)
    world.consolidate()
    computed_at = report(world.database, world.lake, Scope([sent.id])).as_of
    began = START + timedelta(hours=1)
    with world.database.write() as connection:
        workflows.add(
            connection, name="tracking", label="Tracking", schedule="0 * * * *", next_at=began
        )
        for hour, state in ((0, workflows.FINISHED), (1, workflows.FAILED)):
            at = began + timedelta(hours=hour)
            run_id = workflows.open_run(connection, "tracking", at)
            later = at + timedelta(minutes=5)
            run = workflows.Run(run_id, "tracking", at, later, state, Counts(), 300.0, "")
            workflows.close_run(connection, run)

    assert computed_at == START + timedelta(seconds=1)
    assert report(world.database, world.lake, Scope([sent.id])).as_of == began
    assert summary(world.database, sent.id).as_of == began


_common: Any = {
    "second": st.integers(0, 300).map(float),
    "source_id": st.sampled_from(["", "one", "two", "three"]),
    "flags": st.sampled_from(["0", "0", "0", "u", "h", "x"]),
}
_hits = st.builds(Hit, who=st.integers(0, 4), what=st.integers(0, 4), **_common) | st.builds(
    Hit,
    who=st.integers(NOBODY, 4),
    what=st.sampled_from([PAGE, ORDER, ORDER]),
    amount=st.sampled_from([None, 0.1, 0.2, 19.99, -19.99]),
    article=st.sampled_from([None, 1, 3]),
    has_message=st.booleans(),
    **_common,
)


def _exact(values: Iterable[float | None]) -> float:
    return float(sum(Decimal(str(value)) for value in values if value is not None))


@settings(max_examples=examples(5), deadline=None)
@given(st.lists(st.lists(_hits, max_size=25), min_size=1, max_size=3))
@example([[Hit(0, SHOP, 0, "one")], [Hit(1, SHOP, 0, "one")]])
@example([[Hit(0, OPEN, 0), Hit(0, OPEN, 9)]])
@example([[Hit(0, ORDER, 0, "a", amount=0.1)], [Hit(0, ORDER, 0, "a", amount=0.2, article=2)]])
def test_every_place_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, crowd: list[list[Hit]]
) -> None:
    """Whatever happened: report, live count, list, and the rows behind each figure agree (D7).

    The list behind a sum adds up to it, all others are as long as their figures.

    Killed by: listing people over all deliveries at once instead of per delivery; counting repeats
    in the live figures; money of deliveries added up as floats.
    """
    world = make(tmp_path_factory.mktemp("world"), empty_database)
    sent = [world.send([*_PEOPLE, "seed@example.com"], seeds=[5]) for _ in crowd]
    for one, hits in zip(sent, crowd, strict=True):
        world.hit(one, hits)
    world.consolidate()
    scope = Scope([one.id for one in sent])
    found = report(world.database, world.lake, scope)
    live = report(world.database, world.lake, Scope(scope.deliveries, since=START))
    listed = summaries(world.database)
    rows = {name: behind(world.database, world.lake, name, scope, page=_ALL) for name in COUNTED}

    assert live == found
    for name in COUNTED:
        value, behind_it = found.indicators[name].value, rows[name]
        assert _exact(one.indicators[name].value for one in listed) == value
        assert behind_it.value == value, name
        assert behind_it.total == len(behind_it.rows), name
        if name in ("amount", "article"):
            assert _exact(getattr(row, name) for row in behind_it.rows) == value, name
            assert behind_it.total == found.indicators["transaction"].value
        else:
            assert behind_it.total == value, name
    total = found.tables["domains"].rows[-1]
    for name in ("recipient_open", "recipient_click"):
        assert total[name] == found.indicators[name].value
    assert set(MEASURES) <= set(COUNTED)
