"""Asking other tracking servers for what is missing here (spec §4.3).

Only a person's click on a link that is ours beyond doubt, or a public resource, makes this server
ask. What the others are asked are guarded addresses, which give what lies there and ask nobody: a
question is never passed on, so no list of spare servers can make a circle, not even one that names
the server itself. Its own answers, known by their ``X-Server-Id``, count as none.

Limits: two seconds for each server; one question for all who wait for the same thing; what nobody
has is not asked for again for a minute; a bounded number of questions at once, and of memories.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from aftersend.collector.config import CollectorConfig
from aftersend.collector.guard import SERVER_HEADER
from aftersend.collector.publication import store_if_newer
from aftersend.errors import InvalidCatalogue
from aftersend.model.catalogue import CATALOGUE_BYTES_MAX
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import Clock
from aftersend.platform.telemetry import logger

if TYPE_CHECKING:
    import httpx

__all__ = ["MISSING_SECONDS", "Found", "Spares"]

MISSING_SECONDS: Final = 60.0
"""How long what nobody has is not asked for again."""

_ANSWER_SECONDS_MAX: Final = 2.0
_ASKING_MAX: Final = 64
_MISSING_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """What another server has: its bytes, and ``Last-Modified`` as it stands there."""

    data: bytes
    modified: str


class Spares:
    """Asks the spare servers of the configuration, in their order; on one event loop.

    Without spare servers nothing is ever asked, and no HTTP client is loaded.
    """

    def __init__(self, config: CollectorConfig, clock: Clock) -> None:
        """Prepare; `open` loads the client."""
        self._urls = config.spare_servers
        self._own_ids = frozenset(config.server_ids)
        self._directory = config.catalogue_directory
        self._password = config.password
        self._monotonic = clock.monotonic
        self._missing: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        """Make ready to ask; loading the client takes its time, so not while people wait."""
        if not self._urls or self._client is not None:
            return
        import httpx

        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {self._password}", "accept-encoding": "identity"},
            timeout=_ANSWER_SECONDS_MAX,
            # Questions are rare, and connections that stay open would have to be looked after.
            limits=httpx.Limits(max_connections=_ASKING_MAX, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,  # internal addresses: no proxy of the environment stands between
            verify=any(url.startswith("https") for url in self._urls),  # reading them takes long
        )

    def is_worth_asking(self, delivery_id: int) -> bool:
        """Tell at once whether `catalogue` could find anything; any thread may ask."""
        return self.may_have(f"/catalogue/{delivery_id}")

    def may_have(self, path: str) -> bool:
        """Tell at once whether `fetch` could find anything; any thread may ask."""
        until = self._missing.get(path)
        return bool(self._urls) and (until is None or self._monotonic() >= until)

    async def catalogue(self, delivery_id: int) -> bool:
        """Fetch the catalogue of a delivery, if a spare has one that is news here; tell whether."""
        keep = partial(self._keep_catalogue, DeliveryId(delivery_id))
        return await self.fetch(
            f"/catalogue/{delivery_id}", bytes_max=CATALOGUE_BYTES_MAX, keep=keep
        )

    async def fetch(self, path: str, *, bytes_max: int, keep: Callable[[Found], bool]) -> bool:
        """Ask for a guarded path until `keep`, called in a thread, has taken an answer.

        Tell whether it has. Who asks for the same while the question is under way waits for it too.
        """
        if not self.may_have(path):
            return False
        task = self._asking.get(path)
        if task is None:
            if len(self._asking) >= _ASKING_MAX:
                return False
            task = asyncio.create_task(self._once(path, partial(self._ask_all, bytes_max, keep)))
            self._asking[path] = task
        return await asyncio.shield(task)

    async def _once(self, path: str, ask: Callable[[str], Awaitable[bool]]) -> bool:
        is_found = False
        try:
            is_found = await ask(path)
        except OSError as error:
            logger("collector").error("what a spare server gave cannot be kept", reason=str(error))
        finally:
            del self._asking[path]
            if not is_found:
                self._remember_missing(path)
        return is_found

    async def _ask_all(self, bytes_max: int, keep: Callable[[Found], bool], path: str) -> bool:
        for url in self._urls:
            found = await self._ask(url, path, bytes_max)
            if found is not None and await asyncio.to_thread(keep, found):
                return True
        return False

    async def _ask(self, url: str, path: str, bytes_max: int) -> Found | None:
        from anyio import fail_after
        from httpx import HTTPError

        assert self._client is not None, "who asks has opened"
        try:
            # Not asyncio's: cancelled by it while it connects, the client forgets its socket.
            with fail_after(_ANSWER_SECONDS_MAX):
                return await self._read(self._client, url, path, bytes_max)
        except TimeoutError:
            _warn(url, "it did not answer in time")
        except (HTTPError, OSError) as error:
            _warn(url, str(error))
        return None

    async def _read(
        self, client: "httpx.AsyncClient", url: str, path: str, bytes_max: int
    ) -> Found | None:
        async with client.stream("GET", url + path) as response:
            speaker = response.headers.get(SERVER_HEADER, "")
            if response.status_code != 200 or not speaker or speaker in self._own_ids:
                if response.status_code not in (200, 404):
                    _warn(url, f"it answered {response.status_code}")
                return None
            data = bytearray()
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > bytes_max:
                    _warn(url, "it gave more than there can be")
                    return None
            return Found(bytes(data), response.headers.get("last-modified", ""))

    def _keep_catalogue(self, delivery_id: DeliveryId, found: Found) -> bool:
        try:
            return store_if_newer(self._directory, delivery_id, found.data)
        except InvalidCatalogue as error:
            logger("collector").error("a spare server has a bad catalogue", reason=str(error))
            return False

    def _remember_missing(self, path: str) -> None:
        self._missing[path] = self._monotonic() + MISSING_SECONDS
        self._missing.move_to_end(path)
        if len(self._missing) > _MISSING_MAX:
            self._missing.popitem(last=False)


def _warn(url: str, reason: str) -> None:
    logger("collector").warning("a spare server is no help", server=url, reason=reason)
