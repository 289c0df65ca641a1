"""The pages of a real process: `aftersend serve` on an instance of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from aftersend.app import open_instance, web_services
from aftersend.model.enumeration import Part
from aftersend.model.ids import OPEN_URL_ID, DeliveryId, MessageId, ServerId, UrlId
from aftersend.model.logline import PLAIN
from aftersend.platform.clock import SystemClock
from aftersend.spool import Hit, Writer
from tests.browser.serving import free_port
from tests.support.page_seed import Seeded, add_delivery, add_recipients

pytestmark = pytest.mark.heavy


@dataclass(frozen=True, slots=True)
class Process:
    """A running app: where, how to log in, and what it knows."""

    address: str
    password: str
    directory: Path
    seeded: Seeded


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """Make an instance with one delivery and start its app."""
    directory = tmp_path / "instance"
    made = _aftersend("init", str(directory), "--json")
    services = web_services(open_instance(directory))
    seeded = add_delivery(services, add_recipients(services, ["John", "Marie"]))
    services.database.engine.dispose()
    port = free_port()
    command = ["serve", "--instance", str(directory), "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen([sys.executable, "-m", "aftersend", *command], stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), timeout=30) as client:
            client.get(f"{address}/health").raise_for_status()
        yield Process(address, made["password"], directory, seeded)
    finally:
        running.terminate()
        assert running.wait(30) == 0


def test_a_click_appears_after_the_workflow_was_executed(
    browser: Browser, process: Process
) -> None:
    """Who logs in and executes the workflow sees the open and the click that came in before."""
    _react(process)
    page = browser.new_page()
    page.goto(process.address)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(process.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Spring news").click()
    page.get_by_role("link", name="Tracking", exact=True).click()
    expect(page.get_by_text("Nothing has been collected yet")).to_be_visible()
    page.get_by_role("link", name="To the Tracking workflow").click()
    page.get_by_role("button", name="Execute now").click()
    expect(page.locator("#runs")).to_contain_text("2 loaded", timeout=60_000)
    expect(page.locator("#runs")).to_contain_text("adds up")
    page.goto(f"{process.address}/deliveries/{process.seeded.delivery}/tracking/logs")

    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr").first).to_contain_text("Email click")
    page.get_by_role("link", name="Statistics").click()
    expect(page.locator("[data-figure=recipient_open] .value")).to_have_text("1")
    expect(page.locator("[data-figure=recipient_click] .value")).to_have_text("1")
    page.close()


def _react(process: Process) -> None:
    clock = SystemClock()
    spool = process.directory / "var" / "spool" / "1"
    writer = Writer.open(spool, server=ServerId("1"), clock=clock)
    for url in (OPEN_URL_ID, UrlId(process.seeded.urls[0])):
        hit = Hit(
            message_id=MessageId(process.seeded.messages[0]),
            delivery_id=DeliveryId(process.seeded.delivery),
            url_id=url,
            flags=PLAIN,
            source_id="a-browser",
            part=Part.HTML,
            parameters="",
            user_agent="Mozilla/5.0",
            address="",
        )
        assert writer.append(clock.now(), hit)
    writer.close()


def _aftersend(*arguments: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "aftersend", *arguments], capture_output=True, check=True
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer
