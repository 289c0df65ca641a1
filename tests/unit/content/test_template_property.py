"""What must hold for every message that anybody could write."""

import re
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from turbohtml import TokenType, tokenize

from aftersend.content import Rendered, Source, Template, detect
from aftersend.content.marking import ATTRIBUTES
from aftersend.content.markup import decode_attribute
from aftersend.content.sheet import spoken
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import location
from tests.support import content_strategies as some
from tests.support.content_golden import ADDRESSES, compile_case, render_case, tokens

_LINK = re.compile(r"https://t\.example/r/[a-z2-7]+(?!\.gif|[a-z2-7])")
_EMAILS = tuple(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "data" / "emails").glob("*.html"))
)
_GLUED = re.compile(r"[^\s(]\(?https?[:+]")
_PIXEL = re.compile(r'<img src="https://t\.example/r/[a-z2-7]+\.gif"[^>]*>')


def _compiled(source: Source) -> Template:
    try:
        return compile_case(source)
    except InvalidContent:
        assume(False)
        raise


def _rendered(template: Template, **recipient: object) -> Rendered:
    try:
        return render_case(template, **recipient)
    except InvalidContent:
        assume(False)
        raise


def _sent(html: str, **recipient: object) -> str:
    rendered = _rendered(_compiled(Source("-", html)), **recipient)
    assert rendered.html is not None
    return rendered.html


@given(some.documents, some.endings)
def test_known_links(pieces: list[some.Piece], ending: tuple[str, str]) -> None:
    """In a document whose links are known, their addresses are replaced and nothing else changes.

    Killed mutants: the address replaced with its quotes; places counted in bytes of UTF-8; the
    second occurrence left alone; carriage returns dropped; references not decoded, or twice; the
    pixel before the first `</body>`.
    """
    html = "".join(piece.raw for piece in pieces) + "".join(ending)
    assume(html.strip())
    urls = [piece.url for piece in pieces if piece.url]
    sent = _sent(html)
    found = detect(Source("-", html), addresses=ADDRESSES)

    assert list(dict.fromkeys(urls)) == [link.source for link in found]
    assert [urls.count(link.source) for link in found] == [link.occurrences for link in found]
    ids = {link.source: number for number, link in enumerate(found, start=2)}
    unpixelled = _PIXEL.sub("", sent)
    assert [ids[url] for url in urls] == [token.url_id for token in tokens(unpixelled)]
    marked = "".join(piece.marked for piece in pieces) + "".join(ending)
    assert marked == _LINK.sub("⟦⟧", unpixelled)
    pixel = _PIXEL.search(sent)
    assert pixel is not None
    assert ending[1] == sent[pixel.end() :]


@given(some.soups)
@example("<a href=https://x.example/>&<a href='https://x.example/?a=1&amp;b=2#c'>")
def test_undo(html: str) -> None:
    """Whatever the markup, putting the addresses back and the pixel out gives the source.

    Killed mutants: the pixel twice; the closing quote replaced too; an unquoted address one
    character short; `/` ends an unquoted address.
    """
    assume(html.strip() and "_" not in html)
    sources = [link.source for link in detect(Source("-", html), addresses=ADDRESSES)]
    sent = _PIXEL.sub("", _sent(html), count=1)

    assert not _PIXEL.search(sent)
    assert _is_undone(sent, html, sources)


@given(some.marked_soups)
@example("<base href='https://b.example/p/q?r#s'><a href=../g data-cio-tag><a href=c/d?e=1>")
@example("<base href=https://b.example/p/q><a href='?e=1&amp;f#g'><a href=c#d>")
@example("<a href=https+notrack://x.example/a><a _label=l href=https://x.example/>")
def test_undo_marked(html: str) -> None:
    """Tracking replaces addresses and adds the pixel; all else is as it is without tracking.

    Without tracking, nothing but marks is missing of the source.

    Killed mutants: a relative address cut at its fragment; the mark of a scheme left in.
    """
    assume(html.strip())
    sent = _PIXEL.sub("", _sent(html), count=1)
    sources = [link.source for link in detect(Source("-", html), addresses=ADDRESSES)]
    untracked = render_case(compile_case(Source("-", html), is_tracked=False)).html

    assert untracked is not None
    assert _is_undone(sent, untracked, sources, base="https://b.example/p/q")
    assert _is_subsequence(untracked, html)
    assert not [url for url in _hrefs(untracked) if "+notrack://" in url[:16].lower()]


def _hrefs(html: str) -> list[str]:
    tags = [token for token in tokenize(html) if token.type is TokenType.START_TAG]
    return [(tag.attr("href") or "").strip() for tag in tags if tag.tag in ("a", "area")]


def _is_subsequence(short: str, whole: str) -> bool:
    characters = iter(whole)
    return all(each in characters for each in short)


