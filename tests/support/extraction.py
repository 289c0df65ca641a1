"""The links of a message as somebody reads them who knows nothing of our own detection."""

import re
from html.parser import HTMLParser

__all__ = ["html_links", "text_links"]

_CONDITION = re.compile(r"\[if\b[^\]]*\]>(.*)<!\[endif\]", re.DOTALL | re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"]+")
_AFTER_URL = ".,;:!?)]}"


def html_links(html: str) -> list[str]:
    """List the addresses of all links, those for Outlook included, in the order they stand."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.links


def text_links(text: str) -> list[str]:
    """List the web addresses of a text, without what ends the sentence behind them."""
    return [found.rstrip(_AFTER_URL) for found in _URL.findall(text)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "area") or tag.startswith("v:"):
            self.links += [value for name, value in attrs[:] if name == "href" and value][:1]

    def handle_comment(self, data: str) -> None:
        if inner := _CONDITION.fullmatch(data):
            self.links += html_links(inner[1])
