"""Tracking servers: their public addresses, how each stands, and what they are set to.

Registering and verifying take a while: they run in a thread of their own, and the page shows what
they have found. How servers fare is asked of them while the page is there already.

Source: spec §2.2.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from aftersend.database import public_addresses
from aftersend.database.public_addresses import PublicAddress
from aftersend.delivery.registration import validate
from aftersend.delivery.server_list import Faring, ServerRow, farings, server_rows
from aftersend.delivery.verify import verify
from aftersend.errors import Busy, NotFound
from aftersend.model.enumeration import WebTrackingMode
from aftersend.settings import Settings
from aftersend.tracking import pointer
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS", "make_runner"]

_PATH: Final = "/tracking-servers"
_VERIFY, _REGISTER = "verify", "register"


@dataclass(frozen=True, slots=True)
class Address:
    """A public address with the names it serves; `known` is None before anybody looked at it."""

    url: str
    names: tuple[str, ...]
    known: PublicAddress | None


@dataclass(frozen=True, slots=True)
class Server:
    """A tracking server; `waiting` lines were written and are not fetched yet, None: unknown."""

    row: ServerRow
    faring: Faring | None = None
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    def check(self) -> None:
        """Find nothing wrong: what was found is on the page."""


def make_runner(services: Services) -> Runner:
    """Make what registers and verifies when somebody asks for it."""

    def run(name: str, _operator: str) -> _Done:
        # Who is verified must be registered: the answers would be strangers' otherwise.
        validate(services.registry)
        if name == _VERIFY:
            verify(services.registry)
        return _Done()

    return Runner(run)


@get(_PATH, sync_to_thread=True)
def show_servers(
    request: Request[Any, Any, Any],
    services: Given[Services],
    server_runner: Given[Runner],
    now: FromQuery[str] = "",
) -> Template:
    """Show addresses and servers; with `now`, ask the servers how they fare."""
    running = [name for name in (_VERIFY, _REGISTER) if server_runner.is_running(name)]
    problems = (server_runner.problem(name) for name in (_VERIFY, _REGISTER))
    return page(
        request,
        "servers.html",
        addresses=_addresses(services),
        servers=_servers(services, is_asking=now == "yes"),
        is_asked=now == "yes",
        running=running[0] if running else "",
        problem=next((problem for problem in problems if problem), ""),
        facts=_facts(services.settings),
        pointers={each.server: each for each in pointer.pointers(services.lake, services.inbox)},
    )


@post(_PATH + "/{action:str}", sync_to_thread=True)
def start_action(server_runner: Given[Runner], action: FromPath[str]) -> Redirect:
    """Register all servers again, or verify their addresses; the page shows how it goes."""
    if action not in (_VERIFY, _REGISTER):
        raise NotFound("action", action)
    # Pressed twice: the page shows the one that goes on.
    with suppress(Busy):
        server_runner.start(action)
    return Redirect(_PATH, status_code=303)


HANDLERS: Final = (show_servers, start_action)


def _addresses(services: Services) -> list[Address]:
    office = services.office
    names: dict[str, list[str]] = {office.addresses.redirect: ["This instance"]}
    for name, brand in office.brands.items():
        names.setdefault(brand.redirect, []).append(f"Brand {name}")
    with services.database.read() as connection:
        known = public_addresses.every(connection)
    return [Address(url, tuple(of), known.get(url)) for url, of in names.items()]


def _servers(services: Services, *, is_asking: bool) -> list[Server]:
    rows = server_rows(services.registry)
    if not is_asking:
        return [Server(row) for row in rows]
    faring = farings(services.registry)
    return [_server(services, row, faring.get(row.id)) for row in rows]


def _server(services: Services, row: ServerRow, faring: Faring | None) -> Server:
    if faring is None or faring.last is None:
        return Server(row, faring)
    return Server(row, faring, max(0, faring.last - services.lake.pointer(row.id)))


def _facts(settings: Settings) -> list[tuple[str, str]]:
    collector, web = settings.collector, settings.web_tracking
    legacy = "understood, as unverified" if collector.legacy_links else "not understood"
    if collector.legacy_links and collector.accept_unsigned:
        legacy = "understood, and counted"
    budget = collector.source_hits_per_minute_max
    return [
        ("Instance", collector.instance),
        ("Web tracking mode", WebTrackingMode(web.mode).label),
        ("Visits without a message", f"Delivery {web.delivery}"),
        ("Cookies", _cookies(settings)),
        ("Delimiter pairs", " ".join(settings.content.delimiter_pairs)),
        ("Older links", legacy.capitalize()),
        ("Hits of one source", f"{budget:,} a minute are recorded" if budget else "No limit"),
    ]


def _cookies(settings: Settings) -> str:
    collector = settings.collector
    if collector.is_cookieless:
        return "None"
    where = f", for {collector.cookie_domain}" if collector.cookie_domain else ""
    how = " over HTTPS alone" if collector.is_cookie_secure else ""
    return f"Kept for {collector.cookie_days} days{where}{how}"
