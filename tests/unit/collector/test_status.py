"""How the tracking server fares: for everybody, and for who may know more."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from aftersend.collector.metrics import Metrics
from aftersend.collector.snapshot import Snapshots, path_of
from aftersend.collector.status import Status
from aftersend.model.ids import ServerId
from aftersend.spool import acknowledge
from tests.support.tracking_server import PASSWORD, SHOP, Tracker, spelled, tracking

ONE, TWO = ServerId("1"), ServerId("2")
GUARDED = {"authorization": f"Bearer {PASSWORD}"}


def _samples(answer: httpx.Response) -> dict[tuple[str, ...], float]:
    """Give each figure by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_tell_what_was_asked_and_what_is_stored(tracker: Tracker) -> None:
    """In the names and the text that Prometheus expects."""
    for _ in range(3):
        tracker.get(f"/r/{spelled(SHOP)}")
    tracker.get("/r/nothing")
    acknowledge(tracker.config.spool_directory, "tracking", 1)
    answer = tracker.get("/metrics")
    samples = _samples(answer)
    directory = tracker.config.spool_directory

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["cache-control"] == "no-store"
    assert samples["aftersend_up", "1"] == 1
    assert samples["aftersend_process_start_time_seconds", "1"] == tracker.clock.at.timestamp()
    assert samples["aftersend_spool_last_line", "1"] == 3
    assert samples["aftersend_spool_lag_lines", "tracking", "1"] == 2
    assert samples["aftersend_spool_bytes", "1"] == sum(
        path.stat().st_size for path in directory.glob("*.log")
    )
    assert samples["aftersend_spool_unwritten_lines", "1"] == 0
    assert samples["aftersend_spool_lost_lines_total", "1"] == 0
    assert samples["aftersend_failed_syncs_total", "1"] == 0
    assert samples["aftersend_catalogue_lookups_total", "load", "1"] == 1
    assert samples["aftersend_catalogue_lookups_total", "hit", "1"] == 2
    asked = {key[1:3]: value for key, value in samples.items() if "requests_total" in key[0]}
    assert sum(value for key, value in asked.items() if key[1] == "click") == 3


def test_syncs_are_timed(tmp_path: Path) -> None:
    """How often, how long in all, and how long at most in the last minute."""
    with tracking(tmp_path, fsync_interval_ms=0) as tracker:
        tracker.get(f"/r/{spelled(SHOP)}")
        samples = _samples(tracker.get("/metrics"))

    assert samples["aftersend_sync_seconds_count", "1"] == 1
    assert samples["aftersend_sync_seconds_sum", "1"] == 0  # by a clock that stands still
    assert samples["aftersend_sync_seconds_max", "1"] == 0


@pytest.mark.parametrize(
    ("client", "headers", "is_admitted"),
    [
        ("127.0.0.1:999", {}, True),
        ("[::1]:999", {}, True),
        ("[::ffff:127.0.0.1]:999", {}, True),
        ("192.0.2.1:999", {}, False),
        ("192.0.2.1:999", {"authorization": f"Bearer {PASSWORD}x"}, False),
        ("192.0.2.1:999", {"authorization": PASSWORD}, False),
        ("192.0.2.1:999", {"authorization": "Bearer ä"}, False),
        ("192.0.2.1:999", GUARDED, True),
        ("127.0.0.1:999", {"x-forwarded-for": "192.0.2.1"}, False),
        ("127.0.0.1:999", {"forwarded": "for=192.0.2.1"}, False),
        ("127.0.0.1:999", {"x-real-ip": "192.0.2.1"}, False),
        ("127.0.0.1:999", {"via": "1.1 proxy"}, False),
        ("127.0.0.1:999", {"x-forwarded-for": "127.0.0.1"} | GUARDED, True),
    ],
)
def test_metrics_are_not_for_everybody(
    tracker: Tracker, client: str, headers: dict[str, str], is_admitted: bool
) -> None:
    """The password opens them; without it only this machine does, but no proxy on it."""
    status = Status(tracker.config, _snapshots(tracker), Metrics())
    scope = SimpleNamespace(client=client, headers=headers)

    assert status._may_know(scope) is is_admitted


def _snapshots(tracker: Tracker, **changes: Any) -> Snapshots:
    from aftersend.collector.catalogues import Catalogues

    config = replace(tracker.config, **changes)
    catalogues = Catalogues(config.catalogue_directory, clock=tracker.clock, capacity=50)
    return Snapshots(config, Metrics(), catalogues, tracker.clock)


def test_who_may_not_know_is_refused(tracker: Tracker) -> None:
    """The refusal says how to do it, and is counted."""
    refused = tracker.get("/metrics", **{"x-forwarded-for": "192.0.2.1"})
    samples = _samples(tracker.get("/metrics", **GUARDED))

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json() == {"error": "The registration password is missing or wrong."}
    assert samples["aftersend_requests_total", "refused", "metrics", "1"] == 1


def test_health_is_for_everybody(tracker: Tracker) -> None:
    """Its first keys are those of a server alone; it tells nothing of people."""
    tracker.get(f"/r/{spelled(SHOP)}")
    answer = tracker.get("/health", **{"x-forwarded-for": "192.0.2.1"})
    document = answer.json()
    spool = {"last": 1, "unwritten": 0, "lost": 0, "failed_syncs": 0}

    assert answer.status_code == 200
    assert {key: document[key] for key in ("status", "server_id", "spool", "unrecorded")} == {
        "status": "ok", "server_id": "1", "spool": spool, "unrecorded": {},
    }  # fmt: skip
    assert [(each["server_id"], each["status"]) for each in document["servers"]] == [("1", "ok")]
    assert "192.0.2.1" not in answer.text


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_only_reading_is_understood(tracker: Tracker, path: str) -> None:
    """Nothing can be changed here."""
    assert tracker.admin("POST", path).status_code == 405
    assert tracker.admin("HEAD", path).status_code == 200


@pytest.mark.parametrize(
    ("unwritten", "has_second", "status", "word"),
    [(0, True, 200, "ok"), (0, False, 200, "degraded"), (5, True, 503, "red")],
)
def test_health_is_that_of_all_servers(
    tmp_path: Path, unwritten: int, has_second: bool, status: int, word: str
) -> None:
    """Red when lines of any wait for a disk; degraded, but still open, when one is missing."""
    run = tmp_path / "run"
    with tracking(tmp_path, server_ids=(ONE, TWO), run_directory=run) as tracker:
        own = _snapshots(tracker, server_id=TWO, server_ids=(TWO, ONE)).own()
        if has_second:
            told = replace(own, unwritten=unwritten, unrecorded={"budget": 4}, last=9)
            path_of(run, TWO).write_bytes(told.encode())
        answer = tracker.get("/health")
        metrics = _samples(tracker.get("/metrics"))

    document = answer.json()
    assert (answer.status_code, document["status"]) == (status, word)
    assert document["spool"]["last"] == 0
    assert document["unrecorded"] == ({"budget": 4} if has_second else {})
    assert [each["server_id"] for each in document["servers"]] == ["1", "2"]
    assert metrics["aftersend_up", "2"] == has_second
    assert metrics.get(("aftersend_spool_last_line", "2")) == (9 if has_second else None)
    assert metrics["aftersend_spool_bytes", "2"] == 0
    assert "process_id" not in json.dumps(document)
