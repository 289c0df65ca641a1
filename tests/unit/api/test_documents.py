"""What the API answers."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import audit
from aftersend.errors import Transient
from aftersend.model.ids import DeliveryId
from aftersend.reports import render, tracking_indicators
from aftersend.reports.scope import Scope
from aftersend.web.services import Services
from tests.support.page_seed import (
    Hit,
    add_delivery,
    add_hits,
    add_recipients,
    add_workflow,
    consolidate,
)
from tests.support.pages import Runs
from tests.unit.api.conftest import LABEL

OPERATOR = f"api:{LABEL}"


def test_workflows_tell_how_they_stand(client: TestClient[Any], services: Services) -> None:
    """State, schedule, next execution and the equation of the last run."""
    add_workflow(services)
    (row,) = client.get("/api/v1/workflows").json()["workflows"]

    assert row == client.get("/api/v1/workflows/tracking").json()
    assert (row["name"], row["state"], row["next_at"]) == (
        "tracking",
        "started",
        "2026-03-01T12:30:00Z",
    )
    last = row["last"]
    assert last["read"] == last["loaded"] + last["already"] + sum(last["rejected"].values())


def test_the_journal_is_cut_by_severity(client: TestClient[Any], services: Services) -> None:
    """The least that is shown; what is no severity is refused with the words there are."""
    add_workflow(services)
    path = "/api/v1/workflows/tracking/journal"

    assert len(client.get(path).json()["lines"]) > 1
    assert {
        line["severity"]
        for line in client.get(path, params={"severity": "warning"}).json()["lines"]
    } == {"warning"}
    refused = client.get(path, params={"severity": "loud"})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "severity: info, warning or error.",
    )


def test_a_run_is_started(client: TestClient[Any], services: Services, runs: Runs) -> None:
    """The answer does not wait for its end."""
    add_workflow(services)
    answer = client.post("/api/v1/workflows/tracking/run")

    assert answer.status_code == 200
    assert runs.names == ["tracking"]


@pytest.mark.parametrize("path", ["nothing", "tracking/dance", "nothing/run", "%3Cscript%3E"])
def test_what_there_is_not_is_said(
    client: TestClient[Any], services: Services, runs: Runs, path: str
) -> None:
    """As 4xx with a sentence; nothing is started."""
    add_workflow(services)
    method = client.post if "/" in path else client.get
    answer = method(f"/api/v1/workflows/{path}")

    assert answer.status_code in (400, 404)
    assert answer.json()["error"].endswith(".")
    assert runs.names == []


def test_the_report_is_the_one_of_the_command(client: TestClient[Any], services: Services) -> None:
    """Number by number what `aftersend report tracking-indicators --json` prints."""
    seeded = add_delivery(services, add_recipients(services, ["John", "Marie"]))
    first = seeded.messages[0]
    add_hits(services, seeded, [Hit(1, first, 1, "a"), Hit(2, first, seeded.urls[0], "a")])
    consolidate(services)
    answer = client.get(f"/api/v1/deliveries/{seeded.delivery}/report")

    scope = Scope(deliveries=[DeliveryId(seeded.delivery)], rules=services.rules)
    expected = tracking_indicators.report(services.database, services.lake, scope)
    assert answer.json() == render.document(expected)
    assert client.get("/api/v1/deliveries/99/report").status_code == 404


def test_deliveries_are_computed_anew(client: TestClient[Any], runs: Runs) -> None:
    """Each once, in the name of the token."""
    answer = client.post("/api/v1/recompute", json={"deliveries": [3, 1, 3]})

    assert answer.json() == {"deliveries": 2}
    assert runs.recomputed == [([3, 1], OPERATOR)]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"deliveries": []}, "deliveries"),
        ({"deliveries": [0]}, "deliveries[0]"),
        ({"deliveries": ["one"]}, "deliveries[0]"),
        ({"deliveries": [1] * 1001}, "deliveries"),
        ({}, "deliveries"),
    ],
)
def test_a_wrong_body_is_told_by_its_field(
    client: TestClient[Any], runs: Runs, body: dict[str, Any], named: str
) -> None:
    """The sentence names the place; nothing is computed."""
    answer = client.post("/api/v1/recompute", json=body)

    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert runs.recomputed == []


def test_trouble_has_its_status(client: TestClient[Any], runs: Runs) -> None:
    """What may work later is 503 with its sentence; a fault of ours is told without its insides."""
    runs.error = Transient("The lake does not answer.")
    later = client.post("/api/v1/recompute", json={"deliveries": [1]})
    runs.error = RuntimeError("secret insides")
    fault = client.post("/api/v1/recompute", json={"deliveries": [1]})

    assert (later.status_code, later.json()) == (503, {"error": "The lake does not answer."})
    assert fault.status_code == 500
    assert "insides" not in fault.text


def test_everything_is_described(stranger: TestClient[Any]) -> None:
    """The schema is there for everybody, names each address and how errors look."""
    schema = stranger.get("/api/v1/schema").json()

    assert schema["openapi"].startswith("3.")
    assert schema["servers"] == [{"url": "/api"}]
    assert set(schema["paths"]) >= {
        "/v1/recompute",
        "/v1/workflows",
        "/v1/workflows/{name}",
        "/v1/workflows/{name}/{action}",
        "/v1/workflows/{name}/journal",
        "/v1/deliveries/{delivery_id}/report",
    }
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["security"] == [{"token": []}]
            assert "Problem" in str(operation["responses"]["400"])


def test_a_verdict_is_explained(client: TestClient[Any], services: Services) -> None:
    """As the command prints it; hits that are not there are not found."""
    seeded = add_delivery(services, add_recipients(services, ["John"]))
    add_hits(services, seeded, [Hit(1, seeded.messages[0], 1, "a", agent=0)])
    answer = client.get("/api/v1/hits/10x0000000000000001").json()

    assert (answer["verdict"], answer["rule"]) == ("machine", "no-agent")
    assert client.get("/api/v1/hits/10x0000000000000002").status_code == 404
    assert client.get("/api/v1/hits/nonsense").status_code == 400


@pytest.mark.parametrize("action", ["pause", "stop", "start", "restart", "wakeup"])
def test_workflows_obey(client: TestClient[Any], services: Services, action: str) -> None:
    """In the name of the token, which the audit trail keeps."""
    add_workflow(services)
    if action == "start":
        client.post("/api/v1/workflows/tracking/stop")
    answer = client.post(f"/api/v1/workflows/tracking/{action}")

    assert answer.status_code == 200
    with services.database.read() as connection:
        newest = audit.entries(connection, entity="workflow")[0]
    assert (newest.action, newest.operator) == (action, OPERATOR)


def test_what_does_not_fit_is_refused(client: TestClient[Any], services: Services) -> None:
    """One that is stopped is not resumed: 400 with the sentence."""
    add_workflow(services)
    client.post("/api/v1/workflows/tracking/stop")
    answer = client.post("/api/v1/workflows/tracking/resume")

    assert answer.status_code == 400
    assert "is stopped" in answer.json()["error"]
