"""Asking our own servers as a mail client would, and saying in words what they answer."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

__all__ = ["Answer", "Visitor", "make_client"]

_TIMEOUT_S: Final = 10.0
_HOPS_MAX: Final = 3
_REASON_LENGTH_MAX: Final = 200
_USER_AGENT: Final = "Aftersend tracking test"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 when nobody answered, `text` says why then."""

    status: int
    location: str = ""
    media_type: str = ""
    text: str = ""

    @property
    def is_redirect(self) -> bool:
        """Tell whether it sends people on."""
        return 300 <= self.status < 400

    @property
    def words(self) -> str:
        """Say in short what came back."""
        if not self.status:
            return self.text
        return self.location if self.is_redirect else f"{self.status} {self.media_type}".strip()


@dataclass(slots=True)
class Visitor:
    """Asks for addresses; a server that does not answer is not asked again.

    `todo` says for the base of each server what to do when it does not answer.
    """

    client: httpx.Client
    todo: dict[str, str]
    _silent: dict[str, str] = field(default_factory=dict)

    def get(self, url: str) -> Answer:
        """Ask once, without following anything."""
        server = urlsplit(url).netloc
        if server not in self._silent:
            try:
                return _answer(self.client.get(url))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error)[:_REASON_LENGTH_MAX] or type(error).__name__
                self._silent[server] = f"no answer ({reason}): {self._advice(url)}"
        return Answer(0, text=self._silent[server])

    def page(self, url: str, *, within: str) -> Answer:
        """Ask for a page of our own, and for the page it sends on to while that is ours, too."""
        for _ in range(_HOPS_MAX):
            answer = self.get(url)
            onwards = urljoin(url, answer.location)
            if not answer.is_redirect or not onwards.startswith(within):
                break
            url = onwards
        return answer

    def _advice(self, url: str) -> str:
        known = (todo for base, todo in self.todo.items() if url.startswith(base))
        return next(known, "look whether the address is right")


def make_client() -> httpx.Client:
    """Make a client that asks directly, waits for a while, and follows nothing."""
    return httpx.Client(
        timeout=_TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": _USER_AGENT},
    )


def _answer(response: httpx.Response) -> Answer:
    return Answer(
        status=response.status_code,
        location=response.headers.get("Location", ""),
        media_type=response.headers.get("Content-Type", "").partition(";")[0],
        text=response.text,
    )
