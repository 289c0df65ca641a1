"""A server that other tracking servers ask for what they lack; it notes every question."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

__all__ = ["SpareServer", "asked", "lending"]


@dataclass(slots=True)
class SpareServer:
    """What it answers; `gate`, while it is not set, keeps everybody waiting."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"X-Server-Id": "9"})
    gate: Event = field(default_factory=Event)
    has_come: Event = field(default_factory=Event)
    questions: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def lending(server: SpareServer, *, is_open: bool = True) -> Iterator[SpareServer]:
    """Answer on a free port of loopback; no answer leaves before `gate` when it is not open."""
    if is_open:
        server.gate.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.questions.append((self.path, self.headers["Authorization"]))
            server.has_come.set()
            server.gate.wait(20)
            self.send_response(server.status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(server.body)))
            self.end_headers()
            try:
                self.wfile.write(server.body)
            except OSError:
                self.close_connection = True  # nobody waits any more

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield server
    finally:
        server.gate.set()
        http.shutdown()
        thread.join()
        http.server_close()


def asked(*servers: SpareServer) -> list[int]:
    """Tell how often each was asked."""
    return [len(server.questions) for server in servers]
