"""The tracking test, on a real road of mail sink, tracking server, pages and workflow."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from sqlalchemy import func, select

from aftersend.app import (
    Instance,
    embedded_collector,
    init,
    open_instance,
    post_office,
    remember_addresses,
    run_workflow,
    web_services,
)
from aftersend.database import schema
from aftersend.database.recipients import Profile
from aftersend.delivery import sink
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties
from aftersend.delivery.sink import Received
from aftersend.delivery.tracking_test import Report, Row, run_tracking_test
from aftersend.errors import Busy, InvalidInput, NotFound
from aftersend.model import catalogue
from aftersend.model.enumeration import DeliveryKind, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId
from aftersend.platform.entropy import SeededEntropy
from aftersend.reports.deliveries import summary
from aftersend.reports.log_query import LogQuery
from aftersend.reports.logs import delivery_logs
from aftersend.web.app import build
from tests.support.post_office import SENDER, add_recipients, delivery_of, html_of, read

APP = "http://app.example"
TESTER = "tester@shop.example"
HTML = (
    '<p>Hi <%= recipient.first_name %>, <a href="https://shop.example/?a=1&amp;code='
    '<%= escapeUrl(recipient.code) %>#x">look</a>, <a href="https://grün.example/ü">green</a>,'
    ' <a href="https://shop.example/reset">reset</a>.'
    " <%@ include view='MirrorPage' %> <%@ include view='UnsubscriptionLink' %></p>"
)
TEXT = "Look: https://shop.example/text. <%@ include view='UnsubscriptionLink' %>"


@dataclass(slots=True)
class Road:
    """An instance with everything running, and a mail sink."""

    opened: Instance
    server: MailServer
    page_client: TestClient[Any]
    received: list[Received] = field(default_factory=list)
    on_arrival: Callable[[], object] = lambda: None

    @property
    def office(self) -> PostOffice:
        """Give the post office as it stands."""
        return post_office(self.opened)

    def keep(self, received: Received) -> None:
        """Take a message, and do what a test wants to happen behind our back."""
        self.received.append(received)
        self.on_arrival()

    def client(
        self, pages: Callable[[httpx.Request], httpx.Response] | None = None
    ) -> httpx.Client:
        """Make a client that reaches the tracking server over the network, and the pages here."""
        return httpx.Client(
            mounts={APP: httpx.MockTransport(pages or self.show)}, trust_env=False, timeout=10
        )

    def show(self, request: httpx.Request) -> httpx.Response:
        """Answer with a page of the app."""
        assert request.method == "GET"
        answer = self.page_client.get(str(request.url), follow_redirects=False)
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name in ("content-type", "location")
        }
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)

    def collect(self, delivery_id: DeliveryId) -> Sequence[UrlType]:
        """Run the workflow and list the hits."""
        run_workflow(self.opened, "tracking").check()
        query = LogQuery(limit=None)
        page = delivery_logs(self.opened.database, self.opened.lake(), delivery_id, query)
        return [row.type for row in page.rows]

    def test(self, delivery_id: DeliveryId, **changes: Any) -> Report:
        """Run the tracking test."""
        self.received.clear()
        named: dict[str, Any] = {"email": TESTER, "collect": self.collect, "client": self.client()}
        office = changes.pop("office", self.office)
        server = changes.pop("server", self.server)
        return run_tracking_test(office, server, delivery_id, **(named | changes))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Build the road once for all tests."""
    directory = tmp_path_factory.mktemp("road") / "instance"
    init(directory, entropy=SeededEntropy(1))
    remember_addresses(directory, app=APP)
    opened = open_instance(directory, entropy=SeededEntropy(2))
    add_recipients(
        post_office(opened),
        [Profile("ada@example.com", {"first_name": "Ada"}, {"code": "a b&c"})],
    )
    with embedded_collector(opened) as base_url:
        remember_addresses(directory, collector=base_url)
        with TestClient(build(web_services(opened)), base_url=APP) as pages:
            road = Road(opened, MailServer("127.0.0.1", 9), pages)
            with sink.running(lambda received: road.keep(received)) as port:
                road.server = MailServer("127.0.0.1", port, connections=1, pause_s=0)
                yield road


@pytest.fixture
def road(running: Road) -> Road:
    """Give the road as it was built, whatever the test before has done to it."""
    running.on_arrival = lambda: None
    return running


def make_delivery(road: Road, html: str | None = HTML, text: str | None = TEXT) -> DeliveryId:
    """Make a delivery to Ada; its link to reset a password is not tracked."""
    delivery_id = create(road.office, Draft("Lamps", SENDER, "For you", html, text))
    for url in list_urls(road.office, delivery_id):
        if url.source.endswith("/reset"):
            set_url(road.office, delivery_id, url.id, mode=TrackingMode.NOT_TRACKED)
    return delivery_id


