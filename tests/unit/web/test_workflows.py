"""Technical workflows on pages."""

from typing import Any

from litestar.testing import TestClient
from sqlalchemy import select, update

from aftersend.database import workflows
from aftersend.database.schema import workflow
from aftersend.errors import Transient
from aftersend.model.enumeration import WorkflowState
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_workflow
from tests.support.pages import NOW, Runs, csrf

PATH = "/workflows/tracking"


def _state(services: Services) -> int:
    with services.database.read() as connection:
        state: int = connection.execute(select(workflow.c.state)).scalar_one()
        return state


def _press(client: TestClient[Any], action: str) -> Any:
    return client.post(
        f"{PATH}/{action}", data={"_csrf_token": csrf(client)}, follow_redirects=False
    )


def test_the_list_tells_how_workflows_stand(client: TestClient[Any], services: Services) -> None:
    """State, failure, last and next execution stand in the list."""
    add_workflow(services)
    text = client.get("/workflows").text

    assert "Tracking" in text
    assert "Started" in text
    assert "2026-03-01 12:59:58" in text
    assert "2026-03-01 13:30:00" in text


def test_the_equation_is_shown(client: TestClient[Any], services: Services) -> None:
    """Each run shows where every line went, and that it adds up."""
    add_workflow(services)
    text = " ".join(client.get(PATH).text.replace("<b>", "").replace("</b>", "").split())

    for part in ("7 read", "5 loaded", "1 loaded before", "1 rejected (shape 1)", "adds up"):
        assert part in text


def test_the_journal_is_filtered(client: TestClient[Any], services: Services) -> None:
    """By severity, the journal shows what is at least as bad; markup in it is harmless."""
    add_workflow(services)
    everything = client.get(PATH).text
    warnings = client.get(f"{PATH}?severity=warning").text
    errors = client.get(f"{PATH}?severity=error").text

    assert "The workflow is being run." in everything
    assert "The workflow is being run." not in warnings
    assert "1 line was rejected" in warnings
    assert "1 line was rejected" not in errors
    assert HOSTILE not in everything


def test_execute_now_starts_one_run(
    client: TestClient[Any], services: Services, runs: Runs
) -> None:
    """The button starts a run and leads back to the page, so that a reload starts none."""
    add_workflow(services)
    answer = _press(client, "run")

    assert answer.status_code == 303
    assert answer.headers["location"] == PATH
    assert runs.names == ["tracking"]


def test_a_run_that_failed_is_told(client: TestClient[Any], services: Services, runs: Runs) -> None:
    """When a run that was started here fails, its page says why."""
    add_workflow(services)
    runs.error = Transient("The tracking server is away.")
    _press(client, "run")
    text = client.get(PATH).text
    while "data-running" in text:
        text = client.get(PATH).text

    assert "The tracking server is away." in text


def test_a_workflow_is_paused_and_resumed(client: TestClient[Any], services: Services) -> None:
    """The buttons change the state; resuming forgets the failure."""
    add_workflow(services)
    assert _press(client, "pause").status_code == 303
    assert _state(services) == WorkflowState.PAUSED
    with services.database.write() as connection:
        connection.execute(update(workflow).values(is_failed=True))

    assert "Paused, failed" in client.get(PATH).text
    _press(client, "resume")
    assert _state(services) == WorkflowState.STARTED


def test_nobody_else_presses_the_buttons(
    client: TestClient[Any], visitor: TestClient[Any], services: Services, runs: Runs
) -> None:
    """Without the token of the form, an action of another site is refused."""
    add_workflow(services)
    for action in ("run", "pause", "resume"):
        assert client.post(f"{PATH}/{action}").status_code == 403

    assert (runs.names, _state(services)) == ([], WorkflowState.STARTED)


def test_an_unknown_workflow_has_no_page(client: TestClient[Any]) -> None:
    """A workflow that is not there gets a friendly 404, and is not started."""
    assert client.get("/workflows/nothing").status_code == 404
    token = {"_csrf_token": csrf(client)}
    assert client.post("/workflows/nothing/run", data=token).status_code == 404


def test_without_workflows_the_page_says_why(client: TestClient[Any]) -> None:
    """Workflows register themselves at the start of the server, and the page says so."""
    assert "No workflow is registered yet" in client.get("/workflows").text


def test_a_run_whose_process_died_can_be_taken_over(
    client: TestClient[Any], services: Services, runs: Runs
) -> None:
    """A run that seems to go on for ever does not lock the button: the engine decides."""
    add_workflow(services)
    with services.database.write() as connection:
        workflows.open_run(connection, "tracking", NOW)
    text = client.get(PATH).text

    assert "data-running" in text
    assert "disabled" not in text
    _press(client, "run")
    assert runs.names == ["tracking"]
