"""What all addresses share that only the application, and servers of the same set, may ask.

They know the registration password. What goes wrong is told in JSON, one clear sentence, and every
answer to who knows the password says by ``X-Server-Id`` which tracking server has spoken.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import parse_qs

from aftersend.collector.config import CollectorConfig
from aftersend.collector.page import CLOSE, JSON_HEADERS
from aftersend.errors import Corruption, InvalidInput
from aftersend.platform.bodies import has_body
from aftersend.platform.telemetry import logger

__all__ = ["SERVER_HEADER", "Answer", "Guard", "Handler", "Refusal", "body_of", "parameters_of"]

SERVER_HEADER: Final = "x-server-id"

_PARAMETERS_MAX: Final = 8
_REQUESTS_AT_ONCE: Final = 16
_BODY_SECONDS_MAX: Final = 60.0

Header = tuple[str, str]
Answer = tuple[list[Header], bytes]
"""Headers and body of an answer 200."""
Handler = Callable[[Any, Any], Awaitable[Answer | None]]
"""Answers a request that was let in, given `scope` and `proto`; None: it has answered itself."""


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, sentence: str, *headers: Header) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Guard:
    """Lets in who knows the registration password, a bounded number at once."""

    def __init__(self, config: CollectorConfig) -> None:
        """Let nobody in yet."""
        self._expected = f"Bearer {config.password}".encode()
        self._identity: Header = (SERVER_HEADER, config.server_id)
        self._running = 0

    async def answer(self, scope: Any, proto: Any, handlers: Mapping[str, Handler]) -> None:
        """Check the password, have the handler of the method do what is asked, answer."""
        self._running += 1
        try:
            handler = self._admitted(scope, handlers)
            answer = await handler(scope, proto)
            if answer is not None:
                headers, body = answer
                proto.response_bytes(200, [*headers, self._identity], body)
        except Refusal as refusal:
            self._refuse(scope, proto, refusal)
        except InvalidInput as error:
            self._refuse(scope, proto, Refusal(400, str(error)))
        except Corruption as error:
            self._refuse(scope, proto, Refusal(409, str(error)))
        except OSError as error:
            logger("collector").error("a guarded request failed", reason=error.strerror)
            self._refuse(scope, proto, Refusal(503, f"The disk failed: {error.strerror}."))
        finally:
            self._running -= 1

    @property
    def identity(self) -> Header:
        """Give the header that handlers add which answer themselves."""
        return self._identity

    def knows_password(self, headers: Any) -> bool:
        """Tell whether a request carries the registration password."""
        return compare_digest((headers.get("authorization") or "").encode(), self._expected)

    def turn_away(self, scope: Any, proto: Any) -> None:
        """Refuse a request that does not."""
        self._refuse(scope, proto, _stranger())

    def _admitted(self, scope: Any, handlers: Mapping[str, Handler]) -> Handler:
        if not self.knows_password(scope.headers):
            raise _stranger()
        handler = handlers.get(scope.method)
        if handler is None:
            names = " and ".join(handlers)
            raise Refusal(
                405, f"This address understands {names} only.", ("allow", ", ".join(handlers))
            )
        if self._running > _REQUESTS_AT_ONCE:
            raise Refusal(503, "Too many requests at once; try again.", ("retry-after", "1"))
        return handler

    def _refuse(self, scope: Any, proto: Any, refusal: Refusal) -> None:
        # Who does not know the password learns nothing.
        identity = () if refusal.status == 401 else (self._identity,)
        body = json.dumps({"error": str(refusal)}).encode()
        # What was refused may not have been read, and nobody here knows how much of it was.
        closing = (CLOSE,) if has_body(scope.headers) else ()
        headers = [*JSON_HEADERS, *refusal.headers, *identity, *closing]
        proto.response_bytes(refusal.status, headers, body)


def _stranger() -> Refusal:
    return Refusal(
        401, "The registration password is missing or wrong.", ("www-authenticate", "Bearer")
    )


def parameters_of(scope: Any, *names: str) -> dict[str, str]:
    """Read the query: these parameters, each at most once.

    Raises:
        Refusal: it cannot be read, or holds something else.
    """
    try:
        found = parse_qs(
            scope.query_string,
            keep_blank_values=True,
            strict_parsing=bool(scope.query_string),
            max_num_fields=_PARAMETERS_MAX,
        )
    except ValueError as error:
        raise Refusal(400, "The parameters of the address cannot be read.") from error
    for name, values in found.items():
        if name not in names or len(values) > 1:
            *others, last = names
            known = f"{', '.join(others)} and {last}" if others else last
            raise Refusal(400, f"The parameters are {known}, each at most once.")
    return {name: values[0] for name, values in found.items()}


async def body_of(scope: Any, proto: Any, *, noun: str, bytes_max: int) -> bytes:
    """Read what was sent, a catalogue for example: `noun` is its name in sentences.

    Raises:
        Refusal: it is larger than `bytes_max`, or does not arrive.
    """
    length = scope.headers.get("content-length") or "0"
    too_large = Refusal(413, f"A {noun} has at most {bytes_max} bytes.")
    if not (length.isascii() and length.isdigit() and len(length) < 20) or int(length) > bytes_max:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS_MAX):
            async for part in proto:
                body += part
                if len(body) > bytes_max:
                    raise too_large
    except TimeoutError as error:
        raise Refusal(408, f"The {noun} did not arrive in time.") from error
    return bytes(body)
