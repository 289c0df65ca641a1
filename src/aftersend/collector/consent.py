"""Consent: the script of banners, and the cookie that keeps what a visitor chose (spec §4.5).

===================================  ==========================================================
``/r/consent.js``                    the script; it says itself how it is used
``/r/consent?choice=allow|forbid``   the pixel, and ``acoptout``; ``forbid`` takes away the cookies
                                     that recognise somebody
``/r/consent``                       JSON: ``{"choice": "allow"}``, ``"forbid"`` or null
===================================  ==========================================================

``acoptout`` may be read by scripts, because there is nothing in it to steal. Nobody else's page may
allow something in a visitor's name: the browser says where a request comes from, and one from
another site counts only where cookies are meant for other sites (``cookie_same_site = "none"``).
To forbid is always possible, also by a link of a privacy page.
"""

import re
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qs

from aftersend.collector.config import CollectorConfig
from aftersend.collector.cookie import NO_COOKIES, Cookies, choice_of
from aftersend.collector.page import (
    IMAGE_HEADERS,
    JSON_HEADERS,
    NOT_ALLOWED,
    PAGE_HEADERS,
    PIXEL,
)

__all__ = ["SCRIPT_PATH", "Consent"]

_PATH: Final = "/r/consent"
SCRIPT_PATH: Final = "/r/consent.js"
_CACHED_SECONDS: Final = 86_400
_SCRIPT_HEADERS: Final = [
    ("content-type", "text/javascript; charset=utf-8"),
    ("cache-control", f"public, max-age={_CACHED_SECONDS}"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
]
_CHOICES: Final = {"allow": True, "forbid": False}
_BODIES: Final = {
    True: b'{"choice": "allow"}',
    False: b'{"choice": "forbid"}',
    None: b'{"choice": null}',
}
_QUERY_LENGTH_MAX: Final = 1_000
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,270}")
_OWN_SITES: Final = frozenset(("same-origin", "same-site", "none"))
_SECONDS_A_DAY: Final = 86_400


class Consent:
    """Answers what banners ask."""

    def __init__(self, config: CollectorConfig, cookies: Cookies) -> None:
        """Read the script once."""
        self._cookies = cookies
        self._is_for_other_sites = config.cookie_same_site == "none"
        source = resources.files("aftersend.collector").joinpath("consent.js").read_text("utf-8")
        seconds = str(config.consent_days * _SECONDS_A_DAY)
        self._script = source.replace("$(seconds)", seconds).encode()

    def answer(self, scope: Any, proto: Any) -> bool:
        """Answer a request for one of these addresses; False when it is for another."""
        path = scope.path
        if not path.startswith(_PATH):
            return False
        if path == SCRIPT_PATH:
            proto.response_bytes(200, _SCRIPT_HEADERS, self._script)
            return True
        if path != _PATH:
            return False
        query = parse_qs(scope.query_string[:_QUERY_LENGTH_MAX])
        if "choice" not in query:
            self._tell(scope, proto)
            return True
        is_allowed = _CHOICES.get(query["choice"][0])
        if is_allowed is None:
            return False
        self._keep(scope, proto, is_allowed)
        return True

    def _tell(self, scope: Any, proto: Any) -> None:
        """Tell what was chosen, to the script of whichever page."""
        headers = scope.headers
        answer = [*JSON_HEADERS, ("vary", "origin, cookie")]
        origin = headers.get("origin") or ""
        if _ORIGIN.fullmatch(origin):
            answer += [
                ("access-control-allow-origin", origin),
                ("access-control-allow-credentials", "true"),
            ]
        proto.response_bytes(200, answer, _BODIES[choice_of(headers.get("cookie") or "")])

    def _keep(self, scope: Any, proto: Any, is_allowed: bool) -> None:
        """Keep a choice; HEAD is asked by machines, and chooses nothing."""
        headers = scope.headers
        if is_allowed and not self._is_ours(headers):
            proto.response_bytes(403, PAGE_HEADERS, NOT_ALLOWED)
            return
        is_chosen = scope.method == "GET"
        cookies = self._cookies.of_choice(headers, is_allowed) if is_chosen else NO_COOKIES
        proto.response_bytes(200, [*IMAGE_HEADERS, *cookies], PIXEL)

    def _is_ours(self, headers: Any) -> bool:
        """Tell whether a page asks that may speak for its visitors; older browsers do not say."""
        site = headers.get("sec-fetch-site")
        if site is None or site in _OWN_SITES:
            return True
        return self._is_for_other_sites and headers.get("sec-fetch-mode") != "navigate"
