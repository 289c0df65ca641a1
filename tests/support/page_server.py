"""A web server on loopback whose pages are functions: honest ones, and others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import TypeAlias

from aftersend.delivery.fetch import IpAddress, fetch

__all__ = [
    "HOSTS",
    "PATIENT_S",
    "Page",
    "PageServer",
    "anywhere",
    "here",
    "page",
    "read_page",
    "serving_pages",
]

HOSTS = ("cms.example", "*.shop.example", "bücher.example")
PATIENT_S = 20.0

Page: TypeAlias = "Callable[[BaseHTTPRequestHandler], None]"


@dataclass(slots=True)
class PageServer:
    """A running server; `asked` is what every request said of itself, `released` lets all end."""

    port: int = 0
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    released: Event = field(default_factory=Event)


def page(
    body: bytes = b"<p>News</p>", *, kind: str = "text/html", status: int = 200, **headers: str
) -> Page:
    """Make a page that answers at once; `Content_Type` in names of headers stands for a dash."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def serving_pages(
    pages: Mapping[str, Page], *, tls: SSLContext | None = None
) -> Iterator[PageServer]:
    """Serve pages by path until the end of a block."""
    state = PageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers.items())))
            try:
                pages[self.path](self)
            except OSError:
                self.close_connection = True  # who asked has gone away

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def here(_host: str) -> Sequence[str]:
    """Resolve every name to this machine."""
    return ["127.0.0.1"]


def anywhere(_address: IpAddress) -> bool:
    """Allow every address."""
    return True


def read_page(
    server: PageServer, path: str, *, host: str = "cms.example", seconds: float = PATIENT_S
) -> str:
    """Read a page of up to 1,000 bytes, as if the server stood in the open network."""
    return fetch(
        f"http://{host}:{server.port}{path}",
        hosts=HOSTS,
        seconds_max=seconds,
        bytes_max=1000,
        is_allowed=anywhere,
        resolve=here,
    )
