"""A relay before a server: it notes what is asked, may hold everybody up, and may cut answers."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

__all__ = ["Relay", "relaying"]


@dataclass(slots=True)
class Relay:
    """Passes bytes on to `target`, while `gate` is set; cuts each answer after `cut_at` bytes."""

    url: str
    target: str = ""
    cut_at: int | None = None
    gate: Event = field(default_factory=Event)
    has_come: Event = field(default_factory=Event)
    brought: int = 0
    """How many bytes of answers were passed on."""
    asked: list[str] = field(default_factory=list)
    """The first line of every request of a connection of its own."""


@contextmanager
def relaying() -> Iterator[Relay]:
    """Relay from a free port of loopback; `target` may be told later."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        relay = Relay(f"http://127.0.0.1:{listener.getsockname()[1]}")
        relay.gate.set()
        thread = Thread(target=_accept, args=(listener, relay), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.gate.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, relay: Relay) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # the relay is taken down
        Thread(target=_serve, args=(client, relay), daemon=True).start()


def _serve(client: socket.socket, relay: Relay) -> None:
    host, _, port = relay.target.removeprefix("http://").partition(":")
    with closing(client), suppress(OSError):
        head = client.recv(65_536)
        relay.asked.append(head.partition(b"\r\n")[0].decode())
        relay.has_come.set()
        relay.gate.wait(20)
        with closing(socket.create_connection((host, int(port)))) as server:
            server.sendall(head)
            Thread(target=_pump, args=(client, server, None), daemon=True).start()
            _pump(server, client, relay)
            for end in (client, server):
                end.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket, relay: Relay | None) -> None:
    """Pass bytes on; with `relay`, they are an answer, which may have to be cut."""
    rest = None if relay is None else relay.cut_at
    with suppress(OSError):
        while piece := source.recv(65_536 if rest is None else min(65_536, rest)):
            sink.sendall(piece)
            if relay is not None:
                relay.brought += len(piece)
            if rest is not None:
                rest -= len(piece)
                if rest == 0:
                    return