def wrong(report: Report) -> dict[str, str]:
    """Give what is not as it should be."""
    return {row.what: row.got for row in report.rows if not row.is_ok}


def row_of(report: Report, expected: str) -> Row:
    """Give the row that expects something."""
    (row,) = (row for row in report.rows if row.expected == expected)
    return row


def test_everything_works(road: Road) -> None:
    """Each link leads to its destination with the values of the first recipient; all is logged."""
    delivery_id = make_delivery(road)

    report = road.test(delivery_id)

    assert wrong(report) == {}
    assert report.is_ok
    kinds = Counter(row.what for row in report.rows)
    assert kinds == {
        "Message": 1,
        "Tracking": 1,
        "List-Unsubscribe": 1,
        "Email click": 3,
        "Mirror page": 2,  # the tracked link, and the page
        "Opt-out": 2,
        "Open": 1,
        "Link": 1,
        "Unsubscription page": 3,  # of the HTML, of the text, of the header
        "Logs: Open": 1,
        "Logs: Email click": 1,
        "Logs: Opt-out": 1,
        "Logs: Mirror page": 1,
    }
    assert row_of(report, "https://shop.example/?a=1&code=a%20b%26c#x").what == "Email click"
    assert row_of(report, "https://xn--grn-ioa.example/%C3%BC").is_ok
    assert row_of(report, "not tracked").url == "https://shop.example/reset"
    hits = {row.what: row.expected for row in report.rows if row.what.startswith("Logs")}
    assert hits == {
        "Logs: Open": "1",
        "Logs: Email click": "3",
        "Logs: Opt-out": "2",
        "Logs: Mirror page": "1",
    }


def test_the_message_is_a_copy_to_one_address(road: Road) -> None:
    """One message is sent; the delivery itself stays as it is, and nothing is counted anywhere."""
    delivery_id = make_delivery(road)
    before = delivery_of(road.office, delivery_id)

    report = road.test(delivery_id)

    (received,) = road.received
    assert received.recipients == (TESTER,)
    message = read(received.data)
    assert message["Subject"] == "Tracking test: For you"
    assert html_of(message).startswith("<p>Hi Ada, ")
    copy = delivery_of(road.office, report.delivery_id)
    assert (DeliveryKind.TRACKING_TEST, delivery_id) == (copy.kind, copy.origin_id)
    assert before == delivery_of(road.office, delivery_id)
    figures = summary(road.opened.database, report.delivery_id)
    assert (0, 0) == (figures.to_deliver, figures.success)
    assert {0.0, None} >= {each.value for each in figures.indicators.values()}


def test_looking_unsubscribes_nobody(road: Road) -> None:
    """Pages are looked at, and no more."""
    report = road.test(make_delivery(road))

    assert report.is_ok
    with road.opened.database.read() as connection:
        denied = select(func.count()).where(schema.recipient.c.is_denylisted)
        assert 0 == connection.execute(denied).scalar_one()


def test_a_missing_catalogue_is_found(road: Road) -> None:
    """Links that lead nowhere are told one by one, with what to do; what works is told, too."""

    def lose() -> None:
        newest = max(road.opened.catalogue.glob("*.json"), key=lambda path: int(path.stem))
        newest.unlink()

    road.on_arrival = lose

    report = road.test(make_delivery(road))

    assert not report.is_ok
    links = [row for row in report.rows if row.what in ("Email click", "Opt-out")]
    assert 5 == len(links)
    assert {(False, True)} == {
        (row.is_ok, "404, the tracking server does not know the link" in row.got) for row in links
    }
    assert [True] == [row.is_ok for row in report.rows if row.what == "Open"]
    assert ["Logs: Open"] == [row.what for row in report.rows if row.what.startswith("Logs")]


def test_a_wrong_destination_is_found(road: Road) -> None:
    """A link that leads elsewhere is wrong, though it leads somewhere."""

    def mislead() -> None:
        newest = max(road.opened.catalogue.glob("*.json"), key=lambda path: int(path.stem))
        raw = newest.read_bytes()
        newest.write_bytes(raw.replace(b"https://shop.example/text", b"https://shop.example/next"))
        catalogue.decode(newest.read_bytes())

    road.on_arrival = mislead

    report = road.test(make_delivery(road))

    assert {"Email click": "https://shop.example/next"} == wrong(report)


def test_pages_that_do_not_answer_are_told(road: Road) -> None:
    """The app is down: it is asked once, links work all the same, and the row says what to do."""
    asked = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("refused")

    report = road.test(make_delivery(road), client=road.client(refuse))

    assert {"Mirror page", "Unsubscription page"} == set(wrong(report))
    assert "start the app with `aftersend serve`" in wrong(report)["Mirror page"]
    assert 1 == len(asked)


