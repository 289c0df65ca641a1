"""Every link of real templates, and links that broke others: each leads exactly where it should.

Links are read from the source and from the message by standard tools, not by our own detection, and
asked for at a real tracking server over HTTP.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import httpx
import pytest

from aftersend.collector import embedded
from aftersend.collector.config import CollectorConfig
from aftersend.content import Addresses
from aftersend.database.engine import migrate, open_engine
from aftersend.database.recipients import Profile
from aftersend.delivery.create import Draft, create
from aftersend.delivery.office import PostOffice
from aftersend.delivery.render import render
from aftersend.model.ids import ServerId
from aftersend.platform.clock import SystemClock
from tests.support.extraction import html_links, text_links
from tests.support.post_office import (
    EMAILS,
    KEYS,
    SENDER,
    add_recipients,
    html_of,
    make_office,
    read,
    text_of,
)

ADDRESS = "ada@example.com"
TEMPLATES = sorted(EMAILS.glob("*.html"))


@dataclass(frozen=True, slots=True)
class Road:
    """A post office and a tracking server that has its catalogues."""

    office: PostOffice
    client: httpx.Client
    base: str

    def message(self, html: str | None, text: str | None) -> tuple[str, str]:
        """Give the HTML and the text that a recipient gets, as a mail client reads them."""
        delivery_id = create(self.office, Draft("Links", SENDER, "Links", html, text))
        received = read(render(self.office, delivery_id, ADDRESS))
        return "" if html is None else html_of(received), "" if text is None else text_of(received)

    def is_tracked(self, link: str) -> bool:
        """Tell whether an address is one of the tracking server."""
        return link.startswith(f"{self.base}/r/")

    def follow(self, link: str) -> str:
        """Click, and tell where people are sent."""
        answer = self.client.get(link)
        assert 302 == answer.status_code
        return answer.headers["Location"]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Build the road once."""
    folder = tmp_path_factory.mktemp("links")
    engine = open_engine(f"sqlite:///{folder / 'a.sqlite'}")
    migrate(engine)
    engine.dispose()
    office = make_office(folder, folder / "a.sqlite", clock=SystemClock())
    values = {"key": "a/b+c", "checksum": "1&2", "number": "ü #"}
    add_recipients(office, [Profile(ADDRESS, {"first_name": "Ada"}, values)])
    config = CollectorConfig(
        server_id=ServerId("1"),
        catalogue_directory=office.catalogue,
        spool_directory=folder / "spool",
        keys=KEYS,
        password=office.password,
    )
    with embedded.running(config, SystemClock()) as base, httpx.Client(trust_env=False) as client:
        addresses = Addresses(redirect=base, app="https://app.example.com")
        yield Road(replace(office, addresses=addresses), client, base)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_link_of_a_template(road: Road, path: Path) -> None:
    """In both parts each web address leads to itself, byte for byte; all else is left alone."""
    html = path.read_text(encoding="utf-8")
    links = html_links(html)
    alternative = path.with_suffix(".txt")
    text = (
        alternative.read_text(encoding="utf-8")
        if alternative.exists()
        else "".join(f"See {link}\n" for link in links)
    )

    sent_html, sent_text = road.message(html, text)

    _check(road, links, html_links(sent_html))
    _check(road, text_links(text), text_links(sent_text))


def _check(road: Road, before: list[str], after: list[str]) -> None:
    assert any(link.startswith("http") for link in before)
    assert len(before) == len(after)
    for link, sent in zip(before, after, strict=True):
        if link.startswith("http"):
            assert road.is_tracked(sent), link
            assert link == road.follow(sent)
        else:
            assert link == sent


LONG = "https://shop.example/lamps?" + "&".join(f"p{number}=%2F{number}" for number in range(700))
ODD = [
    (
        "b4-host",
        "https://bücher.example/#color=grün",
        "https://xn--bcher-kva.example/#color=gr%C3%BCn",
    ),
    ("b4-emoji", "https://x.example/😀?q=ü", "https://x.example/%F0%9F%98%80?q=%C3%BC"),
    ("b5", "https://x.example/?sig=a%2Fb%2Bc&x=1+2", "https://x.example/?sig=a%2Fb%2Bc&x=1+2"),
    ("b5-order", "https://x.example/?z=1&a=2&z=%7e&a", "https://x.example/?z=1&a=2&z=%7e&a"),
    ("b6", "https://x.example/?f[0]=a&f[1]=b", "https://x.example/?f[0]=a&f[1]=b"),
    ("b6-semicolon", "https://x.example/a;v=1?b;c=2", "https://x.example/a;v=1?b;c=2"),
    ("b6-percent", "https://x.example/100%?off=5%", "https://x.example/100%?off=5%"),
    (
        "b7",
        "https://x.example/view?id=<%= escapeUrl(recipient.key) %>"
        "&<%= escapeUrl(recipient.checksum) %>&cid=<%= escapeUrl(recipient.number) %>",
        "https://x.example/view?id=a%2Fb%2Bc&1%262&cid=%C3%BC%20%23",
    ),
    ("b8-255", LONG[:255], LONG[:255]),
    ("b8-2048", LONG[:2048], LONG[:2048]),
    ("b8-8000", LONG[:8000], LONG[:8000]),
]


@pytest.mark.parametrize(
    ("source", "destination"), [case[1:] for case in ODD], ids=[case[0] for case in ODD]
)
def test_odd_links(road: Road, source: str, destination: str) -> None:
    """What a browser needs in ASCII is spelled so; every other byte is the author's."""
    # An author escapes what he writes into an attribute, but not his personalisation.
    spelled = source if "<%" in source else escape(source)

    html, text = road.message(f'<p><a href="{spelled}">x</a></p>', f"See {source}\n")

    for links in (html_links(html), text_links(text)):
        (link,) = links
        assert road.is_tracked(link)
        assert destination == road.follow(link)
