"""What the application and its tracking servers exchange: catalogues come in, lines go out."""

import asyncio
import json
from typing import Any, Final

from aftersend.collector.catalogues import Catalogues
from aftersend.collector.config import CollectorConfig
from aftersend.collector.guard import Answer, Guard, Refusal, body_of
from aftersend.collector.logs import Logs
from aftersend.collector.page import JSON_HEADERS
from aftersend.collector.publication import store
from aftersend.model.catalogue import CATALOGUE_BYTES_MAX, file_name
from aftersend.model.ids import ID_MAX, DeliveryId
from aftersend.platform import files

__all__ = ["Exchange"]

_LOGS: Final = "/logs"
_ACKNOWLEDGE: Final = "/logs/acknowledge"
_CATALOGUE: Final = "/catalogue/"


class Exchange:
    """Answers the guarded addresses, on an event loop; files are read and written beside it."""

    def __init__(self, config: CollectorConfig, catalogues: Catalogues) -> None:
        """Prepare; `open` makes the folder that catalogues are published into."""
        self._directory, self._catalogues = config.catalogue_directory, catalogues
        self._guard = Guard(config)
        self._logs = Logs(config, self._guard)

    def open(self) -> None:
        """Make the folder of catalogues if it is missing.

        Raises:
            OSError: it cannot be made.
        """
        files.make_directory(self._directory)

    def has(self, path: str) -> bool:
        """Tell whether a path is one of ours."""
        return path in (_LOGS, _ACKNOWLEDGE) or path.startswith(_CATALOGUE)

    async def answer(self, scope: Any, proto: Any) -> None:
        """Check the password, do what is asked, answer in JSON or with lines."""
        if scope.path == _LOGS:
            await self._guard.answer(scope, proto, {"GET": self._logs.give})
        elif scope.path == _ACKNOWLEDGE:
            await self._guard.answer(scope, proto, {"POST": self._logs.acknowledge})
        else:
            await self._guard.answer(scope, proto, {"GET": self._show, "PUT": self._publish})

    async def _show(self, scope: Any, _proto: Any) -> Answer:
        """Give a catalogue as it lies here: nobody else is asked, so nobody asks in a circle."""
        path = self._directory / file_name(_delivery_of(scope))
        try:
            raw = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError as error:
            raise Refusal(404, "This tracking server has no catalogue of the delivery.") from error
        return JSON_HEADERS, raw

    async def _publish(self, scope: Any, proto: Any) -> Answer:
        delivery_id = _delivery_of(scope)
        raw = await body_of(scope, proto, noun="catalogue", bytes_max=CATALOGUE_BYTES_MAX)
        await asyncio.to_thread(store, self._directory, delivery_id, raw)
        self._catalogues.recheck(delivery_id)
        return JSON_HEADERS, json.dumps({"delivery": delivery_id}).encode()


def _delivery_of(scope: Any) -> DeliveryId:
    text = scope.path.removeprefix(_CATALOGUE)
    delivery_id = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 0 < delivery_id <= ID_MAX:
        raise Refusal(400, "The address names no delivery: /catalogue/<delivery id>.")
    return DeliveryId(delivery_id)
