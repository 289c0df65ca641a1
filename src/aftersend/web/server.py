"""Serving the pages."""

import asyncio
import signal
import socket
from contextlib import closing

from granian.constants import Interfaces
from granian.server.embed import Server

from aftersend.errors import Transient
from aftersend.web.app import build
from aftersend.web.services import Services
from aftersend.web.unread import ending_unread

__all__ = ["serve"]


def serve(services: Services, *, host: str, port: int) -> None:
    """Serve the pages in this process until it is asked to end.

    Raises:
        Transient: the port is taken.
    """
    _check_free(host, port)
    asyncio.run(_serve(services, host, port))


async def _serve(services: Services, host: str, port: int) -> None:
    server = Server(
        ending_unread(build(services)),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


def _check_free(host: str, port: int) -> None:
    # The server itself would say so only in its own words, and carry on.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Transient(f"The app cannot listen on {host}:{port}: {error.strerror}.") from error
