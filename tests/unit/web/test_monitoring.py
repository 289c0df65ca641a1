"""Addresses for machines that watch."""

from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import insert, update

from aftersend.database import workflows
from aftersend.database.schema import delivery, workflow, workflow_run
from aftersend.model.enumeration import DeliveryState
from aftersend.web.services import Services
from tests.support.pages import NOW


def _add_workflow(services: Services) -> None:
    with services.database.write() as connection:
        workflows.add(
            connection, name="tracking", label="Tracking", schedule="0 * * * *", next_at=NOW
        )


def test_health_is_ok(visitor: TestClient[Any], services: Services) -> None:
    """A working app says so, and how its workflows stand."""
    _add_workflow(services)
    answer = visitor.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["workflows"] == {"tracking": "ok"}


def test_health_tells_a_failed_workflow(visitor: TestClient[Any], services: Services) -> None:
    """A failed workflow is no reason to restart the app, but is told."""
    _add_workflow(services)
    with services.database.write() as connection:
        connection.execute(update(workflow).values(is_failed=True))
    answer = visitor.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["workflows"] == {"tracking": "failed"}


def test_health_tells_a_late_workflow(visitor: TestClient[Any], services: Services) -> None:
    """A workflow whose time passed hours ago is late: nobody runs the scheduler."""
    _add_workflow(services)
    with services.database.write() as connection:
        connection.execute(update(workflow).values(next_at=NOW - timedelta(hours=4)))

    assert visitor.get("/health").json()["workflows"] == {"tracking": "late"}


@pytest.mark.parametrize(("state", "word"), [(13, "paused"), (20, "stopped")])
def test_health_tells_a_workflow_that_rests(
    visitor: TestClient[Any], services: Services, state: int, word: str
) -> None:
    """Nobody runs it by its schedule, so it is not late; its data do not come either."""
    _add_workflow(services)
    with services.database.write() as connection:
        late = NOW - timedelta(hours=4)
        connection.execute(update(workflow).values(next_at=late, state=state))
    answer = visitor.get("/health").json()

    assert (answer["status"], answer["workflows"]) == ("degraded", {"tracking": word})


def test_health_without_a_database(visitor: TestClient[Any], services: Services) -> None:
    """An app that cannot reach its database says 503."""
    with services.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE journal_line")
        connection.exec_driver_sql("DROP TABLE workflow_run")
        connection.exec_driver_sql("DROP TABLE workflow")
    answer = visitor.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "down")


def test_metrics_are_those_of_the_database(visitor: TestClient[Any], services: Services) -> None:
    """Metrics count deliveries, messages and lines as the control plane holds them."""
    _add_workflow(services)
    row = {
        "internal_name": "DM1",
        "label": "Spring",
        "state": DeliveryState.FINISHED,
        "sender": "a@example.com",
        "subject": "Hello",
        "success": 7,
        "error": 2,
        "created_at": NOW,
        "modified_at": NOW,
    }
    run = {"workflow": "tracking", "started_at": NOW, "ended_at": NOW, "state": "finished"}
    with services.database.write() as connection:
        connection.execute(insert(delivery).values(row))
        connection.execute(
            insert(workflow_run).values({**run, "read": 10, "loaded": 7, "already": 1})
        )
    lines = visitor.get("/metrics").text.splitlines()

    assert 'aftersend_deliveries{state="finished"} 1.0' in lines
    assert 'aftersend_messages{result="success"} 7.0' in lines
    assert 'aftersend_messages{result="error"} 2.0' in lines
    assert 'aftersend_workflow_failed{workflow="tracking"} 0.0' in lines
    assert 'aftersend_workflow_lines_total{outcome="rejected",workflow="tracking"} 2.0' in lines


def test_robots_are_asked_to_stay_away(visitor: TestClient[Any]) -> None:
    """Search engines are asked to index nothing."""
    assert visitor.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
