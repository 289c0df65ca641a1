"""Recipients: the list and the pages of one."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import recipients as rows
from aftersend.model.ids import RecipientId
from aftersend.web.services import Services
from tests.support.page_seed import (
    HOSTILE,
    Hit,
    Seeded,
    add_delivery,
    add_hits,
    add_recipients,
    add_workflow,
)
from tests.support.pages import NOW


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Give two deliveries to John, whose last name is hostile, and what he did with both."""
    ids = add_recipients(services, ["John", "Marie"])
    spring = add_delivery(services, ids, label="Spring")
    autumn = add_delivery(services, ids, label=f"Autumn {HOSTILE}")
    add_hits(services, spring, [Hit(1, spring.messages[0], 1, "a")])
    add_hits(services, autumn, [Hit(9, autumn.messages[0], autumn.urls[0], "a")], first=2)
    add_workflow(services)
    return spring


def test_without_recipients_the_import_is_told(client: TestClient[Any]) -> None:
    """An empty list tells how to bring recipients in."""
    assert "aftersend recipient import" in client.get("/recipients").text


@pytest.mark.parametrize(
    ("search", "found"), [("MARIE", ["marie"]), ("doe", ["marie"]), ("%", []), ("", ["john"])]
)
def test_the_list_is_searched(
    client: TestClient[Any], seeded: Seeded, search: str, found: list[str]
) -> None:
    """A part of an address or of a name finds its recipients."""
    text = client.get("/recipients", params={"q": search}).text

    for name in found:
        assert f"{name}@example.com" in text
    assert ("Nobody found" in text) == (not found)


def test_a_recipient_shows_reactions_to_all_deliveries(
    client: TestClient[Any], seeded: Seeded
) -> None:
    """The tracking logs of a recipient go over all deliveries, newest first."""
    text = client.get(f"/recipients/{seeded.recipients[0]}").text

    assert "Recipient tracking logs" in text
    assert "2 / 2" in text
    assert text.index("Autumn") < text.index("Spring")
    assert "https://www.example.com/shop" in text


@pytest.mark.parametrize(
    ("query", "count"), [("type=open", 1), ("delivery=autumn", 1), ("url=shop", 1), ("sort=url", 2)]
)
def test_the_logs_of_a_recipient_are_filtered(
    client: TestClient[Any], seeded: Seeded, query: str, count: int
) -> None:
    """Each filter picks its hits."""
    text = client.get(f"/recipients/{seeded.recipients[0]}?{query}").text

    assert f"{count} / {count}" in text


@pytest.mark.parametrize("sort", ["-at", "label", "-type", "delivery", "-url", "verdict"])
def test_the_logs_of_a_recipient_are_sorted(
    client: TestClient[Any], seeded: Seeded, sort: str
) -> None:
    """Every header sorts."""
    assert client.get(f"/recipients/{seeded.recipients[0]}?sort={sort}").status_code == 200


def test_a_recipient_shows_what_was_sent(client: TestClient[Any], seeded: Seeded) -> None:
    """The tab Deliveries lists the delivery logs of the profile."""
    text = client.get(f"/recipients/{seeded.recipients[1]}/deliveries").text

    assert "2 / 2" in text
    assert f'href="/deliveries/{seeded.delivery}"' in text


def test_somebody_without_reactions_is_told(client: TestClient[Any], seeded: Seeded) -> None:
    """Who did nothing has an empty page that says so."""
    assert "No reactions so far" in client.get(f"/recipients/{seeded.recipients[1]}").text


def test_a_denylisted_recipient_is_marked(
    client: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Who must not be contacted is marked wherever they are shown."""
    number = seeded.recipients[0]
    with services.database.write() as connection:
        rows.set_denylisted(connection, RecipientId(number), at=NOW)

    for path in ("/recipients", f"/recipients/{number}", f"/recipients/{number}/profile"):
        assert "Denylisted" in client.get(path).text


def test_markup_in_names_is_shown_as_text(client: TestClient[Any], seeded: Seeded) -> None:
    """Names and labels that hold markup are harmless (P3)."""
    here = f"/recipients/{seeded.recipients[0]}"
    for path in ("/recipients", here, f"{here}/deliveries", f"{here}/profile"):
        answer = client.get(path)

        assert answer.status_code == 200
        assert HOSTILE not in answer.text


@pytest.mark.parametrize("view", ["", "/deliveries", "/profile"])
def test_nobody_has_no_page(client: TestClient[Any], view: str) -> None:
    """An unknown recipient gets a friendly 404."""
    answer = client.get(f"/recipients/999{view}")

    assert answer.status_code == 404
    assert "There is no recipient 999." in answer.text
