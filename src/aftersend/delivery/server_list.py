"""The tracking servers of an instance as people see them: here and elsewhere, and how they fare."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

import httpx

from aftersend.delivery.registration import Registry, read_bounded
from aftersend.model.ids import ServerId
from aftersend.platform.clock import Clock

__all__ = ["Faring", "ServerRow", "ServerStatus", "farings", "server_rows"]

_TIMEOUT_S: Final = 2.0
_AT_ONCE: Final = 8
_UNHEALTHY: Final = 503


class ServerStatus(StrEnum):
    """How a tracking server stands with us."""

    LOCAL = "local"
    REGISTERED = "registered"
    PROBLEM = "problem"
    NOT_REGISTERED = "not-registered"

    @property
    def label(self) -> str:
        """Say it in words."""
        return {
            ServerStatus.LOCAL: "This machine",
            ServerStatus.REGISTERED: "Registered",
            ServerStatus.PROBLEM: "Problem",
            ServerStatus.NOT_REGISTERED: "Not registered",
        }[self]


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A tracking server; one of this machine has no internal URL: its folders are used."""

    id: ServerId
    internal_url: str | None
    status: ServerStatus
    registered_at: datetime | None = None
    build: str = ""
    host: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Faring:
    """What a server says of itself now: `last` is its last line, None when it is silent.

    `unwritten` lines wait for its disk; `lost` ones found no room. `unrecorded` are hits that it
    and those beside it answered and left out since they run, by reason.
    """

    status: str
    last: int | None = None
    unwritten: int = 0
    lost: int = 0
    unrecorded: Mapping[str, int] = field(default_factory=dict)


def server_rows(registry: Registry) -> list[ServerRow]:
    """List all tracking servers by id; those of this machine need no registration."""
    servers = registry.servers()
    rows = {
        server_id: ServerRow(server_id, None, ServerStatus.LOCAL)
        for server_id in registry.local_ids()
    }
    for server in servers:
        status = ServerStatus.PROBLEM if server.problem else ServerStatus.REGISTERED
        rows[server.id] = ServerRow(
            id=server.id,
            internal_url=server.internal_url,
            status=status if server.is_registered else ServerStatus.NOT_REGISTERED,
            registered_at=server.registered_at,
            build=server.build,
            host=server.host,
            problem=server.problem,
        )
    return [rows[server_id] for server_id in sorted(rows)]


def farings(registry: Registry) -> dict[ServerId, Faring]:
    """Ask every server how it fares, all at the same time; the silent ones are told as such."""
    rows = server_rows(registry)
    urls = {row.id: row.internal_url or registry.local_url for row in rows}
    asked = sorted(set(urls.values()))
    if not asked:
        return {}
    clock = registry.office.clock
    with (
        httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client,
        ThreadPoolExecutor(max_workers=_AT_ONCE) as threads,
    ):
        ask = partial(_health, client, clock=clock)
        answers = dict(zip(asked, threads.map(ask, asked), strict=True))
    return {
        server_id: answers[url].get(server_id, Faring("silent")) for server_id, url in urls.items()
    }


def _health(client: httpx.Client, url: str, clock: Clock) -> dict[ServerId, Faring]:
    try:
        with client.stream("GET", f"{url}/health") as response:
            raw = read_bounded(response, clock)
        if not (response.is_success or response.status_code == _UNHEALTHY):
            return {}
        document = json.loads(raw)
        unrecorded = {str(name): int(n) for name, n in document.get("unrecorded", {}).items() if n}
        return {ServerId(one["server_id"]): _faring(one, unrecorded) for one in document["servers"]}
    except (httpx.HTTPError, httpx.InvalidURL):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # it is something else that answers there


def _faring(told: Mapping[str, Any], unrecorded: Mapping[str, int]) -> Faring:
    spool = told.get("spool")
    if spool is None:
        return Faring(str(told["status"]))
    return Faring(
        status=str(told["status"]),
        last=int(spool["last"]),
        unwritten=int(spool["unwritten"]),
        lost=int(spool["lost"]),
        unrecorded=unrecorded,
    )
