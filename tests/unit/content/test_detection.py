"""What detection tells of links, and what becomes of a message that it cannot read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from turbohtml import Token, tokenize

from aftersend.content import (
    FoundLink,
    Preparation,
    Source,
    TrackedLink,
    compile_message,
    detect,
    markup,
    plaintext,
)
from aftersend.model.enumeration import Part, PixelPlace, TrackingMode, UrlType
from aftersend.model.ids import UrlId
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, compile_case, render_case, tokens

HTML = (
    "<!DOCTYPE html>\r\n<body CLASS=x><a _label='L' clicktracking=off href='https://x.example/1'>"
    "1</a><A href=https://x.example/2>2</A> <%= recipient.name %>{{ses:openTracker}}</BODY>"
)
BOTH = Source("-", HTML, "See https://x.example/3")


def _found(html: str) -> FoundLink:
    (found,) = detect(Source("-", html), addresses=ADDRESSES)
    return found


def _failing(*_: object, **__: object) -> Iterator[Token]:
    raise RuntimeError("the library is broken")


class _Claiming:
    """A token that claims to be what it is not."""

    def __init__(self, token: Token, claims: dict[str, object]) -> None:
        self._token = token
        self._claims = claims

    def __getattr__(self, name: str) -> Any:
        return self._claims[name] if name in self._claims else getattr(self._token, name)


def _claims(**claims: object) -> Callable[..., Iterator[Any]]:
    def claim(text: str, **options: Any) -> Iterator[Any]:
        for token in tokenize(text, **options):
            yield _Claiming(token, claims) if token.tag == "a" else token

    return claim


@pytest.mark.parametrize("place", list(PixelPlace))
@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (_failing, "its reading failed (RuntimeError)"),
        (_claims(line=99), "its reading failed (IndexError)"),
        (_claims(col=3), "a tag does not stand where it was found"),
        (_claims(attrs=[("id", "")]), "a tag has other attributes than were found"),
        (_claims(tag=None), "a tag has no name"),
    ],
)
def test_unreadable(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any, reason: str, place: PixelPlace
) -> None:
    """A20: HTML that our reading fails on is sent byte for byte, and people are told why.

    Only values are written, escaped as everywhere; the text is tracked as ever.
    """
    monkeypatch.setattr(markup, "tokenize", tokenizer)
    template = compile_message(
        BOTH,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        preparation=Preparation(pixel=place),
    )
    rendered = render_case(template, name='Zo"')

    assert HTML.replace("<%= recipient.name %>", "Zo&quot;") == rendered.html
    assert [Part.TEXT] == [token.part for token in tokens(f"{rendered.html} {rendered.text}")]
    problem = f"The html part is sent as it is, not tracked: {reason}."
    assert problem == template.untracked_reason
    assert [2] == list(template.urls)


def test_unreadable_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A20: a text that our reading fails on is sent as it is; the HTML is tracked as ever."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(plaintext, "read_address", fail)
    template = compile_case(BOTH)
    rendered = render_case(template)

    assert BOTH.text == rendered.text
    assert [3, 1] == [token.url_id for token in tokens(f"{rendered.html} {rendered.text}")]
    problem = "The text part is sent as it is, not tracked: its reading failed (ZeroDivisionError)."
    assert problem == template.untracked_reason


def test_readable() -> None:
    """What is understood has no reason not to be tracked."""
    assert "" == compile_case(BOTH).untracked_reason


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<a href='https://x.example/'> Buy <b>now</b>&amp;here </a>", "Buy now&here"),
        ("<a _label=L href='https://x.example/'>https://y.example/</a>", "https://y.example/"),
        ("<a href='https://x.example/'><img alt='Our  shop'></a>", "Our shop"),
        ("<a href='https://x.example/'></a>", ""),
        (f"<a href='https://x.example/'>{'x' * 300}</a>", "x" * 300),
        ("<a href='https://x.example/'>A<% if (1) { %>B<% } %> <%= recipient.c %></a>",
         "AB <%= recipient.c %>"),
        ("<a href='https://x.example/'></a><a href='https://x.example/'>second</a>", "second"),
    ],
)  # fmt: skip
def test_text(html: str, text: str) -> None:
    """The text of a link is what people read first, whole and without labels."""
    assert text == _found(html).text


def test_names_are_cut() -> None:
    """B9: labels and categories are cut to what reports keep."""
    found = _found(f"<a _label={'l' * 300} _category={'c' * 300} href='https://x.example/'>x</a>")

    assert ("l" * 255, "c" * 100) == (found.label, found.category)


def test_one_occurrence_decides() -> None:
    """A URL that is not to be tracked at one place is not tracked at any."""
    found = _found(
        "<a href='https://x.example/'>1</a><a href='https://x.example/' ses:no-track>2</a>"
    )

    assert (2, TrackingMode.NOT_TRACKED) == (found.occurrences, found.mode)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ("", UrlType.EMAIL_CLICK),
        ("data-msys-unsubscribe=1", UrlType.OPT_OUT),
        ("data-msys-unsubscribe=0", UrlType.EMAIL_CLICK),
        ("data-msys-unsubscribe=1 _type=MirrorPage", UrlType.MIRROR_PAGE),
        ("_type=optOut", UrlType.OPT_OUT),
    ],
)
def test_types(attributes: str, kind: UrlType) -> None:
    """Our own word for the type of a link wins over another product's."""
    assert kind is _found(f"<a {attributes} href='https://x.example/'>x</a>").type


def test_operator_tracks_all_the_same() -> None:
    """A link that the author switched off can be switched on; its mark is not sent then, too."""
    source = Source("-", "<a href='https+notrack://x.example/'>x</a>", "https+notrack://x.example/")
    found = detect(source, addresses=ADDRESSES)
    template = compile_message(
        source,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        tracked={
            (link.part, link.source): TrackedLink(UrlId(number))
            for number, link in enumerate(found, start=2)
        },
        is_open_tracked=False,
    )
    rendered = render_case(template)

    assert [2, 3] == [token.url_id for token in tokens(f"{rendered.html} {rendered.text}")]
    assert "notrack" not in f"{rendered.html}{rendered.text}"
