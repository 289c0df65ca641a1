"""Who may ask the API."""

from typing import Any

from litestar.testing import TestClient
from sqlalchemy import select

from aftersend.database import api_tokens, audit
from aftersend.database.schema import api_token
from aftersend.platform.attempts import FAILURES_MAX, WINDOW_S
from aftersend.platform.clock import ManualClock
from aftersend.web.services import Services
from tests.support.pages import NOW, log_in
from tests.unit.api.conftest import LABEL

PATH = "/api/v1/workflows"


def test_a_token_opens_the_door(client: TestClient[Any]) -> None:
    """Who brings it is answered in JSON, and gets no cookie."""
    answer = client.get(PATH)

    assert (answer.status_code, answer.json()) == (200, {"workflows": []})
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_without_a_token_nothing_is_told(stranger: TestClient[Any]) -> None:
    """A sentence, the right status, and what to send."""
    answer = stranger.get(PATH)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["error"]


def test_a_session_of_the_pages_is_no_token(stranger: TestClient[Any]) -> None:
    """A page of somebody else cannot act through the browser of an operator."""
    log_in(stranger)

    assert stranger.get(PATH).status_code == 401
    assert stranger.post("/api/v1/recompute", json={"deliveries": [1]}).status_code == 401


def test_a_revoked_token_is_refused(client: TestClient[Any], services: Services) -> None:
    """From the next request on."""
    assert client.get(PATH).status_code == 200
    with services.database.write() as connection:
        api_tokens.revoke(connection, label=LABEL, at=NOW, operator="cli:ada")

    assert client.get(PATH).status_code == 401


def test_guessing_is_slowed_down(stranger: TestClient[Any], token: str, clock: ManualClock) -> None:
    """After some wrong tokens even the right one waits; then it is let in again."""
    for _ in range(FAILURES_MAX):
        wrong = stranger.get(PATH, headers={"Authorization": "Bearer aftersend_wrong"})
        assert wrong.status_code == 401
    right = {"Authorization": f"Bearer {token}"}

    assert stranger.get(PATH, headers=right).status_code == 429
    clock.advance(WINDOW_S + 1)
    assert stranger.get(PATH, headers=right).status_code == 200


def test_only_the_hash_is_kept(services: Services, token: str) -> None:
    """Whoever reads the database cannot ask the API."""
    with services.database.read() as connection:
        rows = connection.execute(select(api_token)).all()

    assert token not in str(rows)
    assert len(rows) == 1


def test_the_use_is_noted_once_a_minute(
    client: TestClient[Any], services: Services, clock: ManualClock
) -> None:
    """Enough to find tokens that nobody needs."""
    seen = []
    for _ in range(3):
        client.get(PATH)
        with services.database.read() as connection:
            seen.append(api_tokens.every(connection)[0].last_used_at)
        clock.advance(40)

    assert seen[0] == seen[1] == NOW
    assert seen[2] is not None
    assert seen[2] > NOW


def test_tokens_are_audited(services: Services, token: str) -> None:
    """Who made and who revoked one stands in the trail; the token itself does not."""
    with services.database.write() as connection:
        api_tokens.revoke(connection, label=LABEL, at=NOW, operator="cli:bob")
        entries = audit.entries(connection, entity="api-token")

    assert [(each.action, each.operator) for each in entries] == [
        ("revoke", "cli:bob"),
        ("create", "cli:ada"),
    ]
    assert token not in str(entries)
