"""The addresses that only the application knows the password of: publish, fetch, acknowledge."""

import asyncio
import json
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import parse_qs

from aftersend.collector.catalogues import Catalogues
from aftersend.collector.config import CollectorConfig
from aftersend.collector.page import JSON_HEADERS
from aftersend.errors import Corruption, InvalidInput
from aftersend.model.catalogue import CATALOGUE_BYTES_MAX, decode, file_name
from aftersend.model.ids import ID_MAX, DeliveryId
from aftersend.model.logline import log_id
from aftersend.platform import files
from aftersend.platform.telemetry import logger
from aftersend.spool import acknowledge, read, remove_acknowledged

__all__ = ["Registration"]

_LOGS: Final = "/logs"
_ACKNOWLEDGE: Final = "/logs/acknowledge"
_CATALOGUE: Final = "/catalogue/"
_METHODS: Final = {_LOGS: "GET", _ACKNOWLEDGE: "POST", _CATALOGUE: "PUT"}

_COUNT_USUAL: Final = 30
_COUNT_MAX: Final = 10_000
_LINES_BYTES_MAX: Final = 8 * 1024 * 1024
_PARAMETERS_MAX: Final = 8
_REQUESTS_AT_ONCE: Final = 16
_BODY_SECONDS_MAX: Final = 60.0


class _Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, sentence: str, *headers: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Registration:
    """Answers the guarded addresses, on an event loop; files are read and written beside it."""

    def __init__(self, config: CollectorConfig, catalogues: Catalogues) -> None:
        """Prepare; `open` makes the folder that catalogues are published into."""
        self._config, self._catalogues = config, catalogues
        self._expected = f"Bearer {config.password}".encode()
        self._running = 0

    def open(self) -> None:
        """Make the folder of catalogues if it is missing.

        Raises:
            OSError: it cannot be made.
        """
        files.make_directory(self._config.catalogue_directory)

    def has(self, path: str) -> bool:
        """Tell whether a path is one of ours."""
        return path in (_LOGS, _ACKNOWLEDGE) or path.startswith(_CATALOGUE)

    async def answer(self, scope: Any, proto: Any) -> None:
        """Check the password, do what is asked, answer in JSON or with lines."""
        self._running += 1
        try:
            self._admit(scope)
            if scope.path == _LOGS:
                headers, body = await self._logs(scope)
            elif scope.path == _ACKNOWLEDGE:
                headers, body = await self._acknowledge(scope)
            else:
                headers, body = await self._publish(scope, proto)
            proto.response_bytes(200, headers, body)
        except _Refusal as refusal:
            _refuse(proto, refusal)
        except InvalidInput as error:
            _refuse(proto, _Refusal(400, str(error)))
        except Corruption as error:
            _refuse(proto, _Refusal(409, str(error)))
        except OSError as error:
            logger("collector").error("a guarded request failed", reason=error.strerror)
            _refuse(proto, _Refusal(503, f"The disk failed: {error.strerror}."))
        finally:
            self._running -= 1

    def _admit(self, scope: Any) -> None:
        given = scope.headers.get("authorization") or ""
        if not compare_digest(given.encode(), self._expected):
            raise _Refusal(
                401,
                "The registration password is missing or wrong.",
                ("www-authenticate", "Bearer"),
            )
        method = _METHODS.get(scope.path, _METHODS[_CATALOGUE])
        if scope.method != method:
            raise _Refusal(405, f"This address understands {method} only.", ("allow", method))
        if self._running > _REQUESTS_AT_ONCE:
            raise _Refusal(503, "Too many requests at once; try again.", ("retry-after", "1"))

    async def _logs(self, scope: Any) -> tuple[list[tuple[str, str]], bytes]:
        parameters = _parameters(scope, "after", "count")
        after = self._number(parameters.get("after", ""))
        count = _count(parameters.get("count", str(_COUNT_USUAL)))
        chunk = None
        if count:
            chunk = await asyncio.to_thread(
                read,
                self._config.spool_directory,
                after=after,
                lines_max=count,
                bytes_max=_LINES_BYTES_MAX,
            )
        last = after if chunk is None else chunk.last
        headers = [
            ("content-type", "text/plain; charset=us-ascii"),
            ("cache-control", "no-store"),
            ("x-last", log_id(self._config.server_id, last) if last else ""),
        ]
        if chunk is None:
            return headers, b""
        headers += [("x-segment", chunk.segment), ("x-offset", str(chunk.offset))]
        return headers, chunk.data

    async def _acknowledge(self, scope: Any) -> tuple[list[tuple[str, str]], bytes]:
        parameters = _parameters(scope, "reader", "upto")
        reader = parameters.get("reader", "")
        number = self._number(parameters.get("upto", ""))
        directory = self._config.spool_directory
        await asyncio.to_thread(acknowledge, directory, reader, number)
        removed = await asyncio.to_thread(remove_acknowledged, directory)
        return JSON_HEADERS, _json({"acknowledged": number, "segments_removed": removed})

    async def _publish(self, scope: Any, proto: Any) -> tuple[list[tuple[str, str]], bytes]:
        text = scope.path.removeprefix(_CATALOGUE)
        delivery_id = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        if not 0 < delivery_id <= ID_MAX:
            raise _Refusal(400, "The address names no delivery: /catalogue/<delivery id>.")
        raw = await _body(scope, proto)
        await asyncio.to_thread(self._store, DeliveryId(delivery_id), raw)
        self._catalogues.recheck(delivery_id)
        return JSON_HEADERS, _json({"delivery": delivery_id})

    def _store(self, delivery_id: DeliveryId, raw: bytes) -> None:
        catalogue = decode(raw)
        if catalogue.delivery_id != delivery_id:
            raise _Refusal(
                400,
                f"This is the catalogue of delivery {catalogue.delivery_id}, not {delivery_id}.",
            )
        files.write_atomic(self._config.catalogue_directory / file_name(delivery_id), raw)

    def _number(self, text: str) -> int:
        """Read a log id of this server; empty is the place before the first."""
        if not text:
            return 0
        number = int(text[3:], 16) if _is_log_id(text) else -1
        if not 0 <= number <= ID_MAX or text != log_id(self._config.server_id, number):
            raise _Refusal(
                400,
                f"{text[:40]!r} is no log id of this tracking server: they look like"
                f" {log_id(self._config.server_id, 1)}.",
            )
        return number


