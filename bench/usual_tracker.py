"""A usual tracker: FastAPI on uvicorn, and one row a hit into PostgreSQL.

Written as well as such programs are: uvloop and httptools, a pool of connections with prepared
statements, destinations in memory, a signed link, the indexes that its reports need, no access log.
PostgreSQL is as it comes, so a commit waits for the disk; where it need not wait (`is_lax`), the
tracker promises as much as we do by default.

`application` is what uvicorn serves; it finds its database in ``BENCH_DATABASE``.
"""

import hmac
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import psycopg
from fastapi import FastAPI, HTTPException, Request, Response

from bench.contestant import SHOP, Contestant
from bench.process import cores, free_port, running
from tests.support import postgres

__all__ = ["application", "paths", "usual_tracker"]

_SECRET: Final = b"a secret of the usual tracker"
_DATABASE: Final = "BENCH_DATABASE"
_DELIVERIES: Final = 10
_MESSAGES: Final = 1000
_CLICK_URL: Final = 2
_CONNECTIONS: Final = 10
_SCHEMA: Final = """
CREATE TABLE hit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    delivery_id bigint NOT NULL,
    message_id bigint NOT NULL,
    url_id bigint NOT NULL,
    source_id uuid NOT NULL,
    user_agent text NOT NULL,
    address inet NOT NULL
);
CREATE INDEX hit_of_delivery ON hit (delivery_id, at);
CREATE INDEX hit_of_message ON hit (message_id);
"""
_INSERT: Final = """
INSERT INTO hit (delivery_id, message_id, url_id, source_id, user_agent, address)
VALUES ($1, $2, $3, $4, $5, $6)
"""


def paths() -> list[str]:
    """Spell the links of a thousand messages."""
    texts = [f"{n % _DELIVERIES + 1}-{1_000_000 + n}-{_CLICK_URL}" for n in range(_MESSAGES)]
    return [f"/r/{text}-{_signature(text)}" for text in texts]


def application() -> FastAPI:
    """Make what uvicorn serves."""
    destinations = {(n, _CLICK_URL): SHOP for n in range(1, _DELIVERIES + 1)}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ[_DATABASE], min_size=_CONNECTIONS, max_size=_CONNECTIONS
        ) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.get("/r/test")
    async def test() -> Response:
        return Response("ok")

    @app.get("/r/{token}")
    async def click(token: str, request: Request) -> Response:
        delivery_id, message_id, url_id = _read(token)
        target = destinations.get((delivery_id, url_id))
        if target is None:
            raise HTTPException(404)
        source_id = request.cookies.get("source") or str(uuid4())
        await request.app.state.pool.execute(
            _INSERT,
            delivery_id,
            message_id,
            url_id,
            source_id,
            request.headers.get("user-agent", ""),
            request.client.host if request.client else "0.0.0.0",
        )
        response = Response(status_code=302, headers={"location": target})
        response.set_cookie("source", source_id, max_age=31_536_000, httponly=True, samesite="lax")
        return response

    return app


@contextmanager
def usual_tracker(*, workers: int = 1, is_lax: bool = False) -> Iterator[Contestant]:
    """Run it and a database of its own, both on the cores that a server of ours gets."""
    with postgres.running() as database:
        folder = Path(parse_qs(urlsplit(database).query)["host"][0])
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        _arrange(folder, postmaster, cores(workers), is_lax=is_lax)
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "uvicorn", "bench.usual_tracker:application", "--factory"]
        command += ["--port", str(port), "--workers", str(workers), "--loop", "uvloop"]
        command += ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
        environment = {_DATABASE: f"postgresql://postgres@/postgres?host={folder}"}
        ready = f"{url}/r/test"
        with running(command, ready_url=ready, environment=environment, on=cores(workers)) as pid:
            yield Contestant("FastAPI, PostgreSQL", url, (pid, postmaster))


def _arrange(folder: Path, postmaster: int, on: Sequence[int], *, is_lax: bool) -> None:
    """Pin the database to its cores, let it sync the disk as it does by default, make the table."""
    listed = ",".join(map(str, on))
    command = ["taskset", "--all-tasks", "--cpu-list", "--pid", listed]
    for pid in (postmaster, *_children(postmaster)):
        subprocess.run([*command, str(pid)], stdout=subprocess.DEVNULL, check=True)
    with psycopg.connect(host=str(folder), user="postgres", autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = on")
        if is_lax:
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(_SCHEMA)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _read(token: str) -> tuple[int, int, int]:
    text, _, signature = token.rpartition("-")
    if not secrets.compare_digest(signature, _signature(text)):
        raise HTTPException(404)
    delivery_id, message_id, url_id = map(int, text.split("-"))
    return delivery_id, message_id, url_id


def _signature(text: str) -> str:
    return hmac.new(_SECRET, text.encode(), sha256).hexdigest()[:16]