@settings(max_examples=60, deadline=None)
@given(some.choices)
@example(
    some.Choice(
        "<% if (1) { %><p>1</body><% } else { %><p>2</body><% } %>",
        "<p>1</body>",
    )
)
def test_choices(choice: some.Choice) -> None:
    """A document with statements is sent as the document that they leave.

    Killed mutant: the pixel inside the last branch.
    """
    assume(choice.left.strip())
    sent, left = _sent(choice.written), _sent(choice.left)

    assert _PIXEL.sub("", _LINK.sub("⟦⟧", left)) == _PIXEL.sub("", _LINK.sub("⟦⟧", sent))
    assert _targets(choice.left, left) == _targets(choice.written, sent)
    assert 1 == len(_PIXEL.findall(sent))


@settings(max_examples=60, deadline=None)
@given(some.text_choices)
@example(
    some.Choice(
        "<% for (let i = 0; i < 2; i++) { %>/b https://x.example/a<% } %>",
        "/b https://x.example/a/b https://x.example/a",
    )
)
@example(
    some.Choice(
        "<% if (1) { %>https://x.example/a<% } else { %> and <% } %>/b",
        "https://x.example/a/b",
    )
)
@example(some.Choice("<% if (1) { %>https://x.example/a<% } %>/b", "https://x.example/a/b"))
@example(
    some.Choice(
        "<% if (1) { %>https://x.example/a<% } %><% if (1) { %>?b=1<% } %>",
        "https://x.example/a?b=1",
    )
)
def test_text_choices(choice: some.Choice) -> None:
    """A text with statements is sent as the text that they leave, or refused.

    Killed mutants: what stands behind a statement is not looked at; only the first statement is; a
    branch goes on with its `else`; a loop ends where it ends.
    """
    assume(choice.left.strip() and not _GLUED.search(choice.left))
    sent = render_case(_compiled(Source("-", text=choice.written))).text
    left = render_case(_compiled(Source("-", text=choice.left))).text

    assert sent is not None
    assert left is not None
    assert _LINK.sub("⟦⟧", left) == _LINK.sub("⟦⟧", sent)
    written, resolved = Source("-", text=choice.written), Source("-", text=choice.left)
    assert _sources(resolved, left) == _sources(written, sent)


def _targets(html: str, sent: str) -> list[str]:
    return _sources(Source("-", html), _PIXEL.sub("", sent))


def _sources(source: Source, sent: str) -> list[str]:
    found = detect(source, addresses=ADDRESSES)
    return [found[token.url_id - 2].source for token in tokens(sent)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(range(len(_EMAILS))), some.damages)
def test_damaged_emails(number: int, damage: list[tuple[float, int, str]]) -> None:
    """A damaged real template is prepared without harm, or refused with our one error.

    Killed mutant: one character more than the address replaced.
    """
    html = some.damaged(_EMAILS[number], damage)
    source = Source("-", html)
    template = _compiled(source)
    sent = _PIXEL.sub("", _rendered(template).html or "", count=1)
    untracked = _rendered(compile_case(source, is_tracked=False)).html or ""
    sources = [link.source for link in detect(source, addresses=ADDRESSES)]

    assert "" == template.untracked_reason
    # Blocks have tokens of their own, which lead nowhere without tracking.
    assert "<%" in html or _is_undone(sent, untracked, sources, base="https://b.example/p/q")


def _is_undone(sent: str, html: str, sources: list[str], base: str = "") -> bool:
    """Tell whether `html` is `sent` with addresses that mean what their tokens say."""
    literals = _LINK.split(sent)
    wanted = [sources[token.url_id - 2] for token in tokens(sent)]
    at = len(literals[0])
    if not html.startswith(literals[0]):
        return False
    for literal, source in zip(literals[1:], wanted, strict=True):
        ends = (end for end in range(at, len(html) + 1) if html.startswith(literal, end))
        end = next((end for end in ends if _means(html[at:end], source, base)), None)
        if end is None:
            return False
        at = end + len(literal)
    return at == len(html)


def _means(written: str, source: str, base: str) -> bool:
    meaning = _meaning(written)
    return source == meaning or (bool(base) and source == _absolute(base, meaning))


def _absolute(base: str, relative: str) -> str:
    path = re.split("[?#]", relative, maxsplit=1)[0]
    return str(urljoin(base, path)) + relative[len(path) :]


def _meaning(written: str) -> str:
    dropped = written.replace("\r", "").replace("\n", "").replace("\t", "")
    return decode_attribute(dropped).strip("".join(map(chr, range(33))))


@given(some.soups)
@example("<p><style>p{}</style ")
def test_pixel(html: str) -> None:
    """The pixel is one real tag: never inside a comment, a script, raw text or another tag.

    Killed mutants: always at the end; before the last `</body>` of the bytes, comments and all; at
    the end of a script, a comment or a tag that never ends; behind an end tag that never ends.
    """
    assume(html.strip())
    sent = _sent(html)
    sources = [
        token.attr("src") or ""
        for token in tokenize(sent)
        if token.type is TokenType.START_TAG and token.tag == "img"
    ]

    assert [url for url in sources if url.endswith(".gif")] == [
        match[0].split('"')[1] for match in _PIXEL.finditer(sent)
    ]
    assert len(_PIXEL.findall(sent)) == 1


