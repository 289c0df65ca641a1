"""Telling tracking servers where the links of a delivery lead."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from aftersend.collector import embedded
from aftersend.collector.config import CollectorConfig
from aftersend.content import Template
from aftersend.database import deliveries, tracking_servers
from aftersend.delivery.analyse import analyse
from aftersend.delivery.blocking import set_blocked
from aftersend.delivery.links import list_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import template_of
from aftersend.delivery.properties import Properties, change_properties
from aftersend.delivery.publish import Publication, introduce, publish, retry
from aftersend.model.catalogue import decode, file_name
from aftersend.model.enumeration import DeliveryState, Part, Severity
from aftersend.model.ids import MessageId, ServerId
from aftersend.model.token import Token, encode
from aftersend.platform.clock import SystemClock
from tests.support.post_office import KEYS, make_delivery


@contextmanager
def _tracking_server(*, status: int = 204) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Give an address that takes catalogues, and what came: path, authorization, body."""
    came: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.path, self.headers["Authorization"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


def _register(office: PostOffice, **servers: str) -> None:
    with office.database.write() as connection:
        for name, url in servers.items():
            tracking_servers.enrol(
                connection,
                [ServerId(name[-1])],
                internal_url=url,
                build="1",
                host="here",
                at=office.clock.now(),
            )


def _publish(office: PostOffice, template: Template) -> Publication:
    with office.database.read() as connection:
        delivery = deliveries.get(connection, template.delivery_id)
    return publish(office, template, delivery)


@pytest.fixture
def template(office: PostOffice) -> Template:
    """Give the template of an analysed delivery."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    with office.database.read() as connection:
        return template_of(connection, office, deliveries.get(connection, delivery_id))


def test_without_registered_servers_the_local_folder_is_enough(
    office: PostOffice, template: Template
) -> None:
    """The catalogue is always written locally, where a tracking server of this machine reads it."""
    publication = _publish(office, template)

    written = decode((office.catalogue / file_name(template.delivery_id)).read_bytes())
    assert publication.is_known
    assert template.urls == written.urls
    assert office.clock.now() == written.published_at


def test_every_registered_server_gets_the_catalogue(office: PostOffice, template: Template) -> None:
    """Each server is told with the registration password and the same bytes."""
    with _tracking_server() as (first, came), _tracking_server() as (second, came_too):
        _register(office, server_1=first, server_2=second)

        publication = _publish(office, template)

    assert ["1", "2"] == publication.reached
    ((path, authorization, body),) = came
    assert f"/catalogue/{template.delivery_id}" == path
    assert f"Bearer {office.password}" == authorization
    assert (office.catalogue / file_name(template.delivery_id)).read_bytes() == body
    assert came == came_too


def test_a_server_that_is_down_gets_it_later(office: PostOffice, template: Template) -> None:
    """What a server missed is told, remembered over restarts, and brought when it answers."""
    with _tracking_server() as (up, _), _tracking_server(status=503) as (ill, _):
        _register(office, server_1=up, server_2=ill, server_3="http://127.0.0.1:9")
        publication = _publish(office, template)
    with _tracking_server() as (well, came):
        _register(office, server_2=well)
        again = retry(office)

    assert publication.is_known
    assert ["2", "3"] == [missed.server_id for missed in publication.missed]
    assert "it answered 503" == publication.missed[0].reason
    assert "it does not answer" in publication.missed[1].reason
    assert (["2"], ["3"]) == (again.reached, [missed.server_id for missed in again.missed])
    assert 1 == len(came)


def test_nothing_is_brought_twice_by_a_retry(office: PostOffice, template: Template) -> None:
    """Once a server has a catalogue, there is nothing left to retry."""
    _register(office, server_1="http://127.0.0.1:9")
    _publish(office, template)
    with _tracking_server() as (url, came):
        _register(office, server_1=url)
        retry(office)
        retry(office)

    assert 1 == len(came)


def test_a_new_server_gets_every_catalogue(office: PostOffice, template: Template) -> None:
    """A server that is registered late answers links of deliveries sent before, too."""
    _publish(office, template)
    with _tracking_server() as (url, came):
        _register(office, server_2=url)
        introduced = introduce(office, ServerId("2"))

    assert (["2"], []) == (introduced.reached, introduced.missed)
    assert [f"/catalogue/{template.delivery_id}"] == [path for path, _, _ in came]


def test_a_silent_server_is_asked_once(office: PostOffice, template: Template) -> None:
    """A server that does not answer is not asked again for each of its deliveries."""
    _publish(office, template)
    for number in (71, 72, 73):
        (office.catalogue / f"{number}.json").write_bytes(b"{}")
    _register(office, server_2="http://127.0.0.1:9")

    introduced = introduce(office, ServerId("2"))

    assert 4 == len(introduced.missed)
    assert 1 == len({missed.reason for missed in introduced.missed})


def test_what_nobody_waits_for_is_forgotten(office: PostOffice, template: Template) -> None:
    """There is nothing to retry at first, nor for servers or deliveries that are gone."""
    nothing = retry(office)
    _register(office, server_1="http://127.0.0.1:9")
    _publish(office, template)
    (office.sending / "unpublished" / "2.1").touch()
    (office.sending / "unpublished" / ".half").touch()
    (office.catalogue / file_name(template.delivery_id)).unlink()

    again = retry(office)

    assert ([], []) == (list(nothing.missed), list(again.missed))
    assert [".half"] == [path.name for path in (office.sending / "unpublished").iterdir()]


def test_a_real_tracking_server_takes_it(
    office: PostOffice, template: Template, tmp_path: Path
) -> None:
    """A tracking server elsewhere, with folders of its own, redirects once it was told."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = CollectorConfig(
        server_id=ServerId("7"),
        catalogue_directory=elsewhere,
        spool_directory=tmp_path / "spool",
        keys=KEYS,
        password=office.password,
    )
    (link,) = [url for url in template.urls.items() if "lamps" in str(url[1].pieces)][:1]
    token = encode(Token(Part.HTML, template.delivery_id, MessageId(1), link[0]), keys=KEYS)
    with embedded.running(config, SystemClock()) as url:
        _register(office, server_7=url)
        before = httpx.get(f"{url}/r/{token}")
        publication = _publish(office, template)
        after = httpx.get(f"{url}/r/{token}")

    assert ["7"] == publication.reached
    assert [404, 302] == [before.status_code, after.status_code]
    assert "https://shop.example/lamps" == after.headers["Location"]


