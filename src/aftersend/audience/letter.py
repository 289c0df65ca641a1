"""What a mail client sees in a received message: its links and its images."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from html.parser import HTMLParser
from urllib.parse import urlsplit

__all__ = ["Letter", "read_letter"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A received message: paths of its tracked links and open images, in reading order.

    `traps` are links that nobody sees: a program that reads the source follows them, too.
    """

    recipient: str
    links: tuple[str, ...]
    images: tuple[str, ...]
    traps: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Tell whether nothing in it can show that it was opened."""
        return not self.images


def read_letter(raw: bytes, *, redirect_url: str) -> Letter:
    """Find what a client could load or follow on the tracking server at `redirect_url`.

    Shape: paths such as ``/r/ce…``, so that they can be asked from any port.
    """
    message = message_from_bytes(raw, policy=policy.default)
    collected = _Reader()
    html = message.get_body(("html",))
    text = message.get_body(("plain",))
    if html is not None:
        collected.feed(html.get_content())
        collected.close()
    elif text is not None:
        collected.links = _addresses(text.get_content())
    return Letter(
        recipient=str(message["X-Envelope-To"] or message["To"]),
        links=_paths(collected.links, redirect_url),
        images=_paths(collected.images, redirect_url),
        traps=_paths(collected.hidden, redirect_url),
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.images: list[str] = []
        self.hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("a", "area") and (href := values.get("href")):
            is_seen = "display:none" not in (values.get("style") or "")
            (self.links if is_seen else self.hidden).append(href)
        elif tag == "img" and (source := values.get("src")):
            self.images.append(source)


def _addresses(text: str) -> list[str]:
    return [word.strip("()[]{}<>.,;") for word in text.split() if "://" in word]


def _paths(urls: list[str], redirect_url: str) -> tuple[str, ...]:
    base = f"{redirect_url}/r/"
    return tuple(urlsplit(url).path for url in urls if url.startswith(base))
