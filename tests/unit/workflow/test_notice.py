"""What the supervisors are told by mail."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from aftersend import app
from aftersend.app import Instance
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import WorkflowState
from aftersend.model.run import StepReport
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from aftersend.settings import SmtpSettings, SupervisionSettings
from aftersend.workflow import engine, supervision
from aftersend.workflow.definition import Occasion
from aftersend.workflow.engine import RunResult
from aftersend.workflow.notice import alarm
from aftersend.workflow.owner import Owner
from aftersend.workflow.technical import CLEANUP_PAUSED, TRACKING
from tests.support.small_workflow import SmallWorkflow
from tests.support.smtp_server import ScriptedServer, serving

_TO = ("ann@x.example", "bob@x.example")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Give a mail server on a port of its own."""
    with serving(ScriptedServer()) as talking:
        yield talking


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock, server: ScriptedServer) -> Instance:
    """Give an instance with two supervisors."""
    app.init(tmp_path / "shop", entropy=SeededEntropy(1))
    plain = app.open_instance(tmp_path / "shop", clock=clock)
    settings = plain.settings.model_copy(
        update={
            "smtp": SmtpSettings(host="127.0.0.1", port=server.port),
            "supervision": SupervisionSettings(emails=_TO, sender="aftersend@x.example"),
        }
    )
    return replace(plain, settings=settings)


def _fail(_occasion: Occasion) -> StepReport:
    raise InvalidContent("Nothing <b>fits</b>.")


def _run(opened: Instance, clock: ManualClock, *, is_failing: bool = True) -> RunResult:
    small = SmallWorkflow(opened.database, clock)
    small.instead = {"second": _fail} if is_failing else {}
    return engine.run(
        opened.database,
        small.definition,
        clock=clock,
        owner=Owner.current(),
        is_forced=True,
        alarm=alarm(app.surroundings(opened)),
    )


def _messages(server: ScriptedServer) -> list[EmailMessage]:
    return [message_from_bytes(each.data, policy=default) for each in server.taken]


def _warnings(opened: Instance, name: str = TRACKING) -> list[str]:
    lines = supervision.journal(opened.database, name)
    return [line.text for line in lines if line.activity == "supervisors"]


def test_a_failure_is_told_to_the_supervisors(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """Both get one message, in text and HTML: workflow, activity, error, instance and a link."""
    _run(opened, clock)
    message, *_ = _messages(server)

    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    page = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert message["Subject"] == "[aftersend] Tracking failed and is paused"
    assert (message["To"], message["From"]) == (", ".join(_TO), "aftersend@x.example")
    assert [line.split(" ", 1)[0] for line in server.lines].count("RCPT") == 2
    for fact in (
        "Instance: aftersend",
        "Workflow: Tracking (tracking)",
        "Activity: second",
        "Error: Nothing <b>fits</b>.",
        f"{opened.app_url}/workflows/tracking",
    ):
        assert fact in text
    assert "Nothing &lt;b&gt;fits&lt;/b&gt;." in page
    assert f'href="{opened.app_url}/workflows/tracking"' in page


def test_it_is_told_once_until_it_goes_well(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """Failed is failed: the second failure is no news, the one after a success is.

    Killed by: telling of each failure.
    """
    for is_failing in (True, True, False, True):
        _run(opened, clock, is_failing=is_failing)

    assert len(server.taken) == 2


def test_a_mail_that_cannot_be_sent_is_a_warning(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """The run ends as it would have; the journal says what the server said."""
    server.answer = lambda verb, _line: "550 go away" if verb == "RCPT" else None
    result = _run(opened, clock)

    assert (result.state, str(result.failure)) == ("failed", "Nothing <b>fits</b>.")
    assert _warnings(opened)[0].startswith("The supervisors could not be told by mail: ")
    assert "go away" in _warnings(opened)[0]


def test_without_a_mail_server_it_is_a_warning(opened: Instance, clock: ManualClock) -> None:
    """Settings that name no server harm no run."""
    alone = replace(opened, settings=opened.settings.model_copy(update={"smtp": SmtpSettings()}))

    assert _run(alone, clock).state == "failed"
    assert "There is no mail server to send to" in _warnings(alone)[0]


def test_without_supervisors_nobody_is_told(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """No address, no message, no warning."""
    nobody = opened.settings.model_copy(update={"supervision": SupervisionSettings()})
    alone = replace(opened, settings=nobody)
    _run(alone, clock)

    assert (server.taken, _warnings(alone)) == ([], [])


def _weeks(opened: Instance, clock: ManualClock, count: int) -> list[tuple[int, WorkflowState]]:
    """Run the workflow that tells of paused ones each week; give notices and state after each."""
    seen = []
    for _ in range(count):
        clock.advance(7 * 86_400)
        app.run_workflow(opened, CLEANUP_PAUSED).check()
        row = supervision.overview(opened.database, TRACKING).row
        seen.append((row.notices, row.state))
    return seen


def test_a_paused_workflow_is_told_of_four_times_and_then_stopped(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """Weekly from the seventh day on; the fifth time it is stopped unconditionally.

    Killed by: stopping with the fourth notice; by notices that start anew.
    """
    supervision.pause(opened.database, TRACKING, operator="ann", clock=clock)
    paused, stopped = WorkflowState.PAUSED, WorkflowState.FINISHED
    seen = _weeks(opened, clock, 6)

    subjects = [message["Subject"] for message in _messages(server)]
    assert seen == [(1, paused), (2, paused), (3, paused), (4, paused), (0, stopped), (0, stopped)]
    assert subjects == [
        f"[aftersend] Tracking has been paused for {days} days" for days in (7, 14, 21, 28)
    ]


def test_a_paused_workflow_is_not_told_of_too_soon_nor_too_often(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """Six days are none, and running it daily does not make the weeks shorter."""
    supervision.pause(opened.database, TRACKING, operator="ann", clock=clock)
    counts = []
    for _ in range(15):
        clock.advance(86_400)
        app.run_workflow(opened, CLEANUP_PAUSED).check()
        counts.append(len(server.taken))

    assert counts == [0] * 6 + [1] * 7 + [2] * 2


def test_a_notice_that_nobody_got_does_not_count(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """While the mail server refuses, nothing is stopped."""
    server.answer = lambda verb, _line: "451 later" if verb == "MAIL" else None
    supervision.pause(opened.database, TRACKING, operator="ann", clock=clock)

    assert _weeks(opened, clock, 6) == [(0, WorkflowState.PAUSED)] * 6


def test_looking_at_paused_workflows_can_be_simulated(
    opened: Instance, clock: ManualClock, server: ScriptedServer
) -> None:
    """It says whom it would tell of, and tells nobody."""
    supervision.pause(opened.database, TRACKING, operator="ann", clock=clock)
    clock.advance(8 * 86_400)
    result = app.run_workflow(opened, CLEANUP_PAUSED, is_simulated=True)

    lines = supervision.journal(opened.database, CLEANUP_PAUSED, run=result.run_id)
    assert "This would be done. Told of as paused for long: tracking." in [
        line.text for line in lines
    ]
    assert server.taken == []
