"""Browsers that load images and follow links up to the redirect, never beyond."""

from dataclasses import dataclass, field
from typing import Self

import httpx

from aftersend.errors import Transient

__all__ = ["Browser", "Visitor"]

_COOKIES_MAX = 8


@dataclass(slots=True)
class Visitor:
    """One browser: its name, address and cookie jar; a browser may refuse cookies."""

    user_agent: str
    address: str = "192.0.2.1"
    is_refusing_cookies: bool = False
    cookies: dict[str, str] = field(default_factory=dict)


class Browser:
    """Asks one tracking server on behalf of many visitors over one connection."""

    def __init__(self, base_url: str) -> None:
        """Point at the tracking server `base_url`."""
        self._client = httpx.Client(base_url=base_url, timeout=30, follow_redirects=False)

    def __enter__(self) -> Self:
        """Keep the connection for the length of a block."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, visitor: Visitor, path: str, *, method: str = "GET") -> httpx.Response:
        """Send one request as `visitor` and keep the cookies that he accepts.

        Raises:
            Transient: the tracking server cannot be reached.
        """
        headers = {"User-Agent": visitor.user_agent, "X-Forwarded-For": visitor.address}
        if visitor.cookies:
            headers["Cookie"] = "; ".join(
                f"{key}={value}" for key, value in visitor.cookies.items()
            )
        try:
            response = self._client.request(method, path, headers=headers)
        except httpx.HTTPError as error:
            raise Transient(f"The tracking server does not answer: {error}.") from error
        if not visitor.is_refusing_cookies:
            _keep_cookies(visitor, response)
        # Cookies belong to visitors; the shared connection must not remember them.
        self._client.cookies.clear()
        return response


def _keep_cookies(visitor: Visitor, response: httpx.Response) -> None:
    for name, value in response.cookies.items():
        if len(visitor.cookies) < _COOKIES_MAX or name in visitor.cookies:
            visitor.cookies[name] = value
