"""The list of deliveries and the pages of one."""

from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import insert

from aftersend.database import delivery_list
from aftersend.database.schema import analysis_check, exclusion
from aftersend.model.enumeration import DeliveryState, FailureReason, Severity
from aftersend.reports import deliveries as reports_deliveries
from aftersend.reports import tracking_indicators
from aftersend.reports.scope import Scope
from aftersend.web.services import Services
from tests.support.page_seed import (
    HOSTILE,
    START,
    Hit,
    Seeded,
    add_delivery,
    add_hits,
    add_recipients,
    add_workflow,
    consolidate,
)

NAMES = ["John", "Marie", "Florian", "Henry", "Zoe"]


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Give a delivery to five recipients, one of whom failed; two opened, one clicked."""
    seeded = add_delivery(services, add_recipients(services, NAMES), label=f"Spring {HOSTILE}")
    first, second = seeded.messages[:2]
    add_hits(
        services,
        seeded,
        [Hit(1, first, 1, "a"), Hit(2, first, seeded.urls[0], "a"), Hit(3, second, 1, "b")],
    )
    consolidate(services)
    add_workflow(services)
    return seeded


def test_without_deliveries_the_first_commands_are_told(client: TestClient[Any]) -> None:
    """An empty instance tells how to begin, command by command."""
    text = client.get("/deliveries").text

    assert "No deliveries yet" in text
    for command in ("recipient import", "delivery create", "delivery send"):
        assert f"aftersend {command}" in text


def test_the_list_shows_the_figures(client: TestClient[Any], seeded: Seeded) -> None:
    """A delivery stands there with its state and figures, and how old they are."""
    text = client.get("/deliveries").text

    assert "Finished" in text
    assert "100.00 %" in text
    assert "80.00 %" in text
    assert "Data up to 2026-03-01 11:59 UTC" in text
    assert f'href="/deliveries/{seeded.delivery}"' in text


def test_all_lists_and_reports_say_the_same(services: Services, seeded: Seeded) -> None:
    """Opens and clicks in the list are those of the summary and of the report (D7)."""
    with services.database.read() as connection:
        (row,) = delivery_list.page(connection, delivery_list.Query())
    report = tracking_indicators.report(
        services.database, services.lake, Scope([row.id])
    ).indicators
    summary = reports_deliveries.summary(services.database, row.id).indicators

    assert (row.opens, row.clicks) == (2, 1)
    assert row.opens == report["recipient_open"].value == summary["recipient_open"].value
    assert row.clicks == report["recipient_click"].value == summary["recipient_click"].value


@pytest.mark.parametrize(
    ("query", "is_found"),
    [("q=spring", True), ("q=autumn", False), ("status=finished", True), ("status=failed", False)],
)
def test_the_list_is_filtered(
    client: TestClient[Any], seeded: Seeded, query: str, is_found: bool
) -> None:
    """Search and status pick deliveries; when none fits, the page says so."""
    text = client.get(f"/deliveries?{query}").text

    assert (f'href="/deliveries/{seeded.delivery}"' in text) == is_found
    assert ("No delivery found" in text) != is_found


def test_an_address_out_of_bounds_is_no_failure(client: TestClient[Any], seeded: Seeded) -> None:
    """Nonsense in an address gives a friendly answer."""
    assert client.get("/deliveries?sort=nonsense&status=nonsense").status_code == 200
    assert client.get("/deliveries?offset=-1").status_code == 400
    assert client.get("/deliveries?offset=9000000").status_code == 200
    assert client.get("/deliveries/999").status_code == 404
    assert "There is no delivery 999." in client.get("/deliveries/999").text
    assert client.get(f"/deliveries/{2**70}").status_code in (400, 404)


def test_the_summary_tells_what_the_analysis_found(
    client: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Exclusions stand there by reason, checks by level, and properties in full."""
    check = {"level": Severity.WARNING, "rule": "Unsubscription link", "text": "None in the text."}
    with services.database.write() as connection:
        connection.execute(
            insert(exclusion),
            [
                {
                    "delivery_id": seeded.delivery,
                    "recipient_id": number,
                    "address": "a@example.com",
                    "reason": FailureReason.DENYLISTED,
                    "created_at": START,
                }
                for number in (8, 9)
            ],
        )
        connection.execute(insert(analysis_check).values(delivery_id=seeded.delivery, **check))
    text = client.get(f"/deliveries/{seeded.delivery}").text

    assert "Denylisted address" in text
    assert "None in the text." in text
    assert "Aftersend &lt;news@example.com&gt;" in text
    assert "2026-02-27 13:00:00" in text


