"""Real templates through a real Postfix: all arrive, unharmed, and every link leads home."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from threading import Event

import httpx
import pytest

from aftersend.collector import embedded
from aftersend.collector.config import CollectorConfig
from aftersend.content import Addresses
from aftersend.database import deliveries
from aftersend.database.engine import migrate, open_engine
from aftersend.delivery import sink
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.send import send
from aftersend.delivery.sink import Received
from aftersend.model.enumeration import DeliveryState, MessageStatus, Part
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.token import Token, decode
from aftersend.platform.clock import SystemClock
from tests.support import postfix
from tests.support.effort import some
from tests.support.post_office import (
    EMAILS,
    KEYS,
    SENDER,
    add_recipients,
    html_of,
    make_office,
    messages_of,
    read,
    text_of,
)

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not postfix.is_available() and "CI" not in os.environ,
        reason="Postfix is not installed, or we are not root",
    ),
]

RECIPIENTS = 1_000
CLICKED = 20
WAIT_SECONDS_MAX = 180
TEMPLATES = sorted(EMAILS.glob("*.html"))


@dataclass(frozen=True, slots=True)
class Road:
    """The way of a message: our post office, Postfix, the sink; and a tracking server."""

    office: PostOffice
    server: MailServer
    tracking: str
    received: list[Received]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Build the road once for all templates."""
    folder = tmp_path_factory.mktemp("road")
    engine = open_engine(f"sqlite:///{folder / 'a.sqlite'}")
    migrate(engine)
    engine.dispose()
    office = make_office(folder, folder / "a.sqlite", clock=SystemClock())
    add_recipients(office, [f"p{number}@x.example" for number in range(RECIPIENTS)])
    config = CollectorConfig(
        server_id=ServerId("1"),
        catalogue_directory=office.catalogue,
        spool_directory=folder / "spool",
        keys=KEYS,
        password=office.password,
    )
    received: list[Received] = []
    with (
        sink.running(received.append) as sink_port,
        postfix.running(sink_port) as port,
        embedded.running(config, SystemClock()) as tracking,
    ):
        addresses = Addresses(redirect=tracking, app="https://app.example.com")
        server = MailServer("127.0.0.1", port)
        yield Road(replace(office, addresses=addresses), server, tracking, received)


def _arrived(road: Road, count: int) -> list[Received]:
    for _ in range(WAIT_SECONDS_MAX * 10):
        if len(road.received) >= count:
            break
        Event().wait(0.1)
    return road.received[:]


@pytest.mark.parametrize("template", some(TEMPLATES), ids=lambda path: path.stem)
def test_a_template_reaches_a_thousand_people(road: Road, template: Path) -> None:
    """Everybody gets the template once, with links of their own that lead to its destinations."""
    html, alternative = template.read_text(), template.with_suffix(".txt")
    text = alternative.read_text() if alternative.exists() else None
    road.received.clear()
    delivery_id = create(
        road.office, Draft(template.stem, SENDER, "Für <%= recipient.first_name %>", html, text)
    )

    sent = send(road.office, road.server, delivery_id)
    received = _arrived(road, RECIPIENTS)

    assert (RECIPIENTS, 0) == (sent.sent, sent.failed)
    people = [f"p{number}@x.example" for number in range(RECIPIENTS)]
    assert Counter(people) == Counter(each.recipients[0] for each in received)
    _check_written_down(road, delivery_id)
    sources = {url.id: url.source for url in list_urls(road.office, delivery_id)}
    ids = {address: each.id for address, each in messages_of(road.office, delivery_id).items()}
    with httpx.Client() as client:
        for number, each in enumerate(received):
            message = read(each.data)
            address = each.recipients[0]
            name = address.partition("@")[0].title()
            assert f"{name} <{address}>" == message["To"]
            assert f"Für {name}" == message["Subject"]
            tokens = _check_parts(road, message, html, text, sources)
            _check_tokens(tokens, delivery_id, ids[address])
            if number % (RECIPIENTS // CLICKED) == 0:
                _click(road, client, tokens, sources)
    names = {read(each.data)["Message-ID"] for each in received}
    assert RECIPIENTS == len(names)


def _check_written_down(road: Road, delivery_id: DeliveryId) -> None:
    with road.office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
    assert DeliveryState.FINISHED is delivery.state
    assert (RECIPIENTS, 0) == (delivery.success, delivery.error)
    assert {MessageStatus.SENT} == {
        message.status for message in messages_of(road.office, delivery_id).values()
    }


def _check_parts(
    road: Road,
    message: EmailMessage,
    html: str,
    text: str | None,
    sources: Mapping[UrlId, str],
) -> list[str]:
    """Check that undoing our replacements gives the source; give the tokens in reading order."""
    opens = re.compile(rf'<img src="{re.escape(road.tracking)}/r/([a-z2-7]+)\.gif"[^>]*>')
    received = html_of(message)
    (pixel,) = opens.findall(received)
    tokens = [pixel, *_undo(road, opens.sub("", received), html, sources)]
    if text is not None:
        tokens += _undo(road, text_of(message), text, sources)
    return tokens


def _undo(road: Road, received: str, source: str, sources: Mapping[UrlId, str]) -> list[str]:
    """Compare what stands between tracked links, and each link with what stood in its place."""
    *pairs, rest = re.split(rf"{re.escape(road.tracking)}/r/([a-z2-7]+)", received)
    at = 0
    tokens = pairs[1::2]
    for literal, token in zip(pairs[::2], tokens, strict=True):
        assert source.startswith(literal, at)
        at += len(literal)
        original = sources[decode(token, keys=KEYS).url_id]
        written = re.compile(r"[^\"'<>\s]*").match(source, at)
        assert written is not None
        spelled = written[0] if unescape(written[0]) == original else original
        assert source.startswith(spelled, at)
        at += len(spelled)
    assert source[at:] == rest
    return tokens


def _check_tokens(tokens: list[str], delivery_id: DeliveryId, message_id: MessageId) -> None:
    for text in tokens:
        token = decode(text, keys=KEYS)
        assert Token(token.part, delivery_id, message_id, token.url_id) == token
        assert token.part in (Part.HTML, Part.TEXT)


def _click(
    road: Road, client: httpx.Client, tokens: list[str], sources: Mapping[UrlId, str]
) -> None:
    for text in tokens:
        token = decode(text, keys=KEYS)
        if token.url_id == OPEN_URL_ID:
            response = client.get(f"{road.tracking}/r/{text}.gif")
            assert (200, "image/gif") == (response.status_code, response.headers["Content-Type"])
            continue
        response = client.get(f"{road.tracking}/r/{text}", follow_redirects=False)
        assert (302, sources[token.url_id]) == (response.status_code, response.headers["Location"])


def test_the_tool_is_installed() -> None:
    """Where everything must be tested, Postfix is there."""
    assert shutil.which("postfix")
