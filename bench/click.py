"""A click and an open pixel, against nginx that answers the same with its access log on.

The client asks for a thousand different messages in turn. Both servers write one line a request.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from aftersend import settings
from aftersend.model import catalogue, token
from aftersend.model.catalogue import Catalogue, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token
from bench import wrk
from bench.process import cpu_seconds, free_port, running
from bench.result import Comparison, Sample
from bench.wrk import Load

__all__ = ["compare"]

_DELIVERIES = 10
_MESSAGES = 1000
_CLICK_URL_ID = UrlId(2)
_WARM_UP_SECONDS = 2
_GOAL = "≤ 2.5"
_NGINX = """\
daemon off;
worker_processes 1;
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
        listen 127.0.0.1:%(port)d;
        location / { return 302 https://shop.example.com/october?from=mail; }
        location ~ \\.gif$ { empty_gif; }
        location = /r/test { return 200 ok; }
    }
}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A contestant that answers at `url`."""

    url: str
    pid: int


def compare(*, seconds: int, rounds: int, connections: int) -> list[Comparison]:
    """Measure clicks and pixels, one contestant after the other, `rounds` times."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        instance = folder / "instance"
        keys = _prepare(instance)
        ours = stack.enter_context(_collector(instance))
        reference = stack.enter_context(_nginx(folder))
        comparisons = []
        for what, url_id, ending in (("click", _CLICK_URL_ID, ""), ("pixel", OPEN_URL_ID, ".gif")):
            load = Load(seconds, connections, _paths(keys, url_id, ending))
            samples = [
                (_sample(ours, load, folder), _sample(reference, load, folder))
                for _ in range(rounds)
            ]
            comparisons.append(
                Comparison(
                    name=what,
                    unit="µs CPU a request",
                    reference_name="nginx return 302" if what == "click" else "nginx empty_gif",
                    ours=[pair[0] for pair in samples],
                    reference=[pair[1] for pair in samples],
                    goal=_GOAL,
                )
            )
        return comparisons


def _sample(server: Server, load: Load, folder: Path) -> Sample:
    wrk.run(server.url, Load(_WARM_UP_SECONDS, load.connections, load.paths), folder)
    before = cpu_seconds(server.pid)
    outcome = wrk.run(server.url, load, folder)
    spent = cpu_seconds(server.pid) - before
    if outcome.errors:
        raise RuntimeError(f"{server.url}: {outcome.errors} of {outcome.requests} requests failed")
    return Sample(
        cost=spent / outcome.requests * 1e6,
        details={
            "requests a second": outcome.requests / outcome.seconds,
            "p50 ms": outcome.p50_ms,
            "p99 ms": outcome.p99_ms,
        },
    )


def _prepare(instance: Path) -> KeyRing:
    from aftersend.cli.instance import make

    make(instance)
    folder = instance / "var" / "catalogue"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _DELIVERIES + 1):
        known = Catalogue(
            delivery_id=DeliveryId(number),
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
            urls={
                OPEN_URL_ID: Destination((), UrlType.OPEN, "Open"),
                _CLICK_URL_ID: Destination(
                    ("https://shop.example.com/october?from=mail",), UrlType.EMAIL_CLICK, "Shop"
                ),
            },
        )
        name = catalogue.file_name(known.delivery_id)
        (folder / name).write_bytes(catalogue.encode(known))
    secrets = settings.load(instance).keys
    return KeyRing({key_id: bytes.fromhex(secret) for key_id, secret in secrets.items()})


def _paths(keys: KeyRing, url_id: UrlId, ending: str) -> list[str]:
    return [
        "/r/"
        + token.encode(
            Token(
                Part.HTML,
                DeliveryId(number % _DELIVERIES + 1),
                MessageId(1_000_000 + number),
                url_id,
            ),
            keys=keys,
        )
        + ending
        for number in range(_MESSAGES)
    ]


@contextmanager
def _collector(instance: Path) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "aftersend", "collector", "--instance", str(instance)]
    command += ["--server-id", "1", "--port", str(port)]
    with running(command, ready_url=f"{url}/r/test") as pid:
        yield Server(url, pid)


@contextmanager
def _nginx(folder: Path) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX % {"folder": folder, "port": port})
    command = ["nginx", "-c", str(configuration), "-e", str(folder / "error.log")]
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with running(command, ready_url=f"{url}/r/test", environment=path) as pid:
        yield Server(url, pid)
