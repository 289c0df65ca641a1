"""Technical workflows on pages."""

from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import select, update

from aftersend.database import audit, workflows
from aftersend.database.schema import workflow
from aftersend.errors import Transient
from aftersend.model.enumeration import WorkflowState
from aftersend.model.run import Counts
from aftersend.platform.clock import ManualClock
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_workflow
from tests.support.pages import NAME, NOW, Runs, csrf
from tests.support.running import comes_true

PATH = "/workflows/tracking"


def _state(services: Services) -> int:
    with services.database.read() as connection:
        state: int = connection.execute(select(workflow.c.state)).scalar_one()
        return state


def _deeds(services: Services) -> list[tuple[str, str]]:
    with services.database.read() as connection:
        return [(one.action, one.operator) for one in audit.entries(connection)]


def _set(client: TestClient[Any], **typed: str) -> Any:
    data = {
        "kind": "cron",
        "schedule": "0 * * * *",
        "error_policy": "stop",
        "errors_max": "0",
        "history_days": "30",
        "_csrf_token": csrf(client),
        **typed,
    }
    return client.post(f"{PATH}/settings", data=data, follow_redirects=False)


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
    """The buttons change the state; resuming forgets the failure; both are in the trail."""
    add_workflow(services)
    assert _press(client, "pause").status_code == 303
    assert _state(services) == WorkflowState.PAUSED
    with services.database.write() as connection:
        connection.execute(update(workflow).values(is_failed=True))

    assert "Paused, failed" in client.get(PATH).text
    _press(client, "resume")
    assert _state(services) == WorkflowState.STARTED
    assert _deeds(services) == [("resume", NAME), ("pause", NAME)]


def test_a_stopped_workflow_is_started(client: TestClient[Any], services: Services) -> None:
    """Stopped, it offers to be started and nothing else; what does not fit is told on the page."""
    add_workflow(services)
    _press(client, "stop")
    text = client.get(PATH).text
    refused = _press(client, "wakeup")

    assert f'action="{PATH}/start"' in text
    assert f'action="{PATH}/pause"' not in text
    assert "none while stopped" in text
    assert refused.status_code == 409
    assert "The workflow tracking is stopped" in refused.text
    _press(client, "start")
    assert _state(services) == WorkflowState.STARTED


def test_every_action_is_in_the_name_of_who_pressed(
    client: TestClient[Any], services: Services, runs: Runs
) -> None:
    """Restart, wake-up, purge, simulation and the unconditional stop."""
    add_workflow(services)
    actions = ("restart", "wakeup", "purge-history", "simulate", "stop-unconditionally")
    for action in actions:
        assert _press(client, action).status_code == 303, action

    told = [action for action, operator in _deeds(services) if operator == NAME]
    assert told == ["stop-unconditionally", "purge-history", "wakeup", "restart"]
    assert comes_true(lambda: runs.names == ["simulation of tracking"], 20)
    assert runs.operators == [NAME]


def test_purging_asks_first(client: TestClient[Any], services: Services) -> None:
    """What cannot be taken back stands behind a question."""
    add_workflow(services)
    text = " ".join(client.get(PATH).text.split())

    for action in ("purge-history", "stop-unconditionally"):
        form = text.index(f'action="{PATH}/{action}"')
        assert text.rindex('<details class="menu ask">', 0, form) > text.rindex(
            "</details>", 0, form
        )


def test_the_settings_are_changed(client: TestClient[Any], services: Services) -> None:
    """Schedule, error policy and history: what differs is changed, in one form."""
    add_workflow(services)
    answer = _set(client, kind="weekly", schedule="mon,thu 05:00", error_policy="ignore")
    text = client.get(PATH).text

    assert answer.status_code == 303
    assert "Every Monday and Thursday at 05:00 UTC" in text
    assert 'value="weekly" selected' in text
    assert 'value="mon,thu 05:00"' in text
    assert [action for action, _ in _deeds(services)] == ["policy", "schedule"]
    _set(client, kind="weekly", schedule="mon,thu 05:00", error_policy="ignore", history_days="7")
    assert [action for action, _ in _deeds(services)][:1] == ["history"]
    assert len(_deeds(services)) == 3


