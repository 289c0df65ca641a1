"""Links outlive everything else: whatever is purged, a real tracking server goes on redirecting."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy import Table, func, select

from aftersend.collector import embedded
from aftersend.collector.config import CollectorConfig
from aftersend.content import Addresses
from aftersend.database import schema
from aftersend.database.engine import migrate, open_engine
from aftersend.delivery.create import Draft, create
from aftersend.delivery.deletion import delete
from aftersend.delivery.office import PostOffice
from aftersend.lake.table import Lake
from aftersend.maintenance import cleanup, lake
from aftersend.maintenance.context import Context
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.platform.clock import ManualClock, SystemClock
from aftersend.settings import PurgeSettings, TrackingSettings
from aftersend.tracking import consolidate
from aftersend.tracking.context import Context as TrackingContext
from aftersend.tracking.source import LocalSource
from aftersend.tracking.steps import STEPS
from tests.support.extraction import html_links
from tests.support.post_office import KEYS, SENDER, add_recipients, html_of, make_office, read
from tests.support.sending import send_to
from tests.support.smtp_server import ScriptedServer

HTML = "<p><a href='https://shop.example/lamps'>look</a></p>"


def test_a_link_redirects_when_nothing_else_is_left(tmp_path: Path) -> None:
    """Delivery deleted, messages, hits, links and content gone: 302 to the shop, and a pixel (C8).

    The click that comes then is kept as a line of an unknown message, and counted nowhere.
    """
    clock = ManualClock(SystemClock().now())
    office = _office(tmp_path, clock)
    with _tracking_server(tmp_path, office) as (base, client):
        office = replace(office, addresses=Addresses(base, "https://app.example.com"))
        link, pixel, number = _send(office)
        assert "https://shop.example/lamps" == client.get(link).headers["Location"]
        context = _tracking(tmp_path, office)
        _run(context)
        assert 1 == _count(office, schema.delivery_indicator)

        delete(office, number, operator="ada")
        clock.advance(timedelta(days=400).total_seconds())
        _clean(tmp_path, context)

        for table in (schema.delivery, schema.message, schema.content, schema.delivery_indicator):
            assert 0 == _count(office, table), table.name
        assert 0 == len(context.lake.files().paths)
        found = client.get(link)
        assert (302, "https://shop.example/lamps") == (
            found.status_code,
            found.headers["Location"],
        )
        assert (200, "image/gif") == (
            client.get(pixel).status_code,
            client.get(pixel).headers["Content-Type"],
        )
        _run(context)
        assert 0 == len(context.lake.files().paths)
        assert 0 == _count(office, schema.delivery_indicator)


def _office(folder: Path, clock: ManualClock) -> PostOffice:
    engine = open_engine(f"sqlite:///{folder / 'a.sqlite'}")
    migrate(engine)
    engine.dispose()
    office = make_office(folder, folder / "a.sqlite", clock=clock)
    add_recipients(office, ["ada@example.com"])
    return office


@contextmanager
def _tracking_server(folder: Path, office: PostOffice) -> Iterator[tuple[str, httpx.Client]]:
    config = CollectorConfig(
        server_id=ServerId("1"),
        catalogue_directory=office.catalogue,
        spool_directory=folder / "spool",
        keys=KEYS,
        password=office.password,
    )
    with embedded.running(config, SystemClock()) as base, httpx.Client(trust_env=False) as client:
        yield base, client


def _send(office: PostOffice) -> tuple[str, str, DeliveryId]:
    number = create(office, Draft("Lamps", SENDER, "Lamps", HTML, None))
    server = ScriptedServer()
    send_to(server, office, number)
    html = html_of(read(server.taken[0].data))
    (link,) = [each for each in html_links(html) if "/r/" in each]
    pixel = html.split('<img src="')[-1].split('"')[0]
    return link, pixel, number


def _tracking(folder: Path, office: PostOffice) -> TrackingContext:
    return TrackingContext(
        database=office.database,
        lake=Lake.open(str(folder / "lake"), options={}, clock=office.clock),
        sources=[LocalSource(ServerId("1"), folder / "spool", 1000)],
        inbox=folder / "inbox",
        clock=office.clock,
        settings=TrackingSettings(),
    )


def _run(context: TrackingContext) -> None:
    for step in STEPS:
        step.do(context).check()


def _clean(folder: Path, tracking: TrackingContext) -> None:
    context = Context(
        database=tracking.database,
        lake=tracking.lake,
        clock=tracking.clock,
        settings=PurgeSettings(),
        recompute=partial(consolidate.recompute, tracking),
        seen_versions=lambda: (),
        sending=folder / "sending",
        sessions=folder / "sessions",
    )
    for task in (*cleanup.TASKS, *lake.TASKS):
        task.do(context).check()


def _count(office: PostOffice, table: Table) -> int:
    with office.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