def test_a_tracking_server_that_does_not_answer_is_told(road: Road) -> None:
    """Nothing was answered, so nothing is looked for in the logs."""

    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("")

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    report = road.test(make_delivery(road), client=client)

    found = wrong(report)
    assert "no answer (ConnectTimeout): start the tracking server" in found["Email click"]
    assert "no link was answered" in found["Logs"]
    assert {"Message", "Tracking", "List-Unsubscribe"}.isdisjoint(found)


def test_another_mirror_page_is_wrong(road: Road) -> None:
    """The page must hold this message, as it was sent to this address."""

    def other(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<p>Hi Bob</p>")

    report = road.test(make_delivery(road), client=road.client(other))

    assert {"Mirror page": "200 text/html, another page"} == wrong(report)


def test_a_page_of_ours_may_send_on_to_another(road: Road) -> None:
    """What is shared is shown at an address with nothing of the recipient in it."""
    html = HTML.replace("MirrorPage", "ViralLinks")

    report = road.test(make_delivery(road, html=html))

    assert wrong(report) == {}
    assert "Shared page" in {row.what for row in report.rows}


def test_lost_lines_are_found(road: Road) -> None:
    """Hits that were answered and never arrive are what the test is for."""
    report = road.test(make_delivery(road), collect=lambda _id: [UrlType.OPEN])

    expected = {"Logs: Email click": "0", "Logs: Opt-out": "0", "Logs: Mirror page": "0"}
    assert expected == wrong(report)


def test_a_workflow_that_cannot_run_is_told(road: Road) -> None:
    """The reason is a row of the report."""

    def collect(_id: DeliveryId) -> Sequence[UrlType]:
        raise Busy("tracking is being run.")

    report = road.test(make_delivery(road), collect=collect)

    assert {"Tracking workflow": "tracking is being run."} == wrong(report)


def test_tracking_that_is_off_is_told(road: Road) -> None:
    """Nothing is tracked, so the test fails, and says why."""
    draft = Draft("Lamps", SENDER, "For you", HTML, None, properties=Properties(is_tracked=False))

    report = road.test(create(road.office, draft))

    assert "--tracking" in wrong(report)["Tracking"]


def test_a_text_has_no_pixel(road: Road) -> None:
    """That opens cannot be seen is told, and no fault."""
    report = road.test(make_delivery(road, html=None))

    assert report.is_ok
    (row,) = (row for row in report.rows if row.what == "Open")
    assert "opens cannot be seen" in row.got
    assert "Logs: Open" not in {row.what for row in report.rows}


def test_a_link_that_a_condition_leaves_out_is_told(road: Road) -> None:
    """Not everybody gets every link."""
    html = (
        "<p><% if (recipient.first_name == 'Bob') { %><a href='https://shop.example/bob'>B</a>"
        "<% } %><a href='https://shop.example/all'>A</a></p>"
    )

    report = road.test(make_delivery(road, html, None))

    assert report.is_ok
    assert row_of(report, "tracked").url == "https://shop.example/bob"


def test_a_refused_message_is_told(road: Road) -> None:
    """The mail server's own words are in the row; the links are tried all the same."""
    with sink.running(lambda _received: None, refuse=lambda _to: "550 5.1.1 No such user") as port:
        server = MailServer("127.0.0.1", port, connections=1, pause_s=0)
        report = road.test(make_delivery(road), server=server)

    assert "no such user" in wrong(report)["Message"]
    assert ["Message"] == list(wrong(report))


def test_a_content_with_an_error_cannot_be_tested(road: Road) -> None:
    """Nothing is sent, and no copy is left behind."""
    delivery_id = create(road.office, Draft("Lamps", SENDER, "x", "<p><%@ include view='No' %>"))

    with pytest.raises(InvalidInput, match=f"Delivery {delivery_id} cannot be tested: .*No"):
        road.test(delivery_id)

    assert road.received == []
    with pytest.raises(NotFound):
        delivery_of(road.office, DeliveryId(delivery_id + 1))


def test_only_deliveries_are_tested(road: Road) -> None:
    """A copy is no original, a wrong address is none, and what is not there is not there."""
    copy_id = road.test(make_delivery(road, None)).delivery_id

    with pytest.raises(InvalidInput, match="is a tracking test of delivery"):
        road.test(copy_id)
    with pytest.raises(InvalidInput, match="nobody"):
        road.test(make_delivery(road), email="nobody")
    with pytest.raises(NotFound):
        road.test(DeliveryId(10**6))
