"""Examples that others have worked out: the published one, and bugs that others had."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from aftersend.lake import duckdb
from aftersend.lake.classified import classified
from aftersend.lake.machines import Rules
from aftersend.lake.measure import MEASURES, aggregate, rows
from tests.support import naive
from tests.support.naive import START, NaiveHit

DATA = Path(__file__).parents[1] / "data" / "worked-example.json"
MARIE, FLORIAN, HENRY = 2, 5, 8
OPEN, FIRST_LINK, SECOND_LINK = 1, 2, 3


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.Connection]:
    """Give an engine that all tests share."""
    connection = duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def figures(connection: duckdb.Connection, hits: Sequence[NaiveHit]) -> Mapping[str, int]:
    """Compute all measures of one delivery, and see that each list is as long as it says."""
    table = connection.create_table("hits", naive.table(hits), temp=True, overwrite=True)
    log = classified(table, Rules())
    [found] = aggregate(log, by=()).to_pyarrow().to_pylist()
    lengths = {
        name: rows(log, each).count().to_pyarrow().as_py() for name, each in MEASURES.items()
    }
    assert found == lengths
    return {name: int(value) for name, value in found.items()}


def hit(minute: float, message: int, url: int, source: str = "") -> NaiveHit:
    """Make a hit some minutes after the start."""
    at = START + timedelta(minutes=minute)
    return NaiveHit(f"1{minute}{message}{url}{source}", at, message, url, source)


def test_the_published_example_gives_the_published_figures(
    connection: duckdb.Connection,
) -> None:
    """John, Marie, Florian and Henry (spec §7.3): every figure is the published one."""
    example = json.loads(DATA.read_bytes())
    messages = {
        "marie.stuart@example.com": MARIE,
        "florian.david@example.com": FLORIAN,
        "henry.macdonald@example.com": HENRY,
    }
    hits = [
        NaiveHit(
            log_id=f"10x{event['minute']:08X}{time:08X}",
            at=START + timedelta(minutes=event["minute"], seconds=3 * time),
            message_id=messages[event["who"]],
            url_id=OPEN if event["type"] == "open" else FIRST_LINK + time % 2,
            source_id={"image": "", "refuses cookies": f"new-{time}"}.get(
                event["browser"], event["browser"]
            ),
        )
        for event in example["events"]
        for time in range(event.get("times", 1))
    ]

    found = dict(figures(connection, hits))
    found["forward"] = found["person_click"] - found["recipient_click"]
    found["estimated_recipient_open"] = found["recipient_open"]
    found["estimated_total_recipient_open"] = found["total_recipient_open"]

    published = {
        name: expected["value"] for name, expected in example["expected"].items() if name in found
    }
    assert 9 == len(published)
    assert published == {name: found[name] for name in published}


def test_one_recipient_who_clicks_twice_is_one(connection: duckdb.Connection) -> None:
    """Two clicks on one link: clicks 2, recipients 1, people 1 (D1)."""
    found = figures(connection, [hit(0, MARIE, FIRST_LINK, "a"), hit(0.1, MARIE, FIRST_LINK, "a")])

    assert (2, 1, 1) == _clicks(found)


def test_one_person_on_two_links_is_one(connection: duckdb.Connection) -> None:
    """One person, two links: one person clicked (D2)."""
    found = figures(connection, [hit(0, MARIE, FIRST_LINK, "a"), hit(9, MARIE, SECOND_LINK, "a")])

    assert (2, 1, 1) == _clicks(found)


def test_three_opens_are_three_of_one_recipient(connection: duckdb.Connection) -> None:
    """A pixel loaded three times, minutes apart: opens 3, recipients 1 (D3)."""
    found = figures(connection, [hit(minute, MARIE, OPEN) for minute in (0, 2, 4)])

    assert (3, 1) == (found["total_recipient_open"], found["recipient_open"])


def test_a_click_proves_an_open(connection: duckdb.Connection) -> None:
    """With images blocked a clicker counts as a recipient who opened, but opened no pixel (D4)."""
    found = figures(connection, [hit(0, MARIE, FIRST_LINK, "a")])

    assert (0, 1) == (found["total_recipient_open"], found["recipient_open"])


def test_no_more_recipients_open_than_got_the_message(connection: duckdb.Connection) -> None:
    """However often and by whomever three messages are opened, three opened at most (D5)."""
    found = figures(
        connection,
        [
            hit(minute, message, url, f"forwarded-{minute}")
            for minute in range(0, 30, 2)
            for message in (MARIE, FLORIAN, HENRY)
            for url in (OPEN, FIRST_LINK)
        ],
    )

    assert (3, 3, 15) == (
        found["recipient_open"],
        found["recipient_click"],
        found["person_click"],
    )


def _clicks(found: Mapping[str, int]) -> tuple[int, int, int]:
    return found["total_recipient_click"], found["recipient_click"], found["person_click"]
