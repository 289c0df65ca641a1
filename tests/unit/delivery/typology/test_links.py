"""Rules about links: labels, addresses, what people read, who is let in."""

import importlib
import re
from html import escape

import pytest

from aftersend.content import Addresses, Source
from aftersend.delivery.typology import RULES, Prepared
from aftersend.delivery.typology.links import ADVICE
from aftersend.model.enumeration import Part, PixelPlace, TrackingMode, UrlType
from tests.support.typology import link, prepared, told

advice = importlib.import_module("aftersend.content.lint")


def linked(source: str) -> Prepared:
    """Prepare a message that has one link, in its HTML."""
    written = source if "<%" in source else escape(source)
    return prepared(link(source), source=Source("Hi", f'<a href="{written}">look</a>'))


def test_a_tracked_link_has_a_label() -> None:
    """A link without a name is told of, unless it is not tracked."""
    nameless = link("https://shop.example/a", label=" ")
    untracked = link("https://shop.example/b", label="", mode=TrackingMode.NOT_TRACKED)

    (text,) = told(prepared(nameless, untracked, link("https://shop.example/c")), "url-label")

    assert "The link https://shop.example/a has no label" in text


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("https://shop.example/lamp.JPG?w=1", "leads to an image"),
        ("https://shop.example/?a=1&amp;b=2", "has &amp; in the address"),
        ("https://shop.example/?a=1&#38;b=2", "has &#38; in the address"),
        ("https://shop.example/?a=1&#x26;b=2", "has &#x26; in the address"),
        ("https://shop.example/a b", "has a space inside"),
        ("https://shop.example/(a", "has a single ( or )"),
        ("https://shop.example/?f[0=a", "has a single [ or ]"),
        ("https://shop.example/" + "x" * 2028, "has 2,049 bytes"),
        ("https://shop.example/" + "ö" * 1014, "has 2,049 bytes"),
    ],
)
def test_an_address_that_may_break_is_told(source: str, problem: str) -> None:
    """What some program on the way would open wrongly, cut or refuse is told.

    Killed: characters counted for bytes.
    """
    (text,) = told(linked(source), "url-approval")

    assert problem in text
    assert source[:100] in text


@pytest.mark.parametrize(
    "source",
    [
        "https://shop.example/?f[0]=a&g=(b)#{c}",
        "https://shop.example/jpg?a=x.jpg&b=%20",
        "https://shop.example/?n=<%= escapeUrl(recipient.name) %>",
        "https://shop.example/" + "x" * 2027,
        "https://en.example/wiki/Lamp_(light)",
    ],
)
def test_an_address_as_it_should_be_is_not(source: str) -> None:
    """Pairs of brackets, escapes and values are as they should be; so are 2,048 bytes."""
    assert [] == told(linked(source), "url-approval")


def test_an_address_in_both_parts_is_told_once() -> None:
    """It is one mistake, and the HTML is where people look first."""
    source = "https://shop.example/?f[0=a"
    html, plain = f"<p>\n<a href='{source}'>look</a></p>", f"Look: {source}"
    amp = "https://shop.example/?a&amp;b"

    (single,) = told(prepared(source=Source("Hi", html, plain)), "url-approval")
    (twice,) = told(prepared(link(amp), link(amp, part=Part.TEXT)), "url-approval")

    assert single.startswith("HTML line 2: The link ")
    assert amp in twice


@pytest.mark.parametrize(
    ("html", "rule", "problem"),
    [
        ("<a href='lamps.html'>look</a>", "relative-link", "leads nowhere in a mail"),
        ("<a href='www.shop.example/a'>look</a>", "relative-link", "write https://www.shop"),
        (
            "<a href='https://-_ x/'>look</a>",
            "url-approval",
            "host of https://-_ x/ cannot be read",
        ),
        ("<a href='shopapp://lamps'>look</a>", "deep-link", "opens an app"),
        ("<a href='https://x.example/?n={{name}}'>look</a>", "foreign-placeholder", "{{name}}"),
        ("<p><%@ include view='OpenPixel' %></p>", "pixel-place", "The place for the pixel stays"),
    ],
)
def test_what_reading_the_links_brings_up_is_told(html: str, rule: str, problem: str) -> None:
    """Links that are not tracked, or not as their author thinks, are told with their line."""
    good = "<a href='https://shop.example/'>look</a> <a href='mailto:a@x.example'>write</a>"

    (text,) = told(prepared(source=Source("Hi", f"\n{html}")), rule)

    assert text.startswith("HTML line 2: ")
    assert problem in text
    assert [] == told(prepared(source=Source("Hi", good)), rule)


def test_a_pixel_has_the_place_it_was_promised() -> None:
    """A delivery whose pixel stands at a placeholder needs one in its HTML."""
    place = PixelPlace.PLACEHOLDER
    without = Source("Hi", "<p>Hello</p>")
    there = Source("Hi", "<p><%@ include view='OpenPixel' %></p>")

    (text,) = told(prepared(source=without, pixel=place), "pixel-place")

    assert "The pixel has no place in the HTML" in text
    assert [] == told(prepared(source=there, pixel=place), "pixel-place")


def test_every_kind_of_advice_is_known() -> None:
    """What `content.lint` may say is told by a rule, or looked at by one of our own."""
    kinds = set(re.findall(r"^\| `([a-z-]+)` \|", advice.__doc__ or "", re.MULTILINE))
    own = {"shown-elsewhere", "shown-address", "mirror-without-html", "untracked-part"}

    assert kinds == ADVICE.keys() | own
    assert set(ADVICE.values()) <= RULES.keys()


