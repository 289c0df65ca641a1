"""A real browser on real pages: nothing on the console, no request to anybody else."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from aftersend.model.run import Counts
from aftersend.platform.clock import ManualClock
from aftersend.web import template
from aftersend.web.app import build
from aftersend.web.services import Services
from aftersend.workflow.engine import RunResult
from tests.browser.serving import free_port, serving
from tests.support.page_seed import (
    Hit,
    add_delivery,
    add_hits,
    add_recipients,
    add_workflow,
    consolidate,
)
from tests.support.pages import NAME, NOW, PASSWORD, make_services

WIDE, NARROW = (1440, 900), (390, 844)

# The usual run takes the look that breaks first; pages are used on a wide screen by other tests.
in_every_look = pytest.mark.parametrize(
    ("size", "color_scheme"),
    [
        pytest.param(WIDE, "light", id="light-wide", marks=pytest.mark.long),
        pytest.param(NARROW, "dark", id="dark-narrow"),
        pytest.param(WIDE, "dark", id="dark-wide", marks=pytest.mark.long),
        pytest.param(NARROW, "light", id="light-narrow", marks=pytest.mark.long),
    ],
)
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(slots=True)
class Run:
    """Stands in for the Tracking workflow: does what a test put into `work`."""

    work: Callable[[], None] | None = None
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str, operator: str = "") -> RunResult:
        """Do the work that was set."""
        del operator
        self.names.append(name)
        if self.work is not None:
            self.work()
        return RunResult(name, 1, "finished", Counts(), 0.0)


@dataclass(frozen=True, slots=True)
class Site:
    """Pages that are served: where, over what, and the run that they start."""

    address: str
    services: Services
    run: Run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once a module, with a profile of its own."""
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Chromium, which `make test` installs"
    assert template.has_assets(), "these tests need the styles and scripts: make setup"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serve an instance with two deliveries, five recipients and some hits."""
    run = Run()
    services = make_services(tmp_path, clock=ManualClock(NOW), runs=run)
    recipients = add_recipients(services, ["John", "Marie", "Florian", "Henry", "Zoe"])
    spring = add_delivery(services, recipients)
    add_delivery(services, recipients[:2], label="Untracked", is_tracked=False)
    first, second = spring.messages[:2]
    shop = spring.urls[0]
    hits = [Hit(1, first, 1, "a"), Hit(2, first, shop, "a"), Hit(90, second, 1, "b")]
    add_hits(services, spring, hits)
    consolidate(services)
    add_workflow(services)
    port = free_port()
    with serving(build(services), port) as address:
        yield Site(address, services, run)


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Give what opens a page of a size; what it complains about and is not tolerated fails."""
    complaints: list[str] = []
    host = urlsplit(site.address).netloc
    contexts = []

    def note(kind: str, text: str, tolerated: tuple[str, ...]) -> None:
        if kind in ("error", "warning") and not any(each in text for each in tolerated):
            complaints.append(f"{kind}: {text}")

    def open_page(
        size: tuple[int, int] = WIDE, *, color_scheme: str = "light", tolerated: Sequence[str] = ()
    ) -> Page:
        allowed = (tolerated,) if isinstance(tolerated, str) else tuple(tolerated)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if color_scheme == "dark" else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: note(message.type, message.text, allowed))
        page.on("pageerror", lambda error: note("error", str(error), allowed))
        page.on("request", lambda request: note(*_foreign(request.url, host), allowed))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == complaints


def log_in(page: Page, site: Site) -> None:
    """Log in through the form."""
    page.goto(f"{site.address}/login")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/deliveries")


def _foreign(url: str, host: str) -> tuple[str, str]:
    is_foreign = urlsplit(url).netloc not in (host, "")
    return ("error" if is_foreign else "", f"asked {url}")


FAINT_TEXTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([red, green, blue]) => [red, green, blue]
    .map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("option, [disabled]")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
