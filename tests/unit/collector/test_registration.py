"""Which application a tracking server works for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from aftersend.model.ids import ServerId
from tests.support.tracking_server import NOW, PASSWORD, Tracker, tracking

OURS, OTHERS = "a" * 32, "b" * 32


def _register(tracker: Tracker, **changes: Any) -> httpx.Response:
    document = {"instance": "aftersend", "application": OURS, "force": False, **changes}
    return tracker.admin("PUT", "/registration", json.dumps(document).encode())


def _told(tracker: Tracker) -> dict[str, Any]:
    document: dict[str, Any] = tracker.admin("GET", "/registration").json()
    return document


def test_before_anybody_registers_it_says_so(tracker: Tracker) -> None:
    """It tells name, ids, build and host, and that it works for nobody yet."""
    told = _told(tracker)

    assert ("aftersend", ["1"], None, None) == (
        told["instance"],
        told["servers"],
        told["application"],
        told["registered_at"],
    )
    assert told["build"]
    assert told["host"]


def test_a_registration_is_kept(tmp_path: Path) -> None:
    """It outlives the process, in a file that nobody else on the machine may read."""
    with tracking(tmp_path) as tracker:
        first = _register(tracker)
    with tracking(tmp_path) as tracker:
        after = _told(tracker)

    assert first.status_code == 200
    assert first.json() == after
    assert (OURS, "2026-01-02T03:04:05.000006Z") == (after["application"], after["registered_at"])
    assert (tmp_path / "registration.json").stat().st_mode & 0o777 == 0o600


def test_the_same_application_registers_as_often_as_it_likes(tracker: Tracker) -> None:
    """Registering again is no takeover and changes nothing; insisting gives a new moment."""
    first = _register(tracker)
    tracker.clock.advance(60)
    again = _register(tracker)
    forced = _register(tracker, force=True)

    assert (200, first.json()) == (again.status_code, again.json())
    assert forced.json()["registered_at"].startswith(f"{NOW:%Y-%m-%dT%H}:05:05")


def test_another_application_has_to_insist(tracker: Tracker) -> None:
    """Two applications would each get a part of the lines; the refusal says what to do."""
    _register(tracker)
    refused = _register(tracker, application=OTHERS)
    before = _told(tracker)["application"]
    forced = _register(tracker, application=OTHERS, force=True)

    assert refused.status_code == 409
    assert "by another application since 2026-01-02T03:04:05.000006Z" in refused.json()["error"]
    assert "--force" in refused.json()["error"]
    assert (OURS, 200, OTHERS) == (before, forced.status_code, forced.json()["application"])


@pytest.mark.parametrize("is_forced", [False, True])
def test_another_instance_is_refused_however_it_insists(tracker: Tracker, is_forced: bool) -> None:
    """All servers of an instance have its name; force is for a new application, not for that."""
    refused = _register(tracker, instance="other", force=is_forced)

    assert refused.status_code == 409
    assert "belongs to the instance 'aftersend', not to 'other'" in refused.json()["error"]
    assert _told(tracker)["application"] is None


def test_whoever_is_asked_speaks_for_all_on_the_port(tmp_path: Path) -> None:
    """Servers that share a port are registered together, each by its own id."""
    ids = (ServerId("1"), ServerId("2"), ServerId("3"))
    with tracking(tmp_path, server_ids=ids) as tracker:
        told = _register(tracker).json()

    assert told["servers"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 3000,
        json.dumps({"instance": "aftersend", "application": OURS}).encode(),
        json.dumps({"instance": "aftersend", "application": "a", "force": False}).encode(),
        json.dumps({"instance": "aftersend", "application": OURS, "force": 1}).encode(),
        json.dumps({"instance": 1, "application": OURS, "force": True}).encode(),
        json.dumps(
            {"instance": "aftersend", "application": OURS, "force": True, "more": 1}
        ).encode(),
    ],
)
def test_what_is_no_registration_is_refused(tracker: Tracker, body: bytes) -> None:
    """A clear 400; the server works for nobody afterwards."""
    answer = tracker.admin("PUT", "/registration", body)

    assert answer.status_code == 400
    assert "registration" in answer.json()["error"]
    assert _told(tracker)["application"] is None


def test_a_long_body_is_refused(tracker: Tracker) -> None:
    """Nobody fills the memory of the server."""
    assert tracker.admin("PUT", "/registration", b" " * 5000).status_code == 413


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_nothing_without_the_password(tracker: Tracker, method: str) -> None:
    """Strangers neither learn of the registration nor change it."""
    document = {"instance": "aftersend", "application": OTHERS, "force": True}
    with _stranger(tracker) as client:
        answer = client.request(method, "/registration", content=json.dumps(document))

    assert answer.status_code == 401
    assert OTHERS != _told(tracker)["application"]


def test_only_reading_and_registering_is_understood(tracker: Tracker) -> None:
    """Other methods are told which there are."""
    answer = tracker.admin("DELETE", "/registration")

    assert (405, "GET, PUT") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize("damage", [b"", b"{}", b'["a"]', b"{"])
def test_a_damaged_file_is_told_and_written_anew_with_force(tmp_path: Path, damage: bytes) -> None:
    """Nobody is let in by a file that says nothing; whoever insists mends it."""
    (tmp_path / "registration.json").write_bytes(damage)
    with tracking(tmp_path) as tracker:
        refused = _register(tracker, application=OTHERS)
        forced = _register(tracker, application=OTHERS, force=True)

    assert (409, 200) == (refused.status_code, forced.status_code)
    assert "register the server with --force" in refused.json()["error"]


@contextmanager
def _stranger(tracker: Tracker) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {PASSWORD}?"}
    with httpx.Client(base_url=tracker.url, headers=headers, verify=False) as client:
        yield client