def _is_log_id(text: str) -> bool:
    return len(text) == 19 and all(character in "0123456789ABCDEF" for character in text[3:])


def _parameters(scope: Any, *names: str) -> dict[str, str]:
    try:
        found = parse_qs(
            scope.query_string,
            keep_blank_values=True,
            strict_parsing=bool(scope.query_string),
            max_num_fields=_PARAMETERS_MAX,
        )
    except ValueError as error:
        raise _Refusal(400, "The parameters of the address cannot be read.") from error
    for name, values in found.items():
        if name not in names or len(values) > 1:
            raise _Refusal(400, f"The parameters are {' and '.join(names)}, each at most once.")
    return {name: values[0] for name, values in found.items()}


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _COUNT_MAX:
        return int(text)
    raise _Refusal(400, f"count is a number from 0 to {_COUNT_MAX}.")


async def _body(scope: Any, proto: Any) -> bytes:
    length = scope.headers.get("content-length") or "0"
    too_large = _Refusal(413, f"A catalogue has at most {CATALOGUE_BYTES_MAX} bytes.")
    if not length.isdigit() or int(length) > CATALOGUE_BYTES_MAX:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS_MAX):
            async for part in proto:
                body += part
                if len(body) > CATALOGUE_BYTES_MAX:
                    raise too_large
    except TimeoutError as error:
        raise _Refusal(408, "The catalogue did not arrive in time.") from error
    return bytes(body)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _refuse(proto: Any, refusal: _Refusal) -> None:
    body = _json({"error": str(refusal)})
    proto.response_bytes(refusal.status, [*JSON_HEADERS, *refusal.headers], body)
