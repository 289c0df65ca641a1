"""Tracking logs as lists."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryKind, UrlType, Verdict
from aftersend.model.ids import DeliveryId, LogId, MessageId
from aftersend.reports import logs
from aftersend.reports.log_query import SORTS, LogPage, LogQuery, LogRow
from aftersend.reports.logs import delivery_logs, recipient_logs
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

_PEOPLE = ["marie@example.com", "henry@example.com", "John@example.com"]


@pytest.fixture
def sent(world: World) -> Sent:
    """Give a delivery with a hit of each kind."""
    sent = world.send([*_PEOPLE, "seed@example.com"], label="Spring", seeds=[3])
    world.hit(
        sent,
        [
            Hit(0, OPEN, 0),
            Hit(0, OPEN, 30),
            Hit(0, SHOP, 40, "browser-1"),
            Hit(1, NEWS, 50, "browser-2"),
            Hit(1, OPT_OUT, 60, "browser-2"),
            Hit(2, MIRROR, 70, "browser-3"),
            Hit(2, SHOP, 80, "forger", flags="u"),
            Hit(2, SHOP, 90, "robot", flags="h"),
            Hit(3, OPEN, 100),
        ],
    )
    return sent


def _list(world: World, sent: Sent, **query: object) -> LogPage:
    return delivery_logs(world.database, world.lake, sent.id, replace(LogQuery(), **query))  # type: ignore[arg-type]


def _numbers(rows: Sequence[LogRow]) -> list[int]:
    return [int(row.log_id[3:], 16) for row in rows]


def test_a_row_says_all_there_is_to_know(world: World, sent: Sent) -> None:
    """A click has its time, link, delivery, recipient, browser and verdict by name."""
    row = _list(world, sent, type=UrlType.EMAIL_CLICK, url="shop", verdict=Verdict.HUMAN).rows[0]

    assert row == LogRow(
        log_id=LogId("10x0000000000000003"),
        at=START + timedelta(seconds=40),
        type=UrlType.EMAIL_CLICK,
        url="https://www.example.com/shop",
        label="Shop",
        delivery="Spring",
        delivery_id=sent.id,
        recipient="marie@example.com",
        source_id="browser-1",
        verdict=Verdict.HUMAN,
        rule="",
        part="h",
        message_id=sent.messages[0],
        recipient_id=sent.recipients[0],
    )


def test_the_newest_come_first_with_their_verdicts(world: World, sent: Sent) -> None:
    """Without being asked, a list goes back in time and shows machines, repeats and seeds, too."""
    page = _list(world, sent)

    assert page.total == 9
    assert [(row.type.slug, row.verdict.value, row.rule) for row in page.rows] == [
        ("open", "human", "seed"),
        ("email_click", "machine", "head"),
        ("email_click", "suspect", "unverified"),
        ("mirror_page", "human", ""),
        ("opt_out", "human", ""),
        ("email_click", "human", ""),
        ("email_click", "human", ""),
        ("open", "repeat", "open-repeat"),
        ("open", "human", ""),
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": UrlType.OPEN}, [9, 2, 1]),
        ({"verdict": Verdict.REPEAT}, [2]),
        ({"url": "SHOP"}, [8, 7, 3]),
        ({"url": "www.example.com/n"}, [4]),
        ({"url": "100%"}, []),
        ({"recipient": "john"}, [8, 7, 6]),
        ({"since": START + timedelta(seconds=60), "until": START + timedelta(seconds=80)}, [6, 5]),
        ({"type": UrlType.OPEN, "since": START + timedelta(seconds=30), "recipient": "m"}, [9, 2]),
    ],
)
def test_lists_are_filtered(
    world: World, sent: Sent, query: dict[str, object], expected: list[int]
) -> None:
    """Filters go together, texts match in any case, and the total counts what is left."""
    page = _list(world, sent, **query)

    assert (_numbers(page.rows), page.total) == (expected, len(expected))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("at", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("type", [3, 4, 7, 8, 6, 1, 2, 9, 5]),
        ("label", [6, 4, 1, 2, 9, 3, 7, 8, 5]),
        ("recipient", [4, 5, 6, 7, 8, 1, 2, 3, 9]),
        ("verdict", [1, 3, 4, 5, 6, 9, 8, 2, 7]),
        ("source_id", [1, 2, 9, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_lists_are_sorted_as_people_read(
    world: World, sent: Sent, sort: str, expected: list[int]
) -> None:
    """Texts sort by what they say, in any case; those alike by log id; downwards is the reverse."""
    up = _list(world, sent, sort=sort, is_descending=False)
    down = _list(world, sent, sort=sort)

    assert _numbers(up.rows) == expected
    assert _numbers(down.rows) == expected[::-1]


def test_a_wrong_sort_is_refused() -> None:
    """An unknown column names the known ones."""
    with pytest.raises(InvalidInput, match=r"^Tracking logs cannot be sorted by size; choose at, "):
        LogQuery(sort="size")


def test_an_unknown_delivery_is_not_found(world: World) -> None:
    """The logs of a delivery that does not exist are an error, not an empty list."""
    with pytest.raises(NotFound):
        delivery_logs(world.database, world.lake, DeliveryId(9), LogQuery())


def test_a_recipient_has_the_logs_of_all_deliveries(world: World, sent: Sent) -> None:
    """The tab of a recipient accumulates, and holds nobody else's hits, nor a seed's."""
    again = world.send(_PEOPLE[:2], label="Autumn")
    world.hit(again, [Hit(0, OPEN, 500), Hit(1, OPEN, 501)])
    page = recipient_logs(world.database, world.lake, sent.recipients[0], LogQuery())
    autumn = recipient_logs(
        world.database, world.lake, sent.recipients[0], LogQuery(delivery="autu")
    )

    assert [(row.delivery, row.label) for row in page.rows] == [
        ("Autumn", "Open"),
        ("Spring", "Shop"),
        ("Spring", "Open"),
        ("Spring", "Open"),
    ]
    assert {row.recipient for row in page.rows} == {"marie@example.com"}
    assert [row.delivery for row in autumn.rows] == ["Autumn"]
    assert page.rows[2].verdict is Verdict.REPEAT


def test_web_visits_are_listed_like_any_hit(world: World, sent: Sent) -> None:
    """Type, label or name of the tag, amount and items; the recipient whom the tag named, or none.

    A recipient is found and sorted by address, with a message or without.
    """
    world.hit(
        sent,
        [
            Hit(0, PAGE, 200, "browser-1"),
            Hit(1, ORDER, 210, "b", amount=19.99, article=2, has_message=False),
            Hit(NOBODY, ORDER, 220, "b"),
        ],
    )
    newest = _list(world, sent, limit=3).rows
    named = _list(world, sent, recipient="HENRY", url="order")
    up = _list(world, sent, sort="recipient", is_descending=False, type=UrlType.TRANSACTION)

    assert [(row.type.slug, row.label, row.recipient) for row in newest] == [
        ("transaction", "order", ""),
        ("transaction", "order", "henry@example.com"),
        ("web", "Home page", "marie@example.com"),
    ]
    assert [(row.amount, row.article) for row in newest] == [(None, None), (19.99, 2), (None, None)]
    assert (newest[1].recipient_id, newest[1].message_id) == (sent.recipients[1], 0)
    assert (_numbers(named.rows), named.total) == ([11], 1)
    assert [row.recipient for row in up.rows] == ["", "henry@example.com"]


def test_a_recipient_has_visits_of_deliveries_that_never_came(world: World, sent: Sent) -> None:
    """A tag may count a visit for a delivery that the recipient got no message of."""
    visits = world.send([], label="Web visits", kind=DeliveryKind.WEB_VISITS, contact_at=None)
    autumn = world.send(["new@example.com"], label="Autumn")
    nowhere = [MessageId(0)]
    marie: Any = {"messages": nowhere, "recipients": sent.recipients, "domains": sent.domains}
    for second, other in ((300, visits), (310, autumn)):
        world.hit(replace(other, **marie), [Hit(0, PAGE, second, "b", has_message=False)])
    world.consolidate()
    page = recipient_logs(world.database, world.lake, sent.recipients[0], LogQuery(limit=2))

    assert [(row.delivery, row.recipient) for row in page.rows] == [
        ("Autumn", "marie@example.com"),
        ("Web visits", "marie@example.com"),
    ]


def test_who_got_nothing_has_no_logs(world: World, sent: Sent) -> None:
    """A recipient without messages has an empty tab."""
    stranger = world.send(["new@example.com"]).recipients[0]
    page = recipient_logs(world.database, world.lake, stranger, LogQuery())

    assert page == LogPage([], 0)


def test_a_forgotten_address_leaves_its_logs(world: World, sent: Sent) -> None:
    """Once a message is gone its hits stay in the list, without a name (field lesson D9)."""
    with world.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM message WHERE address = 'marie@example.com'")
    page = _list(world, sent)

    assert page.total == 9
    assert [row.recipient for row in page.rows[-3:]] == ["", "", ""]


def test_beyond_the_end_is_nothing(world: World, sent: Sent) -> None:
    """A page behind the last row is empty and still knows the total."""
    page = _list(world, sent, offset=50)

    assert (list(page.rows), page.total) == ([], 9)


_common: Any = {
    "second": st.integers(0, 90).map(float),
    "source_id": st.sampled_from(["", "one"]),
    "flags": st.sampled_from(["0", "0", "u", "h"]),
}
_hits = st.builds(Hit, who=st.integers(0, 2), what=st.integers(0, 4), **_common) | st.builds(
    Hit,
    who=st.integers(NOBODY, 2),
    what=st.sampled_from([PAGE, ORDER]),
    amount=st.sampled_from([None, 1.5]),
    has_message=st.booleans(),
    **_common,
)


@settings(max_examples=5, deadline=None)
@given(
    hits=st.lists(_hits, min_size=1, max_size=30),
    sort=st.sampled_from(SORTS),
    is_descending=st.booleans(),
    limit=st.integers(1, 9),
)
@example(hits=[Hit(0, OPEN, 0), Hit(0, OPEN, 9)], sort="at", is_descending=True, limit=1)
def test_pages_together_are_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory,
    empty_database: Path,
    hits: list[Hit],
    sort: str,
    is_descending: bool,
    limit: int,
) -> None:
    """Page after page, in any order, each row comes once and is told as in the whole list.

    Killed by: no tie-break by log id; classifying only the hits of a page, not those of its
    messages.
    """
    world = make(tmp_path_factory.mktemp("world"), empty_database)
    sent = world.send(_PEOPLE)
    world.hit(sent, hits)
    query = LogQuery(sort=sort, is_descending=is_descending, limit=None)
    whole = delivery_logs(world.database, world.lake, sent.id, query)
    pages = [
        delivery_logs(
            world.database, world.lake, sent.id, replace(query, limit=limit, offset=offset)
        )
        for offset in range(0, len(hits), limit)
    ]

    assert [row for page in pages for row in page.rows] == list(whole.rows)
    assert {page.total for page in pages} == {whole.total} == {len(hits)}


def test_a_large_page_is_told_like_a_small_one(
    world: World, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a page is classified with everything or by itself makes no difference."""
    small = _list(world, sent)
    monkeypatch.setattr(logs, "_CLASSIFIED_ROWS_MAX", 0)
    large = _list(world, sent)

    assert small == large
