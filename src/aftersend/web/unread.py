"""Ending the connection of a request whose body nobody has waited for."""

from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from aftersend.platform.bodies import has_body

__all__ = ["ending_unread"]


def ending_unread(app: ASGIApp) -> ASGIApp:
    """Say of an answer given before the body of its request was read that the connection ends.

    The HTTP server closes it for that body without always saying so, and the next request of a
    client that keeps its connections would be lost.
    Source: RFC 9112 §9.6.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not has_body(Headers.from_scope(scope)):
            await app(scope, receive, send)
            return
        is_read = False

        async def noting_receive() -> Any:
            nonlocal is_read
            message: Any = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        async def ending_send(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_read:
                MutableScopeHeaders.from_message(message)["Connection"] = "close"
            await send(message)

        await app(scope, noting_receive, ending_send)

    return answer
