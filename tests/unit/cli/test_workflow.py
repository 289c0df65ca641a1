"""Commands for technical workflows, and the audit trail."""

from pathlib import Path

import pytest

from tests.support.command import aftersend

_RESULT = ["state", "read", "loaded", "already", "rejected", "deliveries", "seconds"]


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance that nobody has touched."""
    made = tmp_path_factory.mktemp("workflows") / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    return made


def _show(instance: Path, name: str) -> dict[str, object]:
    document: dict[str, object] = aftersend(instance, "workflow", "show", name, "--json").document
    return document


def _do(instance: Path, *words: str) -> tuple[int, str]:
    outcome = aftersend(instance, "workflow", *words)
    return outcome.status, (outcome.out or outcome.err).strip()


def test_actions_change_how_it_stands(instance: Path) -> None:
    """Each says what it did; what makes no sense is refused in one sentence."""
    states = []
    for action in ("pause", "resume", "stop", "start", "restart"):
        status, _text = _do(instance, action, "cleanup")
        states.append((status, _show(instance, "cleanup")["status"]))
    _do(instance, "stop", "cleanup", "--force")

    assert states == [
        (0, "Paused"),
        (0, "Started"),
        (0, "Finished"),
        (0, "Started"),
        (0, "Start as soon as possible"),
    ]
    assert _do(instance, "wakeup", "cleanup") == (
        1,
        "aftersend: The workflow cleanup is stopped: start it.",
    )


def test_the_audit_trail_tells_who_did_what(instance: Path) -> None:
    """Newest first, by command line and name; conditions narrow it."""
    _do(instance, "pause", "lakeMaintenance")
    _do(instance, "wakeup", "lakeMaintenance")
    _do(instance, "purge-history", "lakeMaintenance")
    find = ("audit", "list", "--json", "--entity", "workflow", "--name", "lakeMaintenance")
    rows = aftersend(instance, *find).document
    (woken,) = aftersend(instance, *find, "--action", "wakeup").document
    none = aftersend(instance, *find, "--until", "2020-01-01").document
    table = aftersend(instance, "audit", "list").out

    assert [row["action"] for row in rows] == ["purge-history", "wakeup", "pause"]
    assert woken["operator"].startswith("cli")
    assert (none, "purge-history" in table) == ([], True)


def test_a_schedule_is_set_and_taken_back(instance: Path) -> None:
    """Shown in words; that of the settings comes back with --default."""
    name = "cleanupPausedWorkflows"
    told = [
        _do(instance, "schedule", name, *words)
        for words in ((), ("weekly mon 06:00",), ("--default",))
    ]

    assert told[1] == (0, f"{name}: Every Monday at 06:00 UTC.")
    assert told[0] == told[2]
    assert not _show(instance, name)["is_schedule_own"]
    status, text = _do(instance, "schedule", name, "sometimes")
    assert (status, text.startswith('aftersend: schedule: "sometimes" is not a schedule')) == (
        1,
        True,
    )


def test_the_error_policy_is_set(instance: Path) -> None:
    """What is not named stays as it was."""
    _do(instance, "policy", "tracking", "ignore", "--errors-max", "3")
    told = _do(instance, "policy", "tracking", "--history-days", "60")

    assert told == (
        0,
        "tracking: error policy ignore, after 3 in a row it is paused; history is kept 60 days.",
    )
    assert _do(instance, "policy", "tracking", "hope")[0] == 1


def test_runs_and_simulations_are_told_alike(instance: Path) -> None:
    """Both give the document of the contract; only the run is one."""
    simulated = aftersend(instance, "workflow", "simulate", "tracking", "--json").document
    last_before = _show(instance, "tracking")["run"]
    ran = aftersend(instance, "workflow", "run", "tracking", "--json").document
    last = _show(instance, "tracking")["run"]

    assert list(simulated) == list(ran) == _RESULT
    assert isinstance(last_before, dict)
    assert isinstance(last, dict)
    assert (last_before["is_simulated"], last["is_simulated"], last["state"]) == (
        True,
        False,
        "finished",
    )
    assert last["started_by"].startswith("cli")
