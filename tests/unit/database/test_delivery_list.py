"""The list of deliveries."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from aftersend.database import delivery_list, web_visits
from aftersend.database.delivery_list import Query, Row
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.schema import UtcDateTime, delivery, delivery_indicator
from aftersend.model.enumeration import DeliveryState

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Give a database with seven deliveries; the third was opened by 5 and clicked by 2."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database = Database(engine)
    rows = [
        {
            "internal_name": f"DM{number}",
            "label": label,
            "state": DeliveryState.BEING_EDITED if number == 7 else DeliveryState.FINISHED,
            "sender": "a@example.com",
            "subject": "Hello",
            "to_deliver": 10 if number % 2 else 20,
            "success": 9,
            "error": 1,
            "created_at": START,
            "modified_at": START,
            "contact_at": None if number == 7 else START + timedelta(days=number),
        }
        for number, label in enumerate(["b", "a", "C", "100%", "100 x", "Ärger", "d"], start=1)
    ]
    figures = {"recipient_open": 5, "recipient_click": 2, "computed_at": START, "lake_version": 1}
    others = dict.fromkeys(
        ("total_recipient_open", "person_click", "total_recipient_click", "opt_out", "mirror_page"),
        0,
    )
    with database.write() as connection:
        connection.execute(insert(delivery), rows)
        connection.execute(insert(delivery_indicator).values(delivery_id=3, **figures, **others))
    return database


def _ids(database: Database, query: Query) -> list[int]:
    with database.read() as connection:
        return [row.id for row in delivery_list.page(connection, query)]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1]),
        ("nonsense", [7, 6, 5, 4, 3, 2, 1]),
        ("contact", [1, 2, 3, 4, 5, 6, 7]),
        ("-contact", [6, 5, 4, 3, 2, 1, 7]),
        ("-opens", [3, 7, 6, 5, 4, 2, 1]),
        ("clicks", [1, 2, 4, 5, 6, 7, 3]),
        ("to_deliver", [1, 3, 5, 7, 2, 4, 6]),
    ],
)
def test_the_list_is_sorted(database: Database, sort: str, expected: list[int]) -> None:
    """A sort is followed both ways, ties stand by id, and what has no date comes last."""
    assert expected == _ids(database, Query(sort=sort))


def test_labels_are_sorted_without_regard_to_case(database: Database) -> None:
    """A capital letter does not come before all small ones."""
    assert [5, 4, 2, 1, 3, 7] == _ids(database, Query(sort="label"))[:6]


@pytest.mark.parametrize(
    ("search", "expected"),
    [("100%", [4]), ("c", [3]), ("dm6", [6]), ("_", []), ("", [7, 6, 5, 4, 3, 2, 1])],
)
def test_the_list_is_searched(database: Database, search: str, expected: list[int]) -> None:
    """Labels and internal names are searched as text, in which no sign is special."""
    query = Query(search=search)

    assert expected == _ids(database, query)
    with database.read() as connection:
        assert len(expected) == delivery_list.count(connection, query)


def test_the_list_is_filtered(database: Database) -> None:
    """A state picks its deliveries."""
    assert [7] == _ids(database, Query(state=DeliveryState.BEING_EDITED))


@pytest.mark.parametrize("sort", ["", "label", "-to_deliver", "opens"])
def test_pages_make_up_the_list(database: Database, sort: str) -> None:
    """Page after page gives every delivery once, in the order of the whole."""
    pages = [_ids(database, Query(sort=sort, offset=offset, limit=2)) for offset in (0, 2, 4, 6)]

    assert _ids(database, Query(sort=sort)) == [number for page in pages for number in page]


def test_a_row_tells_its_shares(database: Database) -> None:
    """Processed and success are shares of what there is to deliver; figures come from the sums."""
    with database.read() as connection:
        row = delivery_list.page(connection, Query(search="DM3"))[0]

    assert (row.processed, row.success_rate, row.opens, row.clicks) == (1.0, 0.9, 5, 2)


def test_shares_of_nothing_are_none() -> None:
    """Before there is anything to deliver there is no share of it."""
    row = Row(1, "DM1", "a", DeliveryState.BEING_EDITED, True, None, 0, 0, 0, 0, 0)  # type: ignore[arg-type]

    assert (row.processed, row.success_rate) == (None, None)


def test_web_visits_are_listed_when_there_are_some(database: Database) -> None:
    """Nobody made their delivery, so nobody looks for it while it is empty.

    Mutant killed: a count of all that the list does not show.
    """
    with database.write() as connection:
        web_visits.ensure(connection, "webVisits", at=START)
    empty = _ids(database, Query())
    figures = dict.fromkeys(
        (
            each.name
            for each in delivery_indicator.columns
            if not isinstance(each.type, UtcDateTime)
        ),
        0,
    )
    with database.write() as connection:
        values = figures | {"delivery_id": 8, "total_web_page": 1, "computed_at": START}
        connection.execute(insert(delivery_indicator).values(values))

    with database.read() as connection:
        rows = delivery_list.page(connection, Query(search="web"))
        number = delivery_list.count(connection, Query(search="web"))

    assert [7, 6, 5, 4, 3, 2, 1] == empty
    assert (1, "Web visits", DeliveryState.FINISHED) == (number, rows[0].label, rows[0].state)
