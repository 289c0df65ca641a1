"""What may be wrong with the links of a message though it can be sent: advice, not errors.

| kind | what was found |
|---|---|
| `relative-link` | a link without scheme and host, and no `<base href>` in the document |
| `missing-scheme` | `www.…` without https:// |
| `unreadable-link` | https:// with a host that no browser understands |
| `unbalanced-link` | a bracket that is not closed |
| `long-link` | more than 2,048 bytes |
| `space-in-link` | white space inside an address |
| `deep-link` | an address that only an app understands |
| `foreign-placeholder` | `{{…}}`, `*|…|*` or the like of another product in an address |
| `shown-elsewhere` | the text of the link is an address with another host |
| `shown-address` | the text of a tracked link is its own address |
| `pixel-place` | the pixel has no place, or a place that nothing is put into |
| `mirror-without-html` | a link to the web copy of a message that has none |
| `untracked-part` | a part that could not be understood |

Source: spec §3.3, §3.11; field lessons A21, A22.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aftersend.content.block import known_link
from aftersend.content.detection import PreparedPart, links_of, read_parts
from aftersend.content.expression import Passage
from aftersend.content.hypertext import Occurrence, address_pieces, base_of, is_link
from aftersend.content.markup import Tag, read_markup
from aftersend.content.message import Addresses, Preparation, Source
from aftersend.model.enumeration import Part, PixelPlace, UrlType

__all__ = ["SHOWN_ADDRESS", "URL_BYTES_MAX", "Lint", "lint"]

URL_BYTES_MAX: Final = 2048
"""Longer addresses are cut by some programs on the way."""

_SHOWN_MAX: Final = 120
_BRACKETS: Final = ("()", "[]", "{}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_WEB: Final = re.compile(r"https?(?:\+notrack)?:", re.IGNORECASE)
_HOST: Final = re.compile(r"https?://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)", re.IGNORECASE)
_BARE_HOST: Final = re.compile(r"(?<![\w@./:\-])www\.[\w\-]+\.[\w.\-]*\w", re.IGNORECASE)
_FOREIGN: Final = re.compile(r"\{\{.*?\}\}|\*\|.*?\|\*|%%\w+%%|\$\{.*?\}|\{%.*?%\}")
SHOWN_ADDRESS: Final = re.compile(
    r"[<(\[\"']?(?P<beginning>https?://|www\.)?"
    r"(?P<host>[^\W_][\w\-]*(?:\.[\w\-]+)*\.[^\W\d_]{2,})(?::\d+)?(?P<path>[/?#]\S*)?[>)\]\"'.]?",
    re.IGNORECASE,
)
"""A text that people read as an address: what it begins with, its host and path."""

_LEFT_ALONE: Final = frozenset(
    (
        *("mailto", "tel", "sms", "mms", "cid", "mid", "data", "javascript", "callto", "fax"),
        *("facetime", "geo", "webcal", "xmpp", "ftp"),
    )
)


@dataclass(frozen=True, slots=True)
class Lint:
    """A piece of advice: `kind` for programs, `text` for people, `line` of the author's part."""

    kind: str
    part: Part
    text: str
    line: int


def lint(
    source: Source,
    *,
    addresses: Addresses,
    preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
) -> tuple[Lint, ...]:
    """Look for what may be wrong with the links of a message; the same is said once a part.

    Raises:
        InvalidContent: the message cannot be prepared.

    >>> found = lint(
    ...     Source("Hi", html="<a href='shop.html'>Shop</a>"),
    ...     addresses=Addresses("https://t.example", "https://app.example"),
    ... )
    >>> [(each.kind, each.line) for each in found]
    [('relative-link', 1)]
    """
    parts = read_parts(source, addresses, preparation)
    off = {(f.part, f.source) for f in links_of(parts, addresses) if not f.mode.is_tracked}
    found = [each for part in parts for each in _part(part, off)]
    found += _whole(parts, addresses, preparation)
    return tuple({(each.kind, each.part, each.text): each for each in reversed(found)}.values())[
        ::-1
    ]


def _whole(
    parts: tuple[PreparedPart, ...], addresses: Addresses, preparation: Preparation
) -> Iterator[Lint]:
    html = parts[0] if parts[0].part is Part.HTML else None
    if html and not html.problem and preparation.pixel is PixelPlace.PLACEHOLDER:
        if not html.placeholders:
            yield Lint(
                "pixel-place",
                Part.HTML,
                "The pixel has no place in the HTML and stands at its end: write"
                " <%@ include view='OpenPixel' %> where it belongs.",
                1,
            )
    elif html and html.placeholders:
        yield Lint(
            "pixel-place",
            Part.HTML,
            "The place for the pixel stays empty: set the pixel of the delivery to placeholder.",
            _line(html.passage, html.placeholders[0][0]),
        )
    if html is None:
        for part in parts:
            for each in part.occurrences:
                known = known_link(each.address.pieces, addresses)
                if known and known.type is UrlType.MIRROR_PAGE:
                    yield Lint(
                        "mirror-without-html",
                        part.part,
                        "The text links to the web copy of the message, which there is only of an"
                        " HTML part: write one, or leave the block out.",
                        _line(part.passage, each.start),
                    )


