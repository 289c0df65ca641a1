"""Registering tracking servers: who they are is asked of them, and kept (spec §2.2).

An application has an id of its own, made at its first registration; a server works for one
application at a time. Who answers at an internal URL tells the ids of all servers there: each gets
a row of its own, so the lines of each are fetched. What is refused (password, name of the instance,
another application) is told; who does not answer is kept as not registered, and every run of the
Tracking workflow tries again.
"""

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import Connection

from aftersend.database import options, tracking_servers
from aftersend.database.tracking_servers import TrackingServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.publish import Missed, introduce
from aftersend.errors import AftersendError, InvalidInput, NotFound, Transient
from aftersend.model.ids import ServerId
from aftersend.platform.clock import Clock
from aftersend.platform.entropy import Entropy

__all__ = [
    "Outcome",
    "Registry",
    "Told",
    "read_bounded",
    "reason_of",
    "register",
    "remove",
    "validate",
]

_APPLICATION: Final = "NmsTracking_Application"
_TIMEOUT_S: Final = 5.0
_ANSWER_BYTES_MAX: Final = 64 * 1024
_ANSWER_SECONDS_MAX: Final = 10.0
_SENTENCE_LENGTH_MAX: Final = 500
_AT_ONCE: Final = 8
_OUT_OF_ORDER: Final = (500, 502, 503, 504)
_SERVER: Final = re.compile(r"[0-9A-Za-z]")
_NUMBER: Final = re.compile(r"\[Errno -?[0-9]+\] ")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Registry:
    """What registering stands on: `instance` is its name, `var` the folder of what changes.

    `local_url` is where tracking servers of this machine listen.
    """

    office: PostOffice
    entropy: Entropy
    instance: str
    var: Path
    local_url: str

    def local_ids(self) -> list[ServerId]:
        """Give the tracking servers that have, or had, their spool on this machine."""
        spool = self.var / "spool"
        names = (path.name for path in spool.iterdir()) if spool.is_dir() else ()
        return sorted(ServerId(name) for name in names if _SERVER.fullmatch(name))

    def public_urls(self) -> list[str]:
        """Give the public bases of links: of the instance, then of its brands, each once."""
        brands = self.office.brands.values()
        bases = (self.office.addresses.redirect, *(one.redirect for one in brands))
        return list(dict.fromkeys(bases))

    def servers(self) -> list[TrackingServer]:
        """Give the tracking servers that run elsewhere."""
        with self.office.database.read() as connection:
            return tracking_servers.every(connection)


