"""Personalisation blocks: ready pieces of a message, written `<%@ include view='…' %>`.

They are expanded before links are detected, so the links they bring are tracked like any other.

| block | HTML | text |
|---|---|---|
| MirrorPage | a link to the web copy of the message | a sentence with its address |
| MirrorPageUrl | the bare address of the web copy | the same |
| UnsubscriptionLink | a link to the unsubscription form | a sentence with its address |
| ManagePreferences | a link to the page of preferences | a sentence with its address |
| ViralLinks | links that share the message | lines with their addresses |
| OpenPixel | the place of the picture that tells of opens | |

The addresses hold the token of the message: whoever opens the page needs no other identity. What is
shared is a copy with nothing of the recipient in it.

Source: spec §1.7 (categories), §3.2, §3.11, §3.12, §3.15.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

from aftersend.content.expression import Block, MessageToken, OpenPixel
from aftersend.content.message import Addresses
from aftersend.model.catalogue import TOKEN_SLOT
from aftersend.model.enumeration import Part, UrlType

__all__ = [
    "KnownLink",
    "blocks",
    "known_link",
    "mirror_base",
    "opt_out_base",
    "preferences_base",
    "share_base",
]

_Pieces: TypeAlias = tuple[str | MessageToken | OpenPixel, ...]
_TOKEN: Final = MessageToken()


@dataclass(frozen=True, slots=True)
class KnownLink:
    """What a link to one of our own pages counts as, and what it is called."""

    type: UrlType
    label: str
    category: str = ""


# All lead to our own page, which sends on to the network without the token: with the token others
# could read the message, change the preferences of its recipient and unsubscribe him.
_SHARED: Final = {
    "/facebook": KnownLink(UrlType.EMAIL_CLICK, "Share on Facebook", "facebook"),
    "/twitter": KnownLink(UrlType.EMAIL_CLICK, "Share on X (Twitter)", "twitter"),
    "/linkedin": KnownLink(UrlType.EMAIL_CLICK, "Share on LinkedIn", "linkedin"),
    "/email": KnownLink(UrlType.EMAIL_CLICK, "Share by email", "email"),
}


def mirror_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of a mirror page."""
    return f"{addresses.app}/m/"


def opt_out_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of an unsubscription form."""
    return f"{addresses.app}/u/"


def preferences_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of a page of preferences."""
    return f"{addresses.app}/p/"


def share_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of the page that is shared."""
    return f"{addresses.app}/s/"


def blocks(part: Part, addresses: Addresses) -> Mapping[str, Block]:
    """Give the blocks of a part by name."""
    mirror = mirror_base(addresses)
    mirror_page = "View this message in your browser"
    pages: dict[str, _Pieces] = {
        "MirrorPage": _link(part, mirror_page, mirror),
        "MirrorPageUrl": (mirror, _TOKEN),
        "UnsubscriptionLink": _link(part, "Unsubscribe", opt_out_base(addresses)),
        "ManagePreferences": _link(part, "Manage your preferences", preferences_base(addresses)),
        "ViralLinks": tuple(_viral_links(part, addresses)),
    }
    if part is Part.HTML:
        pages["OpenPixel"] = (OpenPixel(),)
    return {name: Block(pieces) for name, pieces in pages.items()}


def known_link(pieces: tuple[str | int, ...], addresses: Addresses) -> KnownLink | None:
    """Tell which of our own pages a destination leads to; None for all others."""
    shared = [share_base(one) for one in addresses.every]
    match pieces:
        case (str(base), slot, str(end)) if slot == TOKEN_SLOT and base in shared:
            return _SHARED.get(end)
        case (str(base), slot, *_) if slot == TOKEN_SLOT:
            found = (_pages(one).get(base) for one in addresses.every)
            return next((known for known in found if known is not None), None)
    return None


def _pages(addresses: Addresses) -> Mapping[str, KnownLink]:
    return {
        mirror_base(addresses): KnownLink(UrlType.MIRROR_PAGE, "Mirror Page"),
        opt_out_base(addresses): KnownLink(UrlType.OPT_OUT, "Opt-out link"),
        preferences_base(addresses): KnownLink(UrlType.EMAIL_CLICK, "Preferences"),
    }


def _link(part: Part, text: str, base: str, end: str = "") -> _Pieces:
    if part is Part.HTML:
        return (f'<a href="{escape(base)}', _TOKEN, f'{end}">{text}</a>')
    return (f"{text}: {base}", _TOKEN, *([end] if end else []))


def _viral_links(part: Part, addresses: Addresses) -> Iterator[str | MessageToken | OpenPixel]:
    is_html = part is Part.HTML
    yield '<span role="group" aria-label="Share this message">' if is_html else ""
    for number, (end, known) in enumerate(_SHARED.items()):
        if number:
            yield " &middot; " if is_html else "\n"
        yield from _link(part, known.label, share_base(addresses), end)
    yield "</span>" if is_html else ""
