"""Compiling and rendering, as those call it who send."""

import pickle

import pytest

from aftersend.content import (
    Addresses,
    Source,
    Template,
    TrackedLink,
    compile_message,
    detect,
)
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import Catalogue, Destination, decode, encode, location
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, UrlId
from aftersend.model.token import KeyRing
from aftersend.platform.clock import SystemClock
from tests.support.content_golden import (
    ADDRESSES,
    DELIVERY_ID,
    KEYS,
    MESSAGE_ID,
    compile_case,
    readable,
    render_case,
    tokens,
)

SHOP = "https://x.example/shop"
NEWS = "https://x.example/news"
BOTH = Source(
    "-", f'<a href="{SHOP}">Shop</a> <a href="{NEWS}">News</a>', f"Shop: {SHOP} News: {NEWS}"
)


def _html(template: Template, **recipient: object) -> str:
    html = render_case(template, **recipient).html
    assert html is not None
    return html


def test_chosen_links() -> None:
    """Only the links that were chosen are tracked, each part for itself, under the names given."""
    template = compile_message(
        BOTH,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        tracked={
            (Part.HTML, SHOP): TrackedLink(UrlId(41), UrlType.OPT_OUT, "Our shop"),
            (Part.TEXT, NEWS): TrackedLink(UrlId(17)),
            (Part.TEXT, "https://gone.example/"): TrackedLink(UrlId(99)),
        },
        is_open_tracked=False,
    )
    rendered = render_case(template)

    assert f'<a href="⟦h41⟧">Shop</a> <a href="{NEWS}">News</a>' == readable(rendered.html or "")
    assert f"Shop: {SHOP} News: ⟦t17⟧" == readable(rendered.text or "")
    assert {
        UrlId(41): Destination((SHOP,), UrlType.OPT_OUT, "Our shop"),
        UrlId(17): Destination((NEWS,), UrlType.EMAIL_CLICK, NEWS),
    } == template.urls


def test_all_links() -> None:
    """Without a choice all links are tracked, numbered from 2 in the order of detection."""
    template = compile_case(BOTH)
    found = detect(BOTH, addresses=ADDRESSES)

    assert [(Part.HTML, SHOP), (Part.HTML, NEWS), (Part.TEXT, SHOP), (Part.TEXT, NEWS)] == [
        (link.part, link.source) for link in found
    ]
    assert {OPEN_URL_ID: Destination((), UrlType.OPEN, "Open")} | {
        UrlId(number): link.destination for number, link in enumerate(found, start=2)
    } == template.urls


def test_catalogue() -> None:
    """What a template knows of its links is what a catalogue can carry."""
    source = Source(
        "-",
        f'<a href="{SHOP}?n=<%= escapeUrl(recipient.n) %>">1</a>'
        "<%@ include view='MirrorPage' %><a href='https://grün.example/a b'>2</a>",
    )
    template = compile_case(source)
    catalogue = Catalogue(DELIVERY_ID, SystemClock().now(), template.urls)

    assert catalogue == decode(encode(catalogue))


def test_parts() -> None:
    """A part that is blank or missing is neither compiled nor sent."""
    template = compile_case(Source("-", html=" \n", text="x"))
    rendered = render_case(template)

    assert (False, True) == (template.has_html, template.has_text)
    assert (None, "x") == (rendered.html, rendered.text)
    assert {} == template.urls


def test_fields() -> None:
    """A template names the fields of recipients that it reads."""
    source = Source("<%= recipient.a %>", f'<a href="{SHOP}?<%= escapeUrl(recipient.b) %>">x</a>')

    assert {"a", "b"} == compile_case(source).fields


@pytest.mark.parametrize("length", [255, 2048, 8000])
def test_long_urls(length: int) -> None:
    """B8: a long URL is stored and redirected to as it is."""
    url = f"{SHOP}?".ljust(length, "x")
    template = compile_case(Source("-", f'<a href="{url}">x</a>', url))

    assert [url, url] == [location(template.urls[UrlId(n)], (), "") for n in (2, 3)]


def test_long_label() -> None:
    """B9: a long label is cut, its URL is not."""
    url = f"{SHOP}?{'x' * 300}"
    (link,) = detect(Source("-", f'<a href="{url}">{"word " * 100}</a>'), addresses=ADDRESSES)

    assert (255, url) == (len(link.label), link.source)


def test_long_part() -> None:
    """A part that no mailbox would take is refused before it is read."""
    with pytest.raises(InvalidContent, match="text: It is longer than 5,000,000 characters"):
        compile_case(Source("-", text="x" * 5_000_001))


def test_long_values() -> None:
    """Values that make a token too long are refused for this recipient only."""
    template = compile_case(Source("-", f'<a href="{SHOP}?<%= escapeUrl(recipient.a) %>">x</a>'))

    with pytest.raises(InvalidContent, match="too long"):
        render_case(template, a="x" * 6000)
    assert ("x",) == tokens(_html(template, a="x"))[0].values


def test_line_ends_are_kept() -> None:
    """A14: line ends of every kind stay as they are."""
    html = f'<a\r\nhref="{SHOP}">x</a>\r<p>\n</p>'

    assert '<a\r\nhref="⟦h2⟧">x</a>\r<p>\n</p>' == readable(
        _html(compile_case(Source("-", html), is_open_tracked=False))
    ).replace("␍", "\r")


def test_fillings() -> None:
    """A message is its fillings in the slots of the parts, in this process or in another."""
    source = Source("Hi <%= recipient.a %>", BOTH.html, f"<%= recipient.a %> {SHOP}")
    template = pickle.loads(pickle.dumps(compile_case(source)))
    fillings, orders = template.fillings({"a": "Zoë"}, message_id=MESSAGE_ID, keys=KEYS)
    rendered = render_case(template, a="Zoë")

    assert {Part.HTML: rendered.html, Part.TEXT: rendered.text} == {
        part: sheet.fill(fillings) for part, sheet in template.parts.items()
    }
    assert rendered.subject == template.subject.fill(fillings) == "Hi Zoë"
    assert {} == orders


def test_newest_key() -> None:
    """A template holds no key: messages are signed with the newest one at the time."""
    template = compile_case(BOTH)
    keys = KeyRing({**KEYS.secrets, 9: bytes(range(16))})
    old, new = (
        template.render({}, message_id=MESSAGE_ID, keys=ring).html or "" for ring in (KEYS, keys)
    )

    assert old != new


def test_values_of_any_type() -> None:
    """Values are written as Python spells them; None and what is missing is nothing."""
    template = compile_case(Source("<%= recipient.a %>|<%= recipient.b %>|<%= recipient.c %>", "x"))

    assert "7||" == render_case(template, a=7, b=None).subject


@pytest.mark.parametrize(
    "base",
    ["https://t.example/", "https://t.example//", "https://t.example/sub/", "http://[::1]:8/"],
)
def test_trailing_slash(base: str) -> None:
    """B10: a slash at the end of the public address makes no difference."""
    addresses = Addresses(redirect=base, app=base)
    template = compile_message(BOTH, delivery_id=DELIVERY_ID, addresses=addresses)

    assert f'<a href="{base.rstrip("/")}/r/' in _html(template)


@pytest.mark.parametrize(
    "base", ["", "t.example", "ftp://t/", "https://t/?a", 'https://t/"', "https://t/ "]
)
def test_unusable_address(base: str) -> None:
    """A public address that would break links is refused."""
    with pytest.raises(InvalidContent, match="cannot stand in a link"):
        Addresses(redirect=base, app="https://app.example")
