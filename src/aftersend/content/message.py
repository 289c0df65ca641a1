"""What goes into the preparation of a message and what comes out of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aftersend.content.expression import Operand
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import Destination
from aftersend.model.enumeration import Part, PixelPlace, TrackingMode, UrlType
from aftersend.model.ids import UrlId

__all__ = ["Addresses", "FoundLink", "Preparation", "Rendered", "Source", "TrackedLink"]

_BASE: Final = re.compile(r"https?://[A-Za-z0-9.\-_~%:@\[\]]+(?:/[A-Za-z0-9.\-_~%!$*+,:@]+)*/*")


@dataclass(frozen=True, slots=True)
class Source:
    """A message as its author wrote it; a part that is blank or None is not sent.

    One that `is_literal` is finished: what looks like an expression is text.
    """

    subject: str
    html: str | None = None
    text: str | None = None
    sms: str | None = None
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public bases of links: `redirect` of the tracking servers, `app` of /m/ and /u/.

    A slash at the end makes no difference. `others` are those of the other brands of the instance:
    nothing is written with them, but links that begin so are ours, too.

    Raises:
        InvalidContent: one is not a plain http or https address.
    """

    redirect: str
    app: str
    others: tuple["Addresses", ...] = ()

    def __post_init__(self) -> None:
        for name in ("redirect", "app"):
            url = getattr(self, name)
            if not _BASE.fullmatch(url):
                raise InvalidContent(
                    f"The public address {url!r} cannot stand in a link: write it like"
                    " https://t.example.com, without spaces, quotes, ? and #."
                )
            object.__setattr__(self, name, url.rstrip("/"))

    @property
    def every(self) -> tuple["Addresses", ...]:
        """Give these and the others."""
        return (self, *self.others)

    def is_ours(self, url: str) -> bool:
        """Tell whether an address leads to our pages or tracking servers, whatever the brand."""
        return any(url.startswith((f"{one.app}/", f"{one.redirect}/r/")) for one in self.every)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a message is prepared: what the instance and the delivery chose.

    `pairs` are the brackets that end a URL in text. The formulas are content of their own, see
    `content.formula`; `delivery` is what they and scripts may read of the delivery. One message may
    take `seconds_max` of scripts and `memory_bytes_max`; 0 seconds are for ever.
    """

    pairs: tuple[str, ...] = ("()", "[]", "{}")
    pixel: PixelPlace = PixelPlace.BOTTOM
    click_formula: str = ""
    open_formula: str = ""
    link_parameters: str = ""
    delivery: Mapping[str, object] = field(default_factory=dict)
    seconds_max: float = 5.0
    memory_bytes_max: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundLink:
    """One link of one part; the same decoded URL twice is one link.

    `source` is the URL with character references decoded once and its personalisation kept; value
    n of the destination is the recipient's `fields[n]`. `label` is cut to 255 characters. `mode` is
    the author's own choice, by the attributes of the link; `text` is what people read as the link.
    """

    part: Part
    source: str
    destination: Destination
    fields: tuple[Operand, ...] = ()
    occurrences: int = 1
    category: str = ""
    mode: TrackingMode = TrackingMode.ENABLED
    text: str = ""

    @property
    def type(self) -> UrlType:
        """Give what a click on the link counts as."""
        return self.destination.type

    @property
    def label(self) -> str:
        """Give the name of the link in lists and reports."""
        return self.destination.label


@dataclass(frozen=True, slots=True)
class TrackedLink:
    """What became of a found link: its id; type, label and category as people left them."""

    url_id: UrlId
    type: UrlType = UrlType.EMAIL_CLICK
    label: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message for one recipient."""

    subject: str
    html: str | None = None
    text: str | None = None
    sms: str | None = None
