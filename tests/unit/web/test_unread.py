"""Ending the connection of a request whose body nobody has waited for."""

import asyncio
from typing import Any

import pytest
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from aftersend.web.app import build
from aftersend.web.services import Services
from aftersend.web.unread import ending_unread


@pytest.fixture
def served(services: Services) -> TestClient[Any]:
    """Give a client of the app as it is served."""
    return TestClient(ending_unread(build(services)), base_url="http://app.example")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v1/recompute", 401),
        ("POST", "/api/v1/nothing", 404),
        ("DELETE", "/login", 405),
        ("POST", "/nowhere", 404),
    ],
)
def test_an_answer_before_the_body_ends_the_connection(
    served: TestClient[Any], method: str, path: str, status: int
) -> None:
    """Whoever refuses: the door, the router, or what protects forms."""
    answer = served.request(method, path, content=b"{}")

    assert answer.status_code == status
    assert answer.headers["connection"] == "close"


def test_an_answer_without_a_body_to_read_keeps_it(served: TestClient[Any]) -> None:
    """What was asked with GET may be asked again, also when it was refused."""
    assert "connection" not in served.get("/api/v1/deliveries").headers
    assert "connection" not in served.get("/login").headers


@pytest.mark.parametrize(("reads", "header"), [(1, "close"), (2, None)])
def test_only_a_body_that_was_read_to_its_end_counts(reads: int, header: str | None) -> None:
    """The first part of two is not the body."""
    parts = [{"type": "http.request", "body": b"a", "more_body": more} for more in (True, False)]
    sent: list[Any] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        for _each in range(reads):
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "headers": [(b"content-length", b"2")]}

    async def ask() -> None:
        await ending_unread(app)(scope, receive, send)

    asyncio.run(ask())

    assert dict(sent[0]["headers"]).get(b"connection") == (header and header.encode())
