"""Why a hit has its verdict, and what the rules removed."""

from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import insert

from aftersend.database.schema import user_agent
from aftersend.model.ids import ServerId
from aftersend.model.logline import log_id
from aftersend.web.services import Services
from tests.support.page_seed import (
    HOSTILE,
    Hit,
    Seeded,
    add_delivery,
    add_hits,
    add_recipients,
    consolidate,
)

AGENT = 77


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Let a machine follow two links at once after an open, and a person follow one later."""
    found = add_delivery(services, add_recipients(services, ["John", "Marie"]))
    first, second = found.messages
    shop, _, mirror = found.urls
    with services.database.write() as connection:
        row = {"id": AGENT, "text": f"Mozilla/5.0 {HOSTILE}", "browser": HOSTILE}
        connection.execute(insert(user_agent).values(row))
    hits = [
        Hit(1, first, 1, agent=AGENT),
        Hit(1.001, first, shop, agent=AGENT),
        Hit(1.002, first, mirror, agent=AGENT),
        Hit(9, second, shop, agent=AGENT),
    ]
    add_hits(services, found, hits)
    consolidate(services)
    return found


def _hit(client: TestClient[Any], number: int) -> str:
    answer = client.get(f"/hits/{log_id(ServerId('1'), number)}")
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_a_burst_is_explained(client: TestClient[Any], seeded: Seeded) -> None:
    """Verdict, rule with its reason and source, and the hit that made it fit is marked."""
    text = _hit(client, 2)

    assert "Machine" in text
    assert "Does not count" in text
    assert ">burst</span>" in text
    assert "Source:" in text
    assert text.count("Decided") == 1
    assert "Data up to" in text or "No data collected yet" in text


def test_a_person_counts(client: TestClient[Any], seeded: Seeded) -> None:
    """No rule fits, and that is said."""
    text = _hit(client, 4)

    assert "No rule fits" in text
    assert "Counts" in text
    assert "It stands alone" in text


def test_user_agents_are_harmless(client: TestClient[Any], seeded: Seeded) -> None:
    """What a browser calls itself, and what it is taken for, is never markup."""
    for number in (2, 4):
        text = _hit(client, number)
        assert HOSTILE not in text
        assert "Mozilla/5.0 &lt;script&gt;" in text


def test_lists_lead_to_the_reason(client: TestClient[Any], seeded: Seeded) -> None:
    """Of a delivery and of a recipient; each verdict is a link."""
    address = f'href="/hits/{log_id(ServerId("1"), 2)}"'

    assert address in client.get(f"/deliveries/{seeded.delivery}/tracking/logs").text
    assert address in client.get(f"/recipients/{seeded.recipients[0]}").text


def test_what_the_rules_removed_is_counted(client: TestClient[Any], seeded: Seeded) -> None:
    """By rule, and each number leads to as many rows."""
    track = f"/deliveries/{seeded.delivery}/tracking"
    text = " ".join(client.get(track).text.split())
    clicks = f"{track}/logs?verdict=machine&amp;rule=burst&amp;type=email_click"

    assert "What the rules removed" in text
    assert f'href="{clicks}">1</a>' in text
    rows = client.get(clicks.replace("&amp;", "&")).text
    assert "1 / 1" in rows
    assert 'value="burst" selected' in rows


@pytest.mark.parametrize("name", ["1", "10x0000000000000999", "%3Cscript%3E", "x" * 300])
def test_unknown_hits_have_no_page(client: TestClient[Any], name: str) -> None:
    """A friendly 404."""
    answer = client.get(f"/hits/{name}")

    assert answer.status_code == 404
    assert "<script>" not in answer.text.replace("<script src", "")