@given(some.scripted_soups | some.markup_with_values, some.recipients)
@example('<p title="<%= recipient.a %>"><%= recipient.a %>', {"a": '"><b>', "b": None})
def test_values_are_harmless(html: str, recipient: Mapping[str, object]) -> None:
    """No value adds, ends or changes a tag: the HTML has the structure it has with harmless values.

    Killed mutants: values of HTML left as they are; quotes not escaped; values let into tags or
    into attributes without quotes.
    """
    assume(html.strip())
    template = _compiled(Source("-", html))
    nasty = _rendered(template, **recipient).html
    harmless = _rendered(template, a="x", b="x").html

    assert nasty is not None
    assert harmless is not None
    assert list(_structure(harmless)) == list(_structure(nasty))


def _structure(html: str) -> Iterator[tuple[object, ...]]:
    for token in tokenize(html):
        if token.type is not TokenType.TEXT:
            yield token.type, token.tag, [name for name, _ in token.attrs or ()]


@given(some.soups | some.marked_soups)
@example('<a _label="x"href="y"><a title _label="x" =y><a/_label=x/id=y><a _label=x>')
@example('<a HREF=/ _label=""/>')
def test_own_attributes(html: str) -> None:
    """Without our own attributes, every tag has the other attributes that it had.

    Killed mutants: the space before an attribute always dropped; an attribute before `=` dropped.
    """
    assume(html.strip())
    _compiled(Source("-", html))
    sent = render_case(compile_case(Source("-", html), is_tracked=False)).html

    assert sent is not None
    assert list(_others(html)) == list(_others(sent))


def _others(html: str) -> Iterator[tuple[object, ...]]:
    for token in tokenize(html):
        if token.type is TokenType.START_TAG:
            others = (each for each in token.attrs or () if each[0] not in ATTRIBUTES)
            yield token.tag, [(name, _unmarked(value)) for name, value in others]


def _unmarked(value: str | None) -> str:
    return re.sub(r"(?i)(?<=http|ttps)\+notrack(?=://)", "", value or "")


@settings(deadline=None)
@given(*[some.scripted_soups | some.marked_soups] * 3)
@example("-", "\ud800", "-")
@example("-", "<% \0 %>", "-")
def test_only_our_error(subject: str, html: str, text: str) -> None:
    """Whatever is written, it is prepared or refused with our one error.

    Our own reading never fails on it.

    Killed mutant: half characters let in.
    """
    try:
        template = compile_case(Source(subject, html, text, text))
        rendered = render_case(template)
    except InvalidContent:
        return
    assert "" == template.untracked_reason
    _encoded(rendered)


@given(some.texts_with_values, some.markup_with_values, some.texts_with_values, some.recipients)
def test_any_recipient(subject: str, html: str, text: str, recipient: Mapping[str, object]) -> None:
    """Whatever a recipient's fields hold, the message can be sent, and its subject is one line.

    Killed mutants: only line feeds taken out of a subject; half characters let in.
    """
    rendered = render_case(_compiled(Source(subject, html, f"-{text}")), **recipient)
    message = EmailMessage()
    message["Subject"] = rendered.subject

    assert len(f"-{rendered.subject}-".splitlines()) == 1
    _encoded(rendered)


def _encoded(rendered: Rendered) -> bytes:
    return f"{rendered.subject}{rendered.html}{rendered.text}".encode()


@given(some.scripted_soups, st.booleans())
def test_untracked(html: str, is_open_tracked: bool) -> None:
    """Without tracking, what has no expression and no attribute of ours is sent as it is written.

    Killed mutant: the pixel stays when only links are switched off.
    """
    assume("<%" not in html and "_" not in html and html.strip())
    template = compile_case(Source("-", html), is_tracked=False, is_open_tracked=is_open_tracked)

    assert html == render_case(template).html
    assert {} == template.urls


@given(some.values)
@example("\ud800")
@example("@evil.example/")
def test_values_stay_behind_the_host(value: object) -> None:
    """Whatever a field holds, the link leads to the author's host and path.

    Killed mutants: values percent-encoded twice; half characters let into tokens.
    """
    url = "https://x.example/p?<%= escapeUrl(recipient.a) %>#<%= escapeUrl(recipient.a) %>"
    template = compile_case(Source("-", f'<a href="{url}">x</a>'))
    rendered = render_case(template, a=value)
    assert rendered.html is not None
    link = tokens(rendered.html)[0]
    target = urlsplit(location(template.urls[link.url_id], link.values, ""))

    assert (target.scheme, target.netloc, target.path) == ("https", "x.example", "/p")
    assert unquote(target.query) == unquote(target.fragment) == spoken(value)
