"""What the guide to the tracking server tells is what a tracking server does."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aftersend.collector.budget import SOURCES_MAX
from aftersend.collector.worker import BACKLOG, Patience
from aftersend.model.catalogue import CATALOGUE_BYTES_MAX
from aftersend.settings import CollectorSettings
from tests.support.tracking_server import tracking

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "tracking-server.md").read_text()
YAML = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
CODE = "\n".join(
    path.read_text()
    for part in ("collector", "spool", "platform")
    for path in (ROOT / "src" / "aftersend" / part).glob("*.py")
)


def test_every_metric_is_told(tmp_path: Path) -> None:
    """The table has each metric, and examples and alarms use no others."""
    with tracking(tmp_path) as tracker:
        families = list(text_string_to_metric_families(tracker.get("/metrics").text))
    ours = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    told = set(re.findall(r"^\| `(aftersend_\w+)`", GUIDE, re.MULTILINE))

    assert told == ours
    assert set(re.findall(r"aftersend_\w+", GUIDE)) <= ours


def test_examples_for_prometheus_can_be_read() -> None:
    """One says where to ask, one has at least three alarms, each with a name and a condition."""
    yaml: Any = pytest.importorskip("yaml")
    scrape, alarms = (yaml.safe_load(text) for text in YAML)
    (group,) = alarms["groups"]

    assert scrape["scrape_configs"][0]["job_name"] == "tracking"
    assert len(group["rules"]) >= 3
    assert all(rule["alert"] and rule["expr"] for rule in group["rules"])


def test_every_event_that_is_told_is_logged() -> None:
    """The table of events names what the code says, word for word."""
    table = GUIDE.partition("## What is logged")[2]
    events = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert len(events) > 5
    assert [event for event in events if f'"{event}"' not in CODE] == []


def test_limits_are_those_of_the_code() -> None:
    """A number in the guide that no longer holds is worse than none."""
    usual = CollectorSettings(password="a long password")
    limits = {
        f"{usual.source_hits_per_minute_max:,}",
        f"{SOURCES_MAX:,}",
        f"{Patience().head_seconds_max:.0f} seconds",
        f"{Patience().connections_max:,} a process",
        f"{BACKLOG:,}, or",
        f"{CATALOGUE_BYTES_MAX // 1024 // 1024} MB",
    }

    assert {limit for limit in limits if limit not in GUIDE} == set()
