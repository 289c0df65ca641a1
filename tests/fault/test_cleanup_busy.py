"""A big cleanup while others write: they go on, and only what is old goes."""

from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import func, insert, select

from aftersend.database import schema
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.purge import Purging
from aftersend.delivery.create import create
from aftersend.model.enumeration import MessageStatus
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import SystemClock
from tests.support.post_office import NOW, draft, make_office

MESSAGES = 120_000
WAIT_S_MAX = 5.0
BATCH = 5_000


@pytest.mark.long
def test_writers_go_on_while_messages_go(tmp_path: Path) -> None:
    """120,000 messages go in batches; a writer beside it never waits for more than a few of them.

    Mutant killed: one transaction for all.
    """
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    migrate(engine)
    database, clock = Database(engine), SystemClock()
    office = make_office(tmp_path, tmp_path / "a.sqlite", clock=clock)
    old, young = create(office, draft()), create(office, draft())
    _add_messages(database, old, MESSAGES)
    waits, is_over, written = list[float](), Event(), set[int]()

    def write() -> None:
        while not is_over.is_set():
            begun = clock.monotonic()
            _add_messages(database, young, 1, first=len(waits))
            waits.append(clock.monotonic() - begun)

    begun, pause = clock.monotonic(), Event()

    def between(_rows: int) -> None:
        nonlocal begun
        written.add(len(waits))
        pause.wait(clock.monotonic() - begun)
        begun = clock.monotonic()

    writer = Thread(target=write)
    writer.start()
    counts = Purging(database, BATCH, between=between).messages([old], now=clock.now())
    is_over.set()
    writer.join()

    assert MESSAGES == counts["messages"]
    assert len(written) > MESSAGES / BATCH / 2, "others wrote between most of the batches"
    assert max(waits) < WAIT_S_MAX
    with database.read() as connection:
        query = select(schema.message.c.delivery_id, func.count()).group_by("delivery_id")
        assert {young: len(waits)} == dict(map(tuple, connection.execute(query)))


def _add_messages(database: Database, number: DeliveryId, count: int, first: int = 0) -> None:
    rows = [
        {
            "delivery_id": number,
            "recipient_id": at,
            "address": f"person{at}@example.com",
            "domain": "example.com",
            "status": MessageStatus.SENT,
            "event_at": NOW,
        }
        for at in range(first, first + count)
    ]
    with database.write() as connection:
        connection.execute(insert(schema.message), rows)