@pytest.mark.parametrize(
    ("text", "source", "problem"),
    [
        ("https://shop.example/lamps", "https://shop.example/lamps", "our tracking server first"),
        ("www.shop.example", "https://shop.example/", "our tracking server first"),
        ("<Shop.example/lamps>", "https://www.shop.example/", "our tracking server first"),
        ("shop.example", "https://shop.example/", "our tracking server first"),
        ("https://bank.example/", "https://shop.example/", "leads to shop.example"),
        ("bank.example/login", "https://shop.example/", "leads to shop.example"),
        ("www.bank.example", "https://shop.example/", "leads to shop.example"),
    ],
)
def test_a_link_that_reads_like_an_address_is_told(text: str, source: str, problem: str) -> None:
    """People and mail programs compare what they see with where they are led."""
    (found,) = told(prepared(link(source, text=text)), "phishing")

    assert problem in found
    assert text in found


def test_a_link_that_reads_like_another_address_is_told_tracked_or_not() -> None:
    """Not tracking helps when the addresses are the same, and not when they differ."""
    off = TrackingMode.NOT_TRACKED
    same = link("https://shop.example/a", text="shop.example/a", mode=off)
    other = link("https://shop.example/a", text="https://bank.example/", mode=off)

    assert [] == told(prepared(same), "phishing")
    assert 1 == len(told(prepared(other), "phishing"))


@pytest.mark.parametrize(
    "text", ["our lamps", "Node.js", "", "ada@shop.example", "See x.example now"]
)
def test_words_are_no_address(text: str) -> None:
    """What cannot be taken for the address of another place is left alone."""
    assert [] == told(prepared(link("https://nodejs.example/", text=text)), "phishing")


def test_links_of_a_text_are_always_addresses() -> None:
    """In a text part an address is all that can be read: it is replaced, not hidden."""
    shown = link("https://shop.example/", text="https://shop.example/", part=Part.TEXT)

    assert [] == told(prepared(shown), "phishing")


@pytest.mark.parametrize(
    "source",
    [
        "https://shop.example/password/new",
        "https://shop.example/account/resetPassword?u=1",
        "https://shop.example/ForgotPassword",
        "https://shop.example/?Token=abc",
        "https://shop.example/magic/abc",
        "https://shop.example/verify-mail",
        "https://shop.example/log-in",
        "https://shop.example/login",
        "https://shop.example/sign_in?x=1",
        "https://shop.example/x?next=%2Fsignin",
    ],
)
def test_a_link_that_lets_somebody_in_should_not_be_tracked(source: str) -> None:
    """Whoever reads our logs must not be able to use it; the way out is told."""
    (text,) = told(prepared(link(source, url_id=7)), "sensitive-link")

    assert "set link 7 to not-tracked" in text


@pytest.mark.parametrize(
    "source",
    [
        "https://login.example/lamps",
        "https://shop.example/blog-index?q=verified#token",
        "https://shop.example/tokens",
        "https://t.example.com/login",
    ],
)
def test_other_links_let_nobody_in(source: str) -> None:
    """Hosts, fragments, longer words and our own pages are no sign of it."""
    assert [] == told(prepared(link(source)), "sensitive-link")


def test_a_link_that_is_not_tracked_is_not_sensitive() -> None:
    """What was switched off is in no log."""
    off = link("https://shop.example/password", mode=TrackingMode.NEVER)

    assert [] == told(prepared(off), "sensitive-link")


def test_a_link_to_unsubscribe_is_set_to_opt_out() -> None:
    """Tracked as a click it is recommended to be what it is; as an opt-out it is fine."""
    source = "https://shop.example/unsubscribe?u=1"
    as_click = link(source, url_id=7)
    as_opt_out = link(source, kind=UrlType.OPT_OUT, mode=TrackingMode.OPT_OUT)

    (text,) = told(prepared(as_click), "sensitive-link")

    assert "set link 7 to opt-out" in text
    assert [] == told(prepared(as_opt_out), "sensitive-link")


def test_links_without_tls_are_told_by_host() -> None:
    """One sentence a host, whether links are tracked or not; https and this machine are fine."""
    found = told(
        prepared(
            link("http://b.example/1"),
            link("http://b.example/2"),
            link("HTTP://D.example/", mode=TrackingMode.NOT_TRACKED),
            link("http://a.example:8000/"),
            link("https://c.example/"),
            link("http://127.0.0.1:8080/"),
            link("http://localhost/"),
        ),
        "plain-http",
    )

    assert [text.split()[2] for text in found] == ["a.example", "b.example", "d.example"]


def test_our_own_links_are_told_of_as_our_own() -> None:
    """Links of blocks lead to our own pages, which have a sentence to themselves."""
    addresses = Addresses("https://t.example.com", "http://app.example.com")
    ours = link("http://app.example.com/u/x", kind=UrlType.OPT_OUT)

    (text,) = told(prepared(ours, addresses=addresses), "plain-http")

    assert "public address of pages of messages, http://app.example.com" in text


@pytest.mark.parametrize("source", ["https://[::1/", "http://[::1/login", "https://shop.example"])
def test_an_address_that_cannot_be_taken_apart_is_no_obstacle(source: str) -> None:
    """Whatever a link is, the analysis comes to its end."""
    assert [] == told(prepared(link(source)), "sensitive-link")