@dataclass(frozen=True, slots=True)
class Told:
    """What a tracking server says of itself and of those beside it."""

    servers: tuple[ServerId, ...]
    build: str
    host: str
    registered_at: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a registration: `problem` is empty for servers that are registered now.

    `missed` are catalogues that could not be brought there.
    """

    servers: tuple[ServerId, ...]
    problem: str = ""
    missed: Sequence[Missed] = ()


def register(
    registry: Registry, server_id: str, internal_url: str, *, is_forced: bool = False
) -> Outcome:
    """Register the tracking servers at an address, one of which is `server_id`.

    One that does not answer is kept, and not registered yet. By force, another application loses
    it, and a server that was registered at another address moves.

    Raises:
        InvalidInput: something else answers there, or it refuses us; nothing is kept then.
    """
    named, url = tracking_servers.check(server_id, internal_url)
    _check_places(registry, [named], url, is_forced=is_forced)
    try:
        told = _contact(registry, url, is_forced=is_forced)
    except Transient as error:
        _keep_silent(registry, named, url, str(error))
        return Outcome((named,), str(error))
    if named not in told.servers:
        raise InvalidInput(
            f"At {url} there is tracking server {', '.join(told.servers)}, not {named}: register it"
            " by the id that it has."
        )
    _check_places(registry, told.servers, url, is_forced=is_forced)
    _check_local(registry, told)
    _keep(registry, told, url)
    return Outcome(told.servers, missed=introduce(registry.office, named).missed)


def validate(registry: Registry) -> list[TrackingServer]:
    """Contact every internal URL, register who can be, and note what is wrong with the others."""
    servers = registry.servers()
    urls = sorted({server.internal_url for server in servers})
    if not urls:
        return []
    _application(registry)  # made here once, not by each thread
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
        answers = list(threads.map(lambda url: _asked(registry, url), urls))
    for url, answer in zip(urls, answers, strict=True):
        here = [server for server in servers if server.internal_url == url]
        try:
            if not isinstance(answer, Told):
                raise answer
            _check_places(registry, answer.servers, url, is_forced=False)
            _check_local(registry, answer)
        except AftersendError as error:
            _note(registry, here, error)
            continue
        _keep(registry, answer, url)
        if any(server.registered_at is None for server in here):
            introduce(registry.office, answer.servers[0])
    return registry.servers()


def remove(registry: Registry, server_id: str) -> tuple[ServerId, ...]:
    """Forget a server and those that share its address; tell who is forgotten.

    Raises:
        NotFound: there is none of this id.
    """
    with registry.office.database.write() as connection:
        known = tracking_servers.every(connection)
        url = next((each.internal_url for each in known if each.id == server_id), None)
        if url is None:
            raise NotFound("registered tracking server", server_id)
        gone = tuple(each.id for each in known if each.internal_url == url)
        tracking_servers.forget(connection, gone)
    return gone


def reason_of(error: Exception) -> str:
    """Say in short why nobody answers."""
    return _NUMBER.sub("", str(error)).rstrip(".") or type(error).__name__


def read_bounded(response: httpx.Response, clock: Clock) -> bytes:
    """Read an answer that is short, however much is sent, and however slowly."""
    data, end = bytearray(), clock.monotonic() + _ANSWER_SECONDS_MAX
    for piece in response.iter_bytes():
        data += piece
        if len(data) > _ANSWER_BYTES_MAX or clock.monotonic() > end:
            break
    return bytes(data[:_ANSWER_BYTES_MAX])


def _asked(registry: Registry, url: str) -> Told | AftersendError:
    try:
        return _contact(registry, url, is_forced=False)
    except AftersendError as error:
        return error


def _contact(registry: Registry, url: str, *, is_forced: bool) -> Told:
    """Register at one address.

    Raises:
        Transient: nobody answers there, or not for now.
        InvalidInput: something else answers there, or it refuses us.
    """
    document = {
        "instance": registry.instance,
        "application": _application(registry),
        "force": is_forced,
    }
    headers = {"Authorization": f"Bearer {registry.office.password}"}
    try:
        # Tracking servers are ours: no proxy of the environment stands between.
        with (
            httpx.Client(headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client,
            client.stream("PUT", f"{url}/registration", json=document) as response,
        ):
            raw = read_bounded(response, registry.office.clock)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Transient(f"{url} does not answer: {reason_of(error)}.") from error
    if response.is_success:
        return _told(url, raw)
    raise _refusal(url, response.status_code, raw)


def _told(url: str, raw: bytes) -> Told:
    try:
        document = json.loads(raw)
        servers = tuple(ServerId(str(one)) for one in document["servers"])
        told = Told(servers, *(str(document[name]) for name in ("build", "host", "registered_at")))
        if servers and all(_SERVER.fullmatch(one) for one in servers):
            return told
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise _stranger(url, "it answers with something else than a registration")


def _refusal(url: str, status: int, raw: bytes) -> AftersendError:
    if status == 401:
        return InvalidInput(
            f"The tracking server at {url} has another password: set collector.password alike on"
            " both sides."
        )
    if status in _OUT_OF_ORDER:
        return Transient(f"{url} is out of order: status {status}.")
    try:
        sentence = _CONTROL.sub(" ", str(json.loads(raw)["error"]))[:_SENTENCE_LENGTH_MAX]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _stranger(url, f"it answers with status {status}")
    return InvalidInput(f"{url} refuses: {sentence}")


def _stranger(url: str, what: str) -> InvalidInput:
    return InvalidInput(
        f"{url} is no tracking server of this version: {what}. Look whether the address is right,"
        " and the server as new as the application."
    )


def _check_places(
    registry: Registry, servers: Iterable[ServerId], url: str, *, is_forced: bool
) -> None:
    """Refuse ids that are registered elsewhere: lines of two servers would get mixed up."""
    for known in registry.servers():
        is_elsewhere = known.registered_at is not None and known.internal_url != url
        if known.id in servers and is_elsewhere and not is_forced:
            raise InvalidInput(
                f"Tracking server {known.id} is registered at {known.internal_url} already: give"
                " the one that you mean another id, or, if it has moved, register it with --force."
            )


def _check_local(registry: Registry, told: Told) -> None:
    """Refuse ids of servers on this machine, unless it is them who have answered."""
    try:
        ours = json.loads((registry.var / "registration.json").read_bytes())["registered_at"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = None
    doubled = sorted(set(registry.local_ids()) & set(told.servers))
    if doubled and ours != told.registered_at:
        raise InvalidInput(
            f"Tracking server {', '.join(doubled)} is on this machine already: start the other one"
            " with another id (`aftersend collector --server-id`, or collector.server_id)."
        )


def _keep(registry: Registry, told: Told, url: str) -> None:
    with registry.office.database.write() as connection:
        before = {server.id: server for server in tracking_servers.every(connection)}
        now = registry.office.clock.now()
        for server_id in told.servers:
            known = before.get(server_id)
            is_new = known is None or known.internal_url != url or known.registered_at is None
            tracking_servers.enrol(
                connection,
                [server_id],
                internal_url=url,
                build=told.build,
                host=told.host,
                at=now if is_new or known is None else known.registered_at or now,
            )
        for server in before.values():
            if server.internal_url == url and server.id not in told.servers:
                tracking_servers.note_problem(
                    connection,
                    server.id,
                    f"It is not among the servers at {url} any more ({', '.join(told.servers)}):"
                    " start as many as before, until its lines are fetched.",
                )


def _keep_silent(registry: Registry, server_id: ServerId, url: str, problem: str) -> None:
    """Keep a server that could not be reached; one that was registered there before stays so."""
    with registry.office.database.write() as connection:
        known = {server.id: server for server in tracking_servers.every(connection)}
        if server_id not in known or known[server_id].internal_url != url:
            now = registry.office.clock.now()
            tracking_servers.put(connection, server_id=server_id, internal_url=url, at=now)
        tracking_servers.note_problem(connection, server_id, problem)


def _note(registry: Registry, servers: Iterable[TrackingServer], error: AftersendError) -> None:
    with registry.office.database.write() as connection:
        for server in servers:
            # Who refuses us works for us no more; who is silent for now still does.
            is_registered = isinstance(error, Transient) and server.registered_at is not None
            tracking_servers.note_problem(
                connection, server.id, str(error), is_registered=is_registered
            )


def _application(registry: Registry) -> str:
    """Give the id of this application; the first time, make it."""
    with registry.office.database.read() as connection:
        known = _known_application(connection)
    if known:
        return known
    with registry.office.database.write() as connection:
        known = _known_application(connection)
        if not known:
            known = registry.entropy.bytes(16).hex()
            options.put(connection, _APPLICATION, known)
    return known


def _known_application(connection: Connection) -> str:
    return options.every(connection).get(_APPLICATION, "")
