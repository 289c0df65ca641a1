"""Fixed answers: headers, the pixel, pages without any link."""

from base64 import b64decode
from typing import Final

__all__ = [
    "BLOCKED",
    "CLOSE",
    "GONE",
    "IMAGE_HEADERS",
    "JSON_HEADERS",
    "NOT_ALLOWED",
    "NOT_ALLOWED_HEADERS",
    "NOT_FOUND",
    "PAGE_HEADERS",
    "PIXEL",
    "PRIVATE_HEADERS",
    "UNAVAILABLE",
    "XML_HEADERS",
    "Headers",
]

Headers = tuple[tuple[str, str], ...]

PRIVATE_HEADERS: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex, nofollow"),
    ("referrer-policy", "no-referrer"),
)
"""What every answer to people carries."""

PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""

IMAGE_HEADERS: Final = [("content-type", "image/gif"), *PRIVATE_HEADERS]
JSON_HEADERS: Final = [("content-type", "application/json"), *PRIVATE_HEADERS]
XML_HEADERS: Final = [("content-type", "text/xml; charset=utf-8"), *PRIVATE_HEADERS]
PAGE_HEADERS: Final = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("x-content-type-options", "nosniff"),
    *PRIVATE_HEADERS,
]
CLOSE: Final = ("connection", "close")
"""What an answer carries that does not wait for the body of its request.

Without it the client may ask again on a connection that is closed for that body (RFC 9112 §9.6).
"""
NOT_ALLOWED_HEADERS: Final = [*PAGE_HEADERS, ("allow", "GET, HEAD"), CLOSE]

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem/1.5 sans-serif;margin:20vh auto;max-width:30rem;padding:0 1rem}}</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""


def _page(title: str, text: str) -> bytes:
    return _PAGE.format(title=title, text=text).encode()


NOT_FOUND: Final = _page("Not found", "The requested address was not found.")
GONE: Final = _page("No longer available", "This link has expired.")
BLOCKED: Final = _page("No longer available", "This link was stopped by its sender.")
NOT_ALLOWED: Final = _page("Not possible", "This address can only be opened.")
UNAVAILABLE: Final = _page("Not available", "This address cannot be opened at the moment.")
