"""The pages in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aftersend.database import workflows
from aftersend.model.run import Counts
from tests.browser.conftest import NARROW, WIDE, Site, log_in
from tests.support.pages import NOW

pytestmark = pytest.mark.heavy

EVERY_PAGE = (
    "/deliveries",
    "/deliveries?q=nothing",
    "/deliveries/1",
    "/deliveries/1/logs",
    "/deliveries/2",
    "/recipients",
    "/recipients/1/deliveries",
    "/workflows",
    "/workflows/tracking",
    "/account",
)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_page_fits(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int], color_scheme: str
) -> None:
    """No page is wider than the window, and its text stands out from what is behind it."""
    page = open_page(size, color_scheme=color_scheme)
    log_in(page, site)
    for path in EVERY_PAGE:
        page.goto(site.address + path)
        page.wait_for_load_state("networkidle")

        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert [] == page.evaluate(_FAINT_TEXTS), path


def test_a_workflow_is_executed(open_page: Callable[..., Page], site: Site) -> None:
    """A run that is started from the page is followed on it until it has ended."""

    def work() -> None:
        with site.services.database.write() as connection:
            run_id = workflows.open_run(connection, "tracking", NOW)
            counts = Counts(read=3, loaded=3, deliveries=1)
            ended = workflows.Run(run_id, "tracking", NOW, NOW, workflows.FINISHED, counts, 0.5, "")
            workflows.close_run(connection, ended)

    site.run.work = work
    page = open_page()
    log_in(page, site)
    page.get_by_role("link", name="Workflows").click()
    page.get_by_role("link", name="Tracking").click()
    page.get_by_role("button", name="Execute now").click()

    expect(page.locator("#runs")).to_contain_text("3 read")
    expect(page.get_by_role("button", name="Execute now")).to_be_enabled()
    assert ["tracking"] == site.run.names


def test_a_workflow_is_paused_and_resumed(open_page: Callable[..., Page], site: Site) -> None:
    """Pause and Resume change the state at once, without leaving the page."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/workflows/tracking")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()

    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator("#journal")).to_contain_text("The workflow was resumed.")


def test_lists_are_filtered_as_one_types(open_page: Callable[..., Page], site: Site) -> None:
    """A search changes the list and the address, without a reload."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/recipients")
    page.get_by_label("Search").press_sequentially("marie", delay=150)

    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(f"{site.address}/recipients?q=marie")
    expect(page.get_by_label("Search")).to_be_focused()
    expect(page.get_by_label("Search")).to_have_value("marie")


def test_the_keyboard_reaches_the_content_first(open_page: Callable[..., Page], site: Site) -> None:
    """The first key press offers to skip the menu, and the focus is always seen."""
    page = open_page()
    log_in(page, site)
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()


def test_colours_are_remembered(open_page: Callable[..., Page], site: Site) -> None:
    """Who chooses dark colours keeps them on the next page."""
    page = open_page()
    log_in(page, site)
    for _ in range(2):
        page.get_by_role("button", name="Change colours").click()
    page.goto(f"{site.address}/recipients")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_logging_out_ends_it(open_page: Callable[..., Page], site: Site) -> None:
    """The menu logs out, and the pages are closed again."""
    page = open_page()
    log_in(page, site)
    page.get_by_label("Account of Ada").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto(f"{site.address}/deliveries")

    assert page.url.endswith("/login?next=%2Fdeliveries")


# Every visible text whose contrast with what is painted behind it is below WCAG AA.
_FAINT_TEXTS = """() => {
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
