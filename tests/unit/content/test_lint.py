"""Advice on links that can be sent."""

import pytest

from aftersend.content import Lint, Preparation, Source, lint, markup
from aftersend.model.enumeration import Part, PixelPlace
from tests.support.content_golden import ADDRESSES


def _lint(html: str | None = None, text: str | None = None) -> list[tuple[str, int]]:
    found = lint(Source("-", html, text), addresses=ADDRESSES)
    assert all(each.text.endswith(".") for each in found)
    return [(each.kind, each.line) for each in found]


@pytest.mark.parametrize(
    ("href", "kinds"),
    [
        *(("shop.html", ["relative-link"]), ("/shop", ["relative-link"])),
        *(("//x.example/", ["relative-link"]), ("?a=1", ["relative-link"])),
        *(("www.x.example", ["missing-scheme"]), ("WWW.x.example/a", ["missing-scheme"])),
        *(("https://x .example/", ["unreadable-link"]), ("https://", ["unreadable-link"])),
        *(("https://x.example/(a", ["unbalanced-link"]), ("https://x.example/[a](b){c}", [])),
        ("https://x.example/%28a", []),
        (f"https://x.example/{'x' * 2030}", []),
        (f"https://x.example/{'x' * 2031}", ["long-link"]),
        (f"https://x.example/{'é' * 1016}", ["long-link"]),
        *(("https://x.example/a b", ["space-in-link"]), (" https://x.example/ ", [])),
        *(("app://x", ["deep-link"]), ("intent:x", ["deep-link"])),
        *(("mailto:a@x.example", []), ("TEL:1", []), ("#top", []), ("", [])),
        *(("{{url}}", ["foreign-placeholder"]), ("*|URL|*", ["foreign-placeholder"])),
        ("https://x.example/?a=%%name%%", ["foreign-placeholder"]),
        ("https://x.example/?a=%20%41", []),
        ("https://x.example/?a=<%= escapeUrl(recipient.a) %>", []),
    ],
)  # fmt: skip
def test_addresses(href: str, kinds: list[str]) -> None:
    """A21, A22: an address is judged by how it is written."""
    assert kinds == [kind for kind, _ in _lint(f'<a href="{href}">x</a>')]


@pytest.mark.parametrize(
    ("attributes", "text", "kinds"),
    [
        ("", "https://bank.example/login", ["shown-elsewhere"]),
        ("", "www.bank.example", ["shown-elsewhere"]),
        ("", "bank.example/login", ["shown-elsewhere"]),
        *(("", "Node.js", []), ("", "at noon", []), ("", "x.example is ours", [])),
        *(("", "www.x.example", ["shown-address"]), ("", "https://X.example/a", ["shown-address"])),
        ("", "(news.x.example/a)", ["shown-address"]),
        ("", "notx.example/a", ["shown-elsewhere"]),
        ("clicktracking=off", "www.x.example", []),
        ("clicktracking=off", "www.bank.example", ["shown-elsewhere"]),
    ],
)  # fmt: skip
def test_shown_addresses(attributes: str, text: str, kinds: list[str]) -> None:
    """A link that reads like an address should lead there, and at once."""
    html = f'<a {attributes} href="https://x.example/a">{text}</a>'

    assert kinds == [kind for kind, _ in _lint(html)]


def test_base() -> None:
    """With a base, relative links lead somewhere."""
    assert _lint('<base href="https://x.example/"><a href="shop">x</a>') == []


def test_texts() -> None:
    """In a text, an address without scheme is found outside of others only."""
    text = "www.a.example\nhttps://x.example/?u=www.b.example a@www.c.example (www.d.example.)"

    assert [("missing-scheme", 1), ("missing-scheme", 2)] == _lint(text=text)


def test_said_once() -> None:
    """The same is said once, at its first place; lines are the author's own."""
    html = "<%@ include view='MirrorPage' %>\n<a href=/a>1</a>\n<a href=/a>2</a> <a href=/b>3</a>"

    assert [("relative-link", 2), ("relative-link", 3)] == _lint(html)


@pytest.mark.parametrize(
    ("html", "place", "kinds"),
    [
        ("<p>x", PixelPlace.PLACEHOLDER, ["pixel-place"]),
        ("<p>x{{ses:openTracker}}", PixelPlace.PLACEHOLDER, []),
        ("<p>x<%@ include view='OpenPixel' %>", PixelPlace.PLACEHOLDER, []),
        ("<p>x<%@ include view='OpenPixel' %>", PixelPlace.TOP, ["pixel-place"]),
        ("<p>x", PixelPlace.BOTTOM, []),
    ],
)
def test_pixel_place(html: str, place: PixelPlace, kinds: list[str]) -> None:
    """The pixel and its place belong together."""
    found = lint(Source("-", html), addresses=ADDRESSES, preparation=Preparation(pixel=place))

    assert kinds == [each.kind for each in found]


def test_mirror_without_html() -> None:
    """A link to the web copy needs an HTML part."""
    text = "\n<%@ include view='MirrorPageUrl' %> <%@ include view='UnsubscriptionLink' %>"

    assert [("mirror-without-html", 2)] == _lint(text=text)
    assert _lint("<p>x", text) == []


def test_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that could not be understood is told of."""
    monkeypatch.setattr(markup, "tokenize", lambda *_, **__: 1 / 0)
    (found,) = lint(Source("-", "<a href=/x>"), addresses=ADDRESSES)

    assert isinstance(found, Lint)
    assert ("untracked-part", Part.HTML) == (found.kind, found.part)
