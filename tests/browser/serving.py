"""Serves the pages on loopback, in a thread of the test."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

_TRIES_MAX = 200


@contextmanager
def serving(app: Any, port: int) -> Iterator[str]:
    """Serve an ASGI application on a loopback `port` until the context ends; gives its address."""
    address = f"http://127.0.0.1:{port}"
    loop = asyncio.new_event_loop()
    server = Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    thread = Thread(target=_run, args=(loop, server), name="pages")
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=_TRIES_MAX)) as client:
            client.get(f"{address}/robots.txt").raise_for_status()
        yield address
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(30)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(server.serve())
    loop.close()
