"""An instance with a token to ask its API with."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import api_tokens
from aftersend.web.app import build
from aftersend.web.services import Services
from tests.support.pages import NOW
from tests.support.services_fixtures import clock, prepared, runs, services

__all__ = ["clock", "prepared", "runs", "services"]

LABEL = "reporting"


@pytest.fixture
def token(services: Services) -> str:
    """Make a token."""
    with services.database.write() as connection:
        return api_tokens.create(
            connection, label=LABEL, entropy=services.entropy, at=NOW, operator="cli:ada"
        )


@pytest.fixture
def stranger(services: Services) -> Iterator[TestClient[Any]]:
    """Give a client without a token."""
    with TestClient(build(services), base_url="http://app.example") as client:
        yield client


@pytest.fixture
def client(stranger: TestClient[Any], token: str) -> TestClient[Any]:
    """Give a client that sends its token."""
    stranger.headers["Authorization"] = f"Bearer {token}"
    return stranger
