"""A tracking server to click on: one catalogue, some links, and what it has written.

`python -m tests.support.tracking_server FILE` runs one as a process of its own, with the pickled
configuration in FILE; when it has ended, it prints the names of all modules it had loaded.
"""

import json
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from aftersend.collector.config import CollectorConfig
from aftersend.collector.embedded import running
from aftersend.collector.server import serve
from aftersend.model import catalogue, token
from aftersend.model.catalogue import TOKEN_SLOT, Catalogue, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import LogLine
from aftersend.model.token import KeyRing, Token
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from tests.support.spooling import stored_lines

__all__ = [
    "DELIVERY",
    "KEYS",
    "MIRROR",
    "NAMED",
    "NOW",
    "PASSWORD",
    "SHOP",
    "Tracker",
    "configured",
    "made_catalogue",
    "publish",
    "spelled",
    "tracking",
]

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
KEYS = KeyRing({1: bytes(range(32)), 2: bytes(range(1, 33))})
PASSWORD = "registration password"
DELIVERY = DeliveryId(7)
SHOP, NAMED, MIRROR = UrlId(2), UrlId(3), UrlId(4)


@dataclass(frozen=True, slots=True)
class Tracker:
    """A running tracking server, its clock, and a client that follows no redirect."""

    config: CollectorConfig
    clock: ManualClock
    url: str
    client: httpx.Client

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask as a browser does."""
        return self.client.get(path, headers=headers)

    def admin(self, method: str, path: str, content: bytes = b"") -> httpx.Response:
        """Ask as the application does."""
        headers = {"authorization": f"Bearer {self.config.password}"}
        return self.client.request(method, path, headers=headers, content=content)

    @property
    def lines(self) -> list[LogLine]:
        """Read what was logged so far."""
        return stored_lines(self.config.spool_directory)


def configured(directory: Path, **changes: Any) -> CollectorConfig:
    """Describe a tracking server whose folders lie in `directory`."""
    values: dict[str, Any] = {
        "server_id": ServerId("1"),
        "catalogue_directory": directory / "catalogue",
        "spool_directory": directory / "spool" / "1",
        "keys": KEYS,
        "password": PASSWORD,
    }
    return CollectorConfig(**(values | changes))


def made_catalogue(**changes: Any) -> Catalogue:
    """Make the catalogue of `DELIVERY`: a plain link, one with a value, a mirror page."""
    values: dict[str, Any] = {
        "delivery_id": DELIVERY,
        "published_at": NOW,
        "urls": {
            OPEN_URL_ID: Destination((), UrlType.OPEN, "Open"),
            SHOP: Destination(("https://shop.example/?a=1&b=2#c",)),
            NAMED: Destination(("https://shop.example/?name=", 0)),
            MIRROR: Destination(("https://a.example/m/", TOKEN_SLOT), UrlType.MIRROR_PAGE),
        },
    }
    return Catalogue(**(values | changes))


def publish(config: CollectorConfig, made: Catalogue) -> None:
    """Put a catalogue where the server looks for it."""
    config.catalogue_directory.mkdir(parents=True, exist_ok=True)
    path = config.catalogue_directory / catalogue.file_name(made.delivery_id)
    path.write_bytes(catalogue.encode(made))


def spelled(
    url_id: int = SHOP,
    *values: str,
    delivery_id: int = DELIVERY,
    message_id: int = 300,
    keys: KeyRing = KEYS,
) -> str:
    """Spell the token of a link."""
    ids = DeliveryId(delivery_id), MessageId(message_id), UrlId(url_id)
    return token.encode(Token(Part.HTML, *ids, values), keys=keys)


@contextmanager
def tracking(directory: Path, made: Catalogue | None = None, **changes: Any) -> Iterator[Tracker]:
    """Run a tracking server on a clock that stands still."""
    config = configured(directory, **changes)
    publish(config, made or made_catalogue())
    clock = ManualClock(NOW)
    with running(config, clock, SeededEntropy(1)) as url, _client(url) as client:
        yield Tracker(config, clock, url, client)


def _client(url: str) -> httpx.Client:
    """Make a client without certificates: reading them takes longer than most tests."""
    return httpx.Client(base_url=url, verify=False)


if __name__ == "__main__":
    serve(pickle.loads(Path(sys.argv[1]).read_bytes()))
    sys.stdout.write(json.dumps(sorted(sys.modules)))
