"""What every answer says to browsers about trust.

Pages run only our own scripts and styles and talk to nobody else. A mirror page is a stranger's
HTML on our host: it is sandboxed without scripts and without our origin, and may load the
pictures and styles that its author wrote.
"""

from collections.abc import Mapping
from typing import Final

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

__all__ = ["MIRROR_POLICY", "harden", "preview_headers"]

_PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
MIRROR_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "img-src * data:",
        "media-src *",
        "font-src * data:",
        "style-src * 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-popups allow-popups-to-escape-sandbox"
        " allow-top-navigation-by-user-activation",
    )
)

_HEADERS: Final = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def preview_headers(*, is_loading: bool) -> Mapping[str, str]:
    """Give the headers of a message in a frame of ours; it loads pictures only when told to."""
    others, media = ("* ", "*") if is_loading else ("", "'none'")
    policy = (
        "default-src 'none'",
        f"img-src {others}data:",
        f"media-src {media}",
        f"font-src {others}data:",
        f"style-src {others}'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "SAMEORIGIN",
        "X-DNS-Prefetch-Control": "off",
    }


async def harden(message: Message, _: Scope) -> None:
    """Add the headers that an answer lacks."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