@pytest.mark.parametrize(
    ("query", "count"), [("", 5), ("?status=failed", 1), ("?status=success&seeds=no", 4)]
)
def test_delivery_logs_are_as_many_as_the_figures(
    client: TestClient[Any], seeded: Seeded, query: str, count: int
) -> None:
    """The list behind To deliver, Success and Failed is as long as the figure."""
    text = client.get(f"/deliveries/{seeded.delivery}/logs{query}").text

    assert text.count('data-label="Status"') == count
    assert f"{count} / {count}" in text


def test_the_mirror_page_of_a_message_is_a_click_away(
    client: TestClient[Any], seeded: Seeded
) -> None:
    """From the delivery log one comes to the web copy of that very message, uncounted."""
    answer = client.get(f"/deliveries/{seeded.delivery}/logs/{seeded.messages[0]}/mirror")

    assert "Hello John" in answer.text
    assert 'href="https://www.example.com/shop"' in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    assert client.get(f"/deliveries/99/logs/{seeded.messages[0]}/mirror").status_code == 404


def test_without_tracking_there_is_no_tracking_tab(
    client: TestClient[Any], services: Services
) -> None:
    """When tracking is off its tab is not shown, and its addresses lead nowhere."""
    recipients = add_recipients(services, NAMES[:2])
    number = add_delivery(services, recipients, is_tracked=False).delivery

    assert "/tracking" not in client.get(f"/deliveries/{number}").text.split("<main", 1)[1]
    for view in ("", "/logs", "/urls", "/logs.csv"):
        assert client.get(f"/deliveries/{number}/tracking{view}").status_code == 404
    assert client.get(f"/deliveries/{number}/figures/to_deliver").status_code == 200


def test_markup_in_texts_is_shown_as_text(client: TestClient[Any], seeded: Seeded) -> None:
    """Labels, subjects, links and answers of mail servers that hold markup are harmless (P3)."""
    here = f"/deliveries/{seeded.delivery}"
    paths = ["/deliveries", here, f"{here}/logs", f"{here}/tracking", f"{here}/tracking/logs"]
    paths += [f"{here}/tracking/urls", f"{here}/figures/recipient_open", f"{here}/figures/error"]
    paths += [f"{here}/urls/{seeded.urls[0]}", f"/deliveries?q={HOSTILE}"]
    for path in paths:
        answer = client.get(path)

        assert answer.status_code == 200, path
        assert HOSTILE not in answer.text, path


def test_a_delivery_that_was_not_sent_has_no_shares(
    client: TestClient[Any], services: Services
) -> None:
    """Before the analysis there are dashes, not zeros that look like results."""
    recipients = add_recipients(services, NAMES[:2])
    nothing: dict[str, Any] = dict.fromkeys(("to_deliver", "success", "error"), 0)
    dates: dict[str, Any] = dict.fromkeys(("analysed_at", "contact_at", "ended_at"))
    changes = {"state": DeliveryState.BEING_EDITED, "label": "New", **nothing, **dates}
    seeded = add_delivery(services, recipients, **changes)
    text = client.get(f"/deliveries/{seeded.delivery}").text

    assert "Being edited" in text
    assert "Not analysed yet." in text
    assert " %" not in text.split("<main", 1)[1].split("Properties")[0]


def test_long_lists_come_a_piece_at_a_time(client: TestClient[Any], services: Services) -> None:
    """200 rows are loaded, the counter tells of all, and the rest follows without gap."""
    recipients = add_recipients(services, [f"r{number:03}" for number in range(450)])
    number = add_delivery(services, recipients).delivery
    path = f"/deliveries/{number}/logs?sort=address"
    texts = [client.get(f"{path}&offset={offset}").text for offset in (0, 200, 400)]

    assert [200, 200, 50] == [text.count('data-label="Status"') for text in texts]
    assert "200 / 450" in texts[0]
    assert "offset=200" in texts[0]
    assert "450 / 450" in texts[2]
    assert "Load more" not in texts[2]


def test_figures_are_as_old_as_the_last_run(
    client: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The moment shown is when the last finished run began, in UTC, whatever the zone."""
    add_workflow(services, ended_at=None)

    assert "Data up to 2026-03-01 11:59 UTC" in client.get(f"/deliveries/{seeded.delivery}").text
    assert timedelta(0) == services.clock.now().utcoffset()
