"""A small instance to draw pages of."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.content import Addresses
from aftersend.database import operators
from aftersend.web.app import build
from aftersend.web.login import COOKIE
from aftersend.web.services import Services
from aftersend.web.sessions import SessionStore
from tests.support.pages import csrf
from tests.support.services_fixtures import clock, prepared, runs, services

__all__ = ["clock", "prepared", "runs", "services"]


@pytest.fixture
def visitor(services: Services) -> Iterator[TestClient[Any]]:
    """Give a client that is not logged in."""
    with TestClient(build(services), base_url="http://app.example") as client:
        yield client


@pytest.fixture
def client(visitor: TestClient[Any], services: Services) -> TestClient[Any]:
    """Give a client that is logged in, without the time that checking a password takes."""
    return _let_in(visitor, services)


@pytest.fixture
def branded(services: Services) -> Iterator[TestClient[Any]]:
    """Give a client that is logged in to an instance with a brand."""
    brand = Addresses("http://brand.invalid", "http://app.example")
    office = replace(services.office, brands={"pier": brand})
    other = replace(services, office=office)
    with TestClient(build(other), base_url="http://app.example") as client:
        yield _let_in(client, services)


def _let_in(visitor: TestClient[Any], services: Services) -> TestClient[Any]:
    sessions = SessionStore(services.sessions, services.clock, services.entropy, hours=12)
    with services.database.read() as connection:
        operator = operators.find(connection, 1)
    assert operator is not None
    csrf(visitor)
    visitor.cookies.set(COOKIE, sessions.open(operator))
    return visitor
