"""The control plane on a real PostgreSQL."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select

from aftersend.content import Source
from aftersend.database import (
    audit,
    deliveries,
    enumerations,
    lookup,
    public_addresses,
    purge,
    schema,
    tracking_servers,
    url_memory,
    urls,
    web_visits,
)
from aftersend.database.audit import AuditEntry
from aftersend.database.deliveries import Exclusion, NewDelivery
from aftersend.database.engine import Database, migrate, open_engine
from aftersend.database.enumerations import URL_CATEGORY
from aftersend.database.public_addresses import PublicAddress
from aftersend.database.purge import Purging
from aftersend.database.recipients import Profile, upsert
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls, refresh_urls, set_url
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import DeliveryState, FailureReason, TrackingMode
from aftersend.model.ids import RecipientId, ServerId
from aftersend.platform.clock import ManualClock
from tests.support import postgres
from tests.support.post_office import NOW, add_recipients, delivery_of, draft, make_office
from tests.support.sending import reached, send_to
from tests.support.smtp_server import ScriptedServer

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not postgres.is_available() and "CI" not in os.environ,
        reason="PostgreSQL is not installed",
    ),
]

LONG = "https://shop.example/?q=" + "x" * 8_000
WORKERS = 8
NAMES = ("ada", "anna", "bert")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """Give a migrated database."""
    with postgres.running() as url:
        engine = open_engine(url)
        migrate(engine)
        yield Database(engine)
        engine.dispose()


@pytest.fixture
def office(tmp_path: Path, database: Database) -> PostOffice:
    """Give a post office that stands on it."""
    made = make_office(tmp_path, tmp_path / "unused.sqlite", clock=ManualClock(NOW))
    return replace(made, database=database)


def test_migrations_lead_to_the_declared_tables(database: Database) -> None:
    """A migrated database and the declared tables do not differ."""
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert [] == differences


def test_servers_and_addresses_are_kept(database: Database) -> None:
    """What a registration and a look at an address tell is kept, and replaced by the next."""
    two = ServerId("2")
    found = PublicAddress("https://t.example", NOW, NOW, (two,), "")
    with database.write() as connection:
        for build in ("1", "2"):
            tracking_servers.enrol(
                connection, [two], internal_url="http://two", build=build, host="h", at=NOW
            )
        tracking_servers.note_problem(connection, two, "silent", is_registered=False)
        public_addresses.note(connection, found)
        public_addresses.note(connection, replace(found, verified_at=None, problem="gone"))
        (server,), known = tracking_servers.every(connection), public_addresses.every(connection)
        tracking_servers.forget(connection, [two])

    assert ("2", None, "silent") == (server.build, server.registered_at, server.problem)
    assert {found.url: replace(found, problem="gone")} == known


def test_a_delivery_with_a_very_long_link_is_sent(office: PostOffice) -> None:
    """8,000 characters of an address are listed, remembered, published and sent (B8)."""
    (ada,) = add_recipients(office, ["ada@example.com"])
    html = f"<a href='{LONG}'>look</a> <a href='{LONG}y'>see</a>"
    delivery_id = create(office, draft(html=html, recipient_ids=[ada]))
    change_properties(office, delivery_id, Properties(validity_s=60, variables={"a": "1"}))
    first, _ = (url for url in list_urls(office, delivery_id) if url.source.startswith(LONG))
    set_url(office, delivery_id, first.id, mode=TrackingMode.ALWAYS, category="lamps")

    analysis = analyse(office, delivery_id)

    assert (1, None) == (analysis.to_deliver, analysis.error)
    catalogue = decode((office.catalogue / file_name(delivery_id)).read_bytes())
    assert (LONG,) == catalogue.urls[first.id].pieces
    with office.database.read() as connection:
        assert TrackingMode.ALWAYS is url_memory.of_sources(connection, [LONG])[LONG].mode
        assert "lamps" in enumerations.values(connection, URL_CATEGORY)
    server = ScriptedServer()
    send_to(server, office, delivery_id)
    assert {"ada@example.com": 1} == reached(server)
    assert DeliveryState.FINISHED is delivery_of(office, delivery_id).state


def test_workers_that_find_a_new_link_at_once_make_one_row(office: PostOffice) -> None:
    """Nobody sees the others' rows before they are there, and still there is one (G2)."""
    delivery_id = create(office, draft())
    source = Source("Hello", html=f"<a href='{LONG}'>look</a>")
    barrier, failures = Barrier(WORKERS), list[BaseException]()

    def detect() -> None:
        try:
            with office.database.write() as connection:
                delivery = deliveries.get(connection, delivery_id)
                assert LONG not in {url.source for url in urls.of_delivery(connection, delivery.id)}
                barrier.wait(30)
                refresh_urls(connection, office, delivery, source)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [Thread(target=detect) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert [LONG] == [url.source for url in list_urls(office, delivery_id)]


def test_web_visits_are_found_by_what_they_name(office: PostOffice) -> None:
    """Recipients by address and field, their messages, tags and deliveries, in one question each.

    The delivery of web visits is one, however many make it at once.
    """
    with office.database.write() as connection:
        profiles = [Profile(f"{name}@web.example", fields={"account": name[0]}) for name in NAMES]
        ids = upsert(connection, profiles, at=NOW).ids
    barrier, made = Barrier(WORKERS), list[int]()

    def ensure() -> None:
        with office.database.write() as connection:
            assert web_visits.find(connection, "webVisits") is None
            barrier.wait(30)
            made.append(web_visits.ensure(connection, "webVisits", at=NOW))

    threads = [Thread(target=ensure) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delivery_id = create(office, draft(recipient_ids=ids[:1]))
    analyse(office, delivery_id)

    with office.database.read() as connection:
        by_email = lookup.recipients_by_field(connection, "email", ["ada@web.example", "x"])
        by_account = lookup.recipients_by_field(connection, "account", ["a", "b"])
        messages = lookup.messages_of(connection, ids, [delivery_id])
        there = lookup.deliveries_by_id(connection, [delivery_id, 2**40])
    assert [1, WORKERS] == [len(set(made)), len(made)]
    assert [("ada@web.example", ids[0], "web.example")] == [tuple(row) for row in by_email]
    assert [ids[0], ids[1], ids[2]] == sorted(row[1] for row in by_account)
    assert [(ids[0], delivery_id)] == [row[:2] for row in messages]
    assert {delivery_id} == there


def test_the_cleanup_deletes_in_batches_here_too(database: Database) -> None:
    """Rows go along keys of one column and of three, a few at once, exactly as a dry run counts."""
    old, young = NOW - timedelta(days=400), NOW
    with database.write() as connection:
        for number, start in enumerate([old] * 7 + [young] * 3):
            row = {"delivery_id": 901 + number % 2, "url_id": number, "start": start}
            connection.execute(insert(schema.tracking_stats).values(**row, total_clicks=1))
            entry = AuditEntry(start, "delivery", str(number), "create", "ada")
            audit.write(connection, entry)
        number = deliveries.add(
            connection,
            NewDelivery("Old", "a@b.example", "Old", None, None, is_target_all=True),
            at=old,
        )
        deliveries.change(connection, number, ended_at=old, state=DeliveryState.FINISHED)
        excluded = Exclusion(RecipientId(7), "x@example.com", FailureReason.DOUBLE)
        deliveries.add_exclusions(connection, number, [excluded] * 5, at=old)
    limit, batches = NOW - timedelta(days=360), list[int]()
    with database.read() as connection:
        assert [number] == purge.over_before(connection, limit)

    done = list[dict[str, int]]()
    for rows in (Purging(database, 2, is_dry=True), Purging(database, 2, between=batches.append)):
        counts = {"statistics": rows.statistics(limit), "audit": rows.audit(limit)}
        done.append(
            {
                **counts,
                **rows.messages([number], now=NOW),
                **rows.of_delivery(number),
                **rows.history(NOW),
            }
        )

    assert done[0] == done[1]
    assert (7, 7, 5, 1) == tuple(
        done[1][name] for name in ("statistics", "audit", "exclusions", "deliveries")
    )
    assert 2 == max(batches)
    with database.write() as connection:
        assert 3 == len(connection.execute(select(schema.tracking_stats)).all())
        assert 3 == audit.count(connection)
        purge.freeze(connection, [number])
        assert [] == purge.not_frozen(connection, [number])
