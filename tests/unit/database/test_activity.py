"""Opens and clicks over time and by link."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from aftersend.database import activity
from aftersend.database.activity import Period
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.schema import delivery, tracked_url, tracking_stats
from aftersend.model.enumeration import DeliveryState, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = START + timedelta(minutes=5)


def _database(path: Path) -> Database:
    engine = open_engine(f"sqlite:///{path / 'a.sqlite'}")
    migrate(engine)
    kinds = (UrlType.EMAIL_CLICK, UrlType.EMAIL_CLICK, UrlType.OPT_OUT)
    counts = ((1, START, 5), (2, START, 2), (3, START, 3), (3, LATER, 1), (4, LATER, 7))
    database = Database(engine)
    with database.write() as connection:
        connection.execute(
            insert(delivery).values(
                internal_name="DM1",
                label="Spring",
                state=DeliveryState.FINISHED,
                sender="a@example.com",
                subject="Hello",
                created_at=START,
                modified_at=START,
            )
        )
        for number, kind in enumerate(kinds, start=2):
            connection.execute(
                insert(tracked_url).values(
                    id=number,
                    delivery_id=1,
                    type=kind,
                    mode=TrackingMode.ENABLED,
                    part="h",
                    label="Link",
                    source=f"https://www.example.com/{number}",
                )
            )
        for url, start, count in counts:
            row = {"delivery_id": 1, "url_id": url, "start": start, "total_clicks": count}
            connection.execute(insert(tracking_stats).values(row))
    return database


def test_opens_and_clicks_are_summed_by_period(tmp_path: Path) -> None:
    """Clicks of all links of a period are one number; opt-outs are neither opens nor clicks."""
    with _database(tmp_path).read() as connection:
        periods = activity.by_period(connection, DeliveryId(1))

    assert {
        Period(START, UrlType.OPEN, 5),
        Period(START, UrlType.EMAIL_CLICK, 5),
        Period(LATER, UrlType.EMAIL_CLICK, 1),
    } == set(periods)
    assert sorted(period.start for period in periods) == [period.start for period in periods]


def test_every_link_has_its_sum(tmp_path: Path) -> None:
    """Hits are summed over all periods, by link; other deliveries have none."""
    with _database(tmp_path).read() as connection:
        assert {1: 5, 2: 2, 3: 4, 4: 7} == activity.by_url(connection, DeliveryId(1))
        assert {} == activity.by_url(connection, DeliveryId(2))
