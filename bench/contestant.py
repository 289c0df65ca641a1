"""Who takes part in the measurement of clicks: our tracking server, and nginx.

Each answers at a URL, and on the same cores as the others it is compared with.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aftersend import settings
from aftersend.cli.instance import make
from aftersend.model import catalogue, token
from aftersend.model.catalogue import Catalogue, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token
from bench.process import cores, free_port, running

__all__ = ["CLICK_URL_ID", "SHOP", "Contestant", "collector", "nginx", "paths", "prepare"]

CLICK_URL_ID: Final = UrlId(2)
SHOP: Final = "https://shop.example.com/october?from=mail"

_DELIVERIES: Final = 10
_MESSAGES: Final = 1000
_NGINX: Final = """\
daemon off;
worker_processes %(workers)d;
pid %(folder)s/pid;
error_log %(folder)s/error.log;
events { worker_connections 1024; }
http {
    access_log %(folder)s/access.log combined;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    server {
        listen 127.0.0.1:%(port)d reuseport;
        location / { return 302 %(shop)s; }
        location ~ \\.gif$ { empty_gif; }
        location = /r/test { return 200 ok; }
    }
}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that answers at `url`, and the processes that all its work descends from."""

    name: str
    url: str
    pids: tuple[int, ...]


def prepare(instance: Path) -> KeyRing:
    """Make an instance that knows the links of ten deliveries; give the keys of its tokens."""
    make(instance)
    folder = instance / "var" / "catalogue"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _DELIVERIES + 1):
        known = Catalogue(
            delivery_id=DeliveryId(number),
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
            urls={
                OPEN_URL_ID: Destination((), UrlType.OPEN, "Open"),
                CLICK_URL_ID: Destination((SHOP,), UrlType.EMAIL_CLICK, "Shop"),
            },
        )
        name = catalogue.file_name(known.delivery_id)
        (folder / name).write_bytes(catalogue.encode(known))
    secrets = settings.load(instance).keys
    return KeyRing({key_id: bytes.fromhex(secret) for key_id, secret in secrets.items()})


def paths(keys: KeyRing, url_id: UrlId) -> list[str]:
    """Spell the links of a thousand messages, or their pixels."""
    ending = ".gif" if url_id == OPEN_URL_ID else ""
    texts = [
        token.encode(
            Token(
                Part.HTML,
                DeliveryId(number % _DELIVERIES + 1),
                MessageId(1_000_000 + number),
                url_id,
            ),
            keys=keys,
        )
        for number in range(_MESSAGES)
    ]
    return [f"/r/{text}{ending}" for text in texts]


@contextmanager
def collector(
    instance: Path, *, workers: int = 1, server_id: str = "1", on: Sequence[int] | None = None
) -> Iterator[Contestant]:
    """Run our tracking server, as people start it; further workers take the ids that follow."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(instance)]
    command += ["--server-id", server_id, "--port", str(port), "--workers", str(workers)]
    with running(command, ready_url=f"{url}/r/test", on=on or cores(workers)) as pid:
        yield Contestant("aftersend", url, (pid,))


@contextmanager
def nginx(folder: Path, *, workers: int = 1) -> Iterator[Contestant]:
    """Run nginx, which answers the same to everybody and writes its access log."""
    folder.mkdir()
    url = f"http://127.0.0.1:{(port := free_port())}"
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _NGINX % {"folder": folder, "port": port, "workers": workers, "shop": SHOP}
    )
    command = ["nginx", "-c", str(configuration), "-e", str(folder / "error.log")]
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    ready = f"{url}/r/test"
    with running(command, ready_url=ready, environment=path, on=cores(workers)) as pid:
        yield Contestant("nginx", url, (pid,))
