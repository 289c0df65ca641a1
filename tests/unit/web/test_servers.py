"""The page of tracking servers."""

from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import public_addresses, tracking_servers
from aftersend.database.public_addresses import PublicAddress
from aftersend.delivery.registration import register
from aftersend.model.ids import ServerId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE
from tests.support.pages import KEYS, NOW, csrf
from tests.support.registry import servers
from tests.support.running import comes_true

PATH = "/tracking-servers"
ONE = ServerId("1")


def _text(client: TestClient[Any], query: str = "") -> str:
    answer = client.get(PATH + query)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def _note(services: Services, **changes: Any) -> None:
    values = {"url": "http://t.example", "checked_at": NOW, "verified_at": NOW, **changes}
    with services.database.write() as connection:
        public_addresses.note(connection, PublicAddress(**values))


def _press(client: TestClient[Any], action: str) -> Any:
    data = {"_csrf_token": csrf(client)}
    return client.post(f"{PATH}/{action}", data=data, follow_redirects=False)


def test_an_empty_instance_says_what_to_do(client: TestClient[Any]) -> None:
    """No server, and an address that nobody looked at."""
    text = _text(client)

    assert "No tracking server yet" in text
    assert "aftersend tracking server add --id 2" in text
    assert "http://t.example" in text
    assert "Not looked at yet" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"servers": (ONE,)}, "Verified</span>"),
        ({"problem": "The certificate ends in 3 days."}, "Verified, see below"),
        ({"verified_at": None, "problem": "It has expired."}, "Does not lead to us"),
    ],
)
def test_an_address_is_green_or_red(
    client: TestClient[Any], services: Services, changes: dict[str, Any], expected: str
) -> None:
    """What was found the last time, with the sentence where there is something to do."""
    _note(services, **changes)
    text = _text(client)

    assert expected in text
    assert changes.get("problem", "") in text


def test_servers_are_listed_with_their_problems(
    client: TestClient[Any], services: Services
) -> None:
    """Each as it stands; texts of others are harmless."""
    (services.registry.var / "spool" / "1").mkdir(parents=True)
    with services.database.write() as connection:
        tracking_servers.enrol(
            connection,
            [ServerId("2")],
            internal_url="http://two.internal:8081",
            build="1.2.3",
            host=HOSTILE,
            at=NOW,
        )
        tracking_servers.put(
            connection, server_id="3", internal_url="http://three.internal:8081", at=NOW
        )
        tracking_servers.note_problem(connection, ServerId("3"), HOSTILE)
    text = _text(client)

    for expected in ("This machine", "Registered", "Not registered", "1.2.3", "two.internal"):
        assert expected in text
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;") > 1 or "&lt;" in text


def test_the_page_asks_servers_how_they_fare(
    client: TestClient[Any], services: Services, tmp_path: Path
) -> None:
    """Asked with the page there: those that run, and lines that are not fetched."""
    office = services.office
    with servers(tmp_path / "far", office, "2", keys=KEYS, password=office.password) as (server,):
        register(services.registry, "2", server.url)
        before, now = _text(client), _text(client, "?now=yes")

    assert "?now=yes" in before
    assert 'badge-good">Yes' not in before
    assert 'badge-good">Yes' in now
    assert "?now=yes" not in now
    assert "Silent" in _text(client, "?now=yes")


def test_settings_that_matter_are_shown(client: TestClient[Any]) -> None:
    """Web tracking mode, cookies and delimiter pairs, as they are set."""
    text = _text(client)

    for expected in (
        "Session: visits after a click",
        "Kept for 365 days",
        "<dd>() [] {}</dd>",
        "<dd>aftersend</dd>",
        "Not understood",
    ):
        assert expected in text


def test_verifying_is_shown_when_it_has_ended(
    branded: TestClient[Any], services: Services, tmp_path: Path
) -> None:
    """Servers are contacted, addresses looked at, and the page has what was found."""
    answer = _press(branded, "verify")
    ended = comes_true(lambda: "data-running" not in branded.get(PATH).text, 60)
    text = _text(branded)

    assert (303, PATH) == (answer.status_code, answer.headers["location"])
    assert ended
    assert "The name brand.invalid cannot be found" in text
    assert "Brand pier" in text
    assert "Does not lead to us" in text


def test_registering_again_contacts_all(client: TestClient[Any], services: Services) -> None:
    """One that is silent has its reason on the page afterwards."""
    with services.database.write() as connection:
        tracking_servers.put(connection, server_id="3", internal_url="http://127.0.0.1:9", at=NOW)
    _press(client, "register")

    assert comes_true(lambda: "http://127.0.0.1:9 does not answer" in _text(client), 60)


def test_only_what_there_is_can_be_started(client: TestClient[Any]) -> None:
    """Other actions are not found, and nothing is done without a token of ours."""
    assert _press(client, "destroy").status_code == 404
    assert client.post(f"{PATH}/verify", follow_redirects=False).status_code == 403


def test_nobody_sees_it_without_a_log_in(visitor: TestClient[Any]) -> None:
    """Internal addresses are nobody else's business."""
    answer = visitor.get(PATH, follow_redirects=False)

    assert (302, "/login") == (answer.status_code, answer.headers["location"].partition("?")[0])
