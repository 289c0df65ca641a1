"""An application that registers tracking servers, and tracking servers to register."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aftersend.content import Addresses
from aftersend.delivery.office import PostOffice
from aftersend.delivery.registration import Registry
from aftersend.model.ids import ServerId
from aftersend.platform.entropy import SeededEntropy
from tests.support.post_office import KEYS
from tests.support.tracking_server import Tracker, tracking

__all__ = ["LOCAL", "make_registry", "servers"]

LOCAL = "http://127.0.0.1:9"
"""Where nobody listens."""


def make_registry(office: PostOffice, *, seed: int = 1, public: Sequence[str] = ()) -> Registry:
    """Make an application of its own id; `public` are addresses of the instance, then of brands."""
    if public:
        first, *others = (Addresses(url, "https://app.example.com") for url in public)
        brands = {f"brand{number}": each for number, each in enumerate(others)}
        office = replace(office, addresses=first, brands=brands)
    var = office.catalogue.parent
    return Registry(office, SeededEntropy(seed), "aftersend", var, LOCAL)


@contextmanager
def servers(
    directory: Path, office: PostOffice, *ids: str, **changes: Any
) -> Iterator[list[Tracker]]:
    """Run tracking servers of the office's instance, each with folders of its own."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                tracking(
                    directory / f"server-{server_id}",
                    **{
                        "server_id": ServerId(server_id),
                        "password": office.password,
                        "keys": KEYS,
                        **changes,
                    },
                )
            )
            for server_id in ids
        ]
