"""The audit trail on its page."""

from datetime import timedelta
from typing import Any

from litestar.testing import TestClient

from aftersend.database import audit
from aftersend.database.audit import AuditEntry
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE
from tests.support.pages import NOW

PATH = "/audit"


def _write(services: Services, **changes: Any) -> None:
    values = {
        "at": NOW,
        "entity": "workflow",
        "name": "tracking",
        "action": "pause",
        "operator": "Ada",
        **changes,
    }
    with services.database.write() as connection:
        audit.write(connection, AuditEntry(**values))


def _rows(client: TestClient[Any], query: str = "") -> str:
    text = client.get(PATH + query).text
    body: str = text.partition('<tbody id="rows">')[2].partition("</tbody>")[0]
    return " ".join(body.split())


def test_an_entry_tells_who_did_what(client: TestClient[Any], services: Services) -> None:
    """When, to what, by whom, and the details without brackets."""
    _write(services, details={"error_policy": "ignore", "deliveries": [1, 2], "was": {"days": 3}})
    rows = _rows(client)

    for expected in (
        "2026-03-01 13:00:00",
        "Workflow",
        "Pause",
        "Ada",
        'href="/workflows/tracking"',
    ):
        assert expected in rows
    for expected in ("Error policy", "<dd>1, 2</dd>", "<dd>days 3</dd>"):
        assert expected in rows


def test_filters_narrow_the_list(client: TestClient[Any], services: Services) -> None:
    """By what, action, who and day; the day ends at midnight of the zone."""
    _write(services)
    _write(services, entity="option", name="x", action="set", operator="Bob")
    _write(services, name="old", at=NOW - timedelta(days=3))

    assert "Bob" not in _rows(client, "?operator=Ada")
    assert "Ada" not in _rows(client, "?entity=option")
    assert "Bob" not in _rows(client, "?action=pause")
    assert "old" not in _rows(client, "?since=2026-03-01")
    assert "Bob" not in _rows(client, "?until=2026-02-28")
    assert "Bob" not in _rows(client, "?name=old")
    assert "Nothing fits these filters" in client.get(PATH + "?operator=Eve").text


def test_hostile_texts_are_harmless(client: TestClient[Any], services: Services) -> None:
    """Whatever stands in a trail: no markup of it, and no link made of it."""
    _write(
        services,
        entity=HOSTILE,
        name=f"../{HOSTILE}",
        action=HOSTILE,
        operator=HOSTILE,
        details={HOSTILE: HOSTILE, "long": "x" * 5000},
    )
    _write(services, name="javascript:alert(1)")
    text = client.get(PATH).text

    assert HOSTILE not in text
    assert "x" * 300 not in text
    assert 'href="/workflows/javascript' not in text


def test_long_trails_come_in_pieces(client: TestClient[Any], services: Services) -> None:
    """200 at a time, the newest first."""
    with services.database.write() as connection:
        for number in range(201):
            at = NOW + timedelta(seconds=number)
            audit.write(connection, AuditEntry(at, "option", f"o{number}", "set", "Ada"))

    assert "o200" in _rows(client)
    assert ">o0<" not in _rows(client)
    assert ">o0<" in _rows(client, "?offset=200")
    assert "200 / 201" in client.get(PATH).text


def test_an_empty_trail_says_what_will_be_there(client: TestClient[Any]) -> None:
    """It stands behind the entry Set-up, and behind the log-in."""
    text = client.get(PATH).text

    assert "Nothing was changed yet" in text
    assert 'href="/audit" class="active"' in text


def test_nobody_sees_it_without_a_log_in(visitor: TestClient[Any]) -> None:
    """Who does what here is nobody else's business."""
    assert visitor.get(PATH, follow_redirects=False).status_code == 302