def _part(prepared: PreparedPart, off: set[tuple[Part, str]]) -> Iterator[Lint]:
    part, passage = prepared.part, prepared.passage
    if prepared.problem:
        yield Lint("untracked-part", part, prepared.problem, 1)
        return
    occurrences = {each.start: each for each in prepared.occurrences}
    addresses = _hrefs(passage) if part is Part.HTML else _texts(prepared)
    for start, url, base in addresses:
        each = occurrences.get(start)
        problems = list(_left_alone(url, base) if each is None else _of_address(url))
        if each is not None:
            problems += _of_text(each, is_tracked=(part, each.address.source) not in off)
        for kind, text in problems:
            yield Lint(kind, part, text, _line(passage, start))


def _hrefs(passage: Passage) -> Iterator[tuple[int, str, str]]:
    """Give the addresses of links with their places, and what relative ones begin at."""
    markup = read_markup(passage.masked)
    base = base_of(passage, markup)
    for node in markup.nodes:
        if not isinstance(node, Tag) or node.is_end or not is_link(node):
            continue
        href = node.attribute("href")
        if href is not None:
            pieces = address_pieces(passage, href)
            url = "".join(each if isinstance(each, str) else "x" for each in pieces)
            yield href.value_start, url.strip(), base


def _texts(prepared: PreparedPart) -> Iterator[tuple[int, str, str]]:
    passage = prepared.passage
    spans = [(each.start, each.end) for each in prepared.occurrences]
    for start, end in spans:
        pieces = passage.pieces(start, end)
        yield start, "".join(each if isinstance(each, str) else "x" for each in pieces), ""
    for match in _BARE_HOST.finditer(passage.masked):
        if not any(start <= match.start() < end for start, end in spans):
            yield match.start(), match[0], ""


def _left_alone(url: str, base: str) -> Iterator[tuple[str, str]]:
    """Judge an address that is not tracked."""
    shown = _cut(url)
    scheme = _SCHEME.match(url)
    if foreign := _FOREIGN.search(url):
        yield _foreign(shown, foreign[0])
    elif _BARE_HOST.match(url):
        yield (
            "missing-scheme",
            f"The link {shown} has no scheme and is not tracked: write https://{shown}.",
        )
    elif not url or url.startswith("#"):
        return
    elif scheme and _WEB.match(url):
        yield (
            "unreadable-link",
            f"The host of {shown} cannot be read, so it is not tracked: look for spaces and"
            " characters that no host has.",
        )
    elif scheme and scheme[1].lower() not in _LEFT_ALONE:
        yield (
            "deep-link",
            f"The link {shown} opens an app and is not tracked: lead people to an https address"
            " that the app answers to.",
        )
    elif not scheme and not base:
        yield (
            "relative-link",
            f"The link {shown} leads nowhere in a mail and is not tracked: write the whole address,"
            " or a <base href> in the head.",
        )


def _of_address(url: str) -> Iterator[tuple[str, str]]:
    """Judge a web address."""
    shown = _cut(url)
    if foreign := _FOREIGN.search(url):
        yield _foreign(shown, foreign[0])
        return
    if re.search(r"\s", url):
        yield "space-in-link", f"The link {shown} has a space inside: write %20."
    for opening, closing in _BRACKETS:
        if url.count(opening) != url.count(closing):
            yield (
                "unbalanced-link",
                f"The link {shown} has a single {opening} or {closing}, where some programs end"
                " it: percent-encode it.",
            )
    size = len(url.encode())
    if size > URL_BYTES_MAX:
        yield (
            "long-link",
            f"The link {shown} has {size:,} bytes: some programs cut what is longer than"
            f" {URL_BYTES_MAX:,}. Shorten it.",
        )


def _of_text(each: Occurrence, *, is_tracked: bool) -> Iterator[tuple[str, str]]:
    """Judge what people read as the link."""
    shown = SHOWN_ADDRESS.fullmatch(each.text)
    leads_to = _HOST.match(str(each.address.pieces[0]))
    if shown is None or leads_to is None:
        return
    host, other = (_bare(name) for name in (shown["host"], leads_to["host"]))
    if host == other or other.endswith(f".{host}") or host.endswith(f".{other}"):
        if is_tracked:
            yield (
                "shown-address",
                f"The link that reads {_cut(each.text)} leads to our server first, and mail"
                " programs may warn of that: write words in its place, or do not track it.",
            )
    # Words with a dot in them are no address.
    elif shown["beginning"] or shown["path"]:
        yield (
            "shown-elsewhere",
            f"The link that reads {_cut(each.text)} leads to {other}: mail programs warn of such"
            " links. Write words in its place.",
        )


def _foreign(shown: str, placeholder: str) -> tuple[str, str]:
    return (
        "foreign-placeholder",
        f"The link {shown} has {placeholder[:40]} inside, which nobody fills here: write"
        " <%= escapeUrl(recipient.field) %>.",
    )


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.").rstrip(".")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _line(passage: Passage, at: int) -> int:
    return passage.place(at).line