def test_links_are_unknown_when_no_server_took_them(office: PostOffice, template: Template) -> None:
    """With registered servers, at least one of them has to have the catalogue."""
    _register(office, server_1="http://127.0.0.1:9")

    assert not _publish(office, template).is_known


def test_an_analysis_warns_of_servers_that_miss_the_links(office: PostOffice) -> None:
    """A tracking server that is down is a warning: the send tries again."""
    _register(office, server_1="http://127.0.0.1:9")

    analysis = analyse(office, make_delivery(office))

    assert [(Severity.WARNING, "tracking-server")] == [
        (check.level, check.rule) for check in analysis.checks
    ]


def test_servers_hear_of_another_validity_of_a_sent_delivery(office: PostOffice) -> None:
    """One that answers has it at once, one that is down is named and told later."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    with office.database.write() as connection:
        deliveries.change(
            connection, delivery_id, state=DeliveryState.FINISHED, contact_at=office.clock.now()
        )
    with _tracking_server() as (url, came):
        _register(office, server_a=url, server_b="http://127.0.0.1:1")

        missed = change_properties(office, delivery_id, Properties(validity_s=3600))

    assert ["b"] == [each.server_id for each in missed]
    assert office.clock.now() + timedelta(hours=1) == decode(came[-1][2]).expires_at
    with _tracking_server() as (url, came):
        _register(office, server_b=url)
        retry(office)
    assert office.clock.now() + timedelta(hours=1) == decode(came[-1][2]).expires_at


def test_servers_hear_of_a_blocked_link(office: PostOffice) -> None:
    """One that answers is told at once, one that is down later; nothing older comes after it."""
    delivery_id = make_delivery(office)
    analyse(office, delivery_id)
    url = list_urls(office, delivery_id)[0]
    with _tracking_server() as (address, came):
        _register(office, server_a=address, server_b="http://127.0.0.1:1")

        missed = set_blocked(office, delivery_id, url.id, is_blocked=True)

    assert ["b"] == [each.server_id for each in missed]
    assert decode(came[-1][2]).urls[url.id].is_blocked
    with _tracking_server() as (address, came):
        _register(office, server_b=address)
        retry(office)
    assert decode(came[-1][2]).urls[url.id].is_blocked
