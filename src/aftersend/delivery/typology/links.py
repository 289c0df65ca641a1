"""What may be wrong with links."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from urllib.parse import unquote, urlsplit

from aftersend.content.lint import SHOWN_ADDRESS
from aftersend.database.deliveries import Check
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.typology.host import base_domain, host_of, is_local
from aftersend.delivery.typology.prepared import PART_NAMES, Link, Prepared
from aftersend.delivery.typology.rule import finding
from aftersend.model.enumeration import Part, UrlType

__all__ = ["ADVICE", "CHECKS"]

ADVICE: Final = {
    "space-in-link": "url-approval",
    "unbalanced-link": "url-approval",
    "unreadable-link": "url-approval",
    "long-link": "url-approval",
    "relative-link": "relative-link",
    "missing-scheme": "relative-link",
    "deep-link": "deep-link",
    "foreign-placeholder": "foreign-placeholder",
    "pixel-place": "pixel-place",
}
"""The rules that speak of what `content.lint` finds, by its kinds.

Its other kinds are looked at here, because operators have a say in them.
"""

_SHOWN_MAX: Final = 200
_CODE: Final = re.compile(r"<%.*?%>", re.DOTALL)
_IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".bmp", ".ico")
_ENCODED_TWICE: Final = re.compile(r"&(?:amp|#0*38|#x0*26);", re.IGNORECASE)
_OURS: Final = (UrlType.MIRROR_PAGE, UrlType.OPT_OUT)

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LETS_IN: Final = frozenset(("reset", "token", "magic", "verify", "login", "signin"))
_LETS_IN_INSIDE: Final = ("password", "passwd", "signin")
_UNSUBSCRIBES: Final = "unsubscribe"


def _labels(prepared: Prepared) -> Iterator[Check]:
    for link in prepared.links:
        if link.is_tracked and not link.url.label.strip():
            yield finding(
                "url-label",
                f"The link {_shown(link.url)} has no label: reports will show it without a name.",
            )


def _addresses(prepared: Prepared) -> Iterator[Check]:
    for link in _distinct(prepared.links):
        for problem in _problems(_CODE.sub("x", link.url.source)):
            yield finding("url-approval", f"The link {_shown(link.url)} {problem}")


def _problems(source: str) -> Iterator[str]:
    if _path(source).lower().endswith(_IMAGES):
        yield "leads to an image, which some programs refuse to open: lead people to a page."
    if found := _ENCODED_TWICE.search(source):
        yield f"has {found[0]} in the address that people are sent to: encode & only once."


def _advice(prepared: Prepared) -> Iterator[Check]:
    """Tell what reading the content brought up, once for both parts."""
    told: set[tuple[str, str]] = set()
    for each in prepared.lints:
        if each.kind in ADVICE and (each.kind, each.text) not in told:
            told.add((each.kind, each.text))
            place = f"{PART_NAMES[each.part]} line {each.line}"
            yield finding(ADVICE[each.kind], f"{place}: {each.text}")


def _phishing(prepared: Prepared) -> Iterator[Check]:
    for link in prepared.links:
        shown = SHOWN_ADDRESS.fullmatch(link.text.strip())
        if link.url.part is not Part.HTML or shown is None:
            continue
        host = host_of(_CODE.sub("x", link.url.source))
        is_same = base_domain(shown["host"].lower()) == base_domain(host)
        if not is_same and not (shown["beginning"] or shown["path"]):
            continue  # words with a dot, not an address
        if not is_same:
            yield finding(
                "phishing",
                f"The link that reads {link.text[:_SHOWN_MAX]} leads to {host}: mail programs warn"
                " of such links. Write words in its place.",
            )
        elif link.is_tracked:
            yield finding(
                "phishing",
                f"The link that reads {link.text[:_SHOWN_MAX]} would lead to our tracking server"
                f" first, and mail programs may warn of that. Write words in its place, or"
                f" {_how_to_switch_off(link.url)}.",
            )


def _sensitive(prepared: Prepared) -> Iterator[Check]:
    for link in _distinct(prepared.links):
        if not link.is_tracked or link.url.type in _OURS or prepared.is_own(link):
            continue
        words = _words(_CODE.sub("x", link.url.source))
        if any(_UNSUBSCRIBES in each for each in words):
            yield finding(
                "sensitive-link",
                f"The link {_shown(link.url)} seems to unsubscribe: set link {link.url.id} to"
                " opt-out, so that figures tell who left, or to not-tracked.",
            )
        elif word := next((each for each in words if _lets_in(each)), ""):
            yield finding(
                "sensitive-link",
                f"The link {_shown(link.url)} has the word {word}. Where it lets somebody in, no"
                f" log should have it: {_how_to_switch_off(link.url)}.",
            )


def _words(source: str) -> list[str]:
    """Give the words of the path and the query, then those that two short ones make."""
    try:
        split = urlsplit(source)
    except ValueError:
        return []
    words: list[str] = _WORD.findall(unquote(f"{split.path} {split.query}"))
    words = [word.lower() for word in words]
    return words + [f"{first}{second}" for first, second in pairwise(words) if second == "in"]


def _lets_in(word: str) -> bool:
    return word in _LETS_IN or any(each in word for each in _LETS_IN_INSIDE)


def _plain(prepared: Prepared) -> Iterator[Check]:
    hosts = {
        host_of(source)
        for link in prepared.links
        if not prepared.is_own(link)
        and (source := _CODE.sub("x", link.url.source)).lower().startswith("http://")
    }
    for host in sorted(hosts):
        if not is_local(host):
            yield finding(
                "plain-http",
                f"Links to {host} are written http: anybody on the way can read and change what"
                " people are shown. Write https.",
            )


def _distinct(links: Sequence[Link]) -> list[Link]:
    """Take each address once; that of the HTML, which comes first."""
    return list({link.url.source: link for link in reversed(links)}.values())[::-1]


def _path(source: str) -> str:
    try:
        return urlsplit(source).path
    except ValueError:
        return ""


def _how_to_switch_off(url: TrackedUrl) -> str:
    return f"set link {url.id} to not-tracked"


def _shown(url: TrackedUrl) -> str:
    source = url.source
    return source if len(source) <= _SHOWN_MAX else f"{source[:_SHOWN_MAX]}…"


CHECKS: Final = (_labels, _addresses, _advice, _phishing, _sensitive, _plain)