@pytest.mark.parametrize(
    "typed",
    [
        {"kind": "daily", "schedule": f"noon {HOSTILE}"},
        {"kind": "several", "schedule": "every 1m 08:00-18:00"},
        {"kind": "cron", "schedule": ""},
        {"kind": "once", "schedule": "2001-01-01T10:00"},
        {"errors_max": "-1"},
        {"history_days": "١"},
        {"history_days": "999999999"},
        {"error_policy": "pray"},
    ],
)
def test_what_cannot_be_set_is_told(
    client: TestClient[Any], services: Services, typed: dict[str, str]
) -> None:
    """The form keeps what was typed and says what is wrong; nothing is changed."""
    add_workflow(services)
    answer = _set(client, **typed)

    assert answer.status_code == 400
    assert "note-danger" in answer.text
    assert HOSTILE not in answer.text
    assert _deeds(services) == []


def test_the_journal_is_searched(client: TestClient[Any], services: Services) -> None:
    """By text in any case, and by activity; the list of activities is what there is."""
    add_workflow(services)
    _press(client, "pause")

    assert "The workflow is being run." not in client.get(f"{PATH}?q=REJECTED").text
    assert "1 line was rejected" in client.get(f"{PATH}?q=REJECTED").text
    by_people = client.get(f"{PATH}?activity=operator").text
    assert "The workflow was paused by" in by_people
    assert "1 line was rejected" not in by_people
    assert "No such lines" in client.get(f"{PATH}?q=nothing+like+it").text


def test_views_of_the_list(client: TestClient[Any], services: Services) -> None:
    """Running, paused, failed, stopped, each with its number."""
    add_workflow(services)
    _press(client, "pause")

    assert "Paused (1)" in client.get("/workflows").text
    assert 'href="/workflows/tracking"' in client.get("/workflows?view=paused").text
    assert "No workflow is running" in client.get("/workflows?view=running").text
    assert 'href="/workflows/tracking"' in client.get("/workflows?view=what").text


def test_a_long_pause_is_warned_of(
    client: TestClient[Any], services: Services, clock: ManualClock
) -> None:
    """After a week, in the list and on the page; not before."""
    add_workflow(services)
    _press(client, "pause")
    assert "For long" not in client.get("/workflows").text
    with services.database.write() as connection:
        workflows.change(connection, "tracking", paused_at=NOW - timedelta(days=7))

    assert "For long" in client.get("/workflows").text
    assert "nothing was done since" in client.get(PATH).text


def test_progress_is_shown(client: TestClient[Any], services: Services) -> None:
    """While it runs: the activity, how much of how much, and a bar."""
    add_workflow(services)
    with services.database.write() as connection:
        run = workflows.open_run(connection, "tracking", NOW, started_by=HOSTILE)
        workflows.tell(connection, run, activity="load", done=250, total=1000)
    text = " ".join(client.get(PATH).text.split())

    assert "<b>Load</b>" in text
    assert "250 of 1,000" in text
    assert 'width="25.00%"' in text
    assert HOSTILE not in text


def test_errors_of_workflows_are_harmless(client: TestClient[Any], services: Services) -> None:
    """Whatever a server answered, no markup of it reaches the page."""
    add_workflow(services)
    with services.database.write() as connection:
        run = workflows.open_run(connection, "tracking", NOW)
        failed = workflows.Run(
            run, "tracking", NOW, NOW, workflows.FAILED, Counts(), 1, f"Away {HOSTILE}"
        )
        workflows.close_run(connection, failed)
        workflows.change(connection, "tracking", is_failed=True)
    text = client.get(PATH).text

    assert "The last execution failed: Away" in text
    assert HOSTILE not in text


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
