"""Pages of workflows, the audit trail, rejected lines and verdicts in a browser."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect

from aftersend.model.ids import ServerId
from tests.browser.conftest import FAINT_TEXTS, NARROW, WIDE, Site, log_in
from tests.support.effort import some
from tests.support.page_seed import HOSTILE


@pytest.mark.parametrize("size", some([NARROW, WIDE]))
def test_somebody_looks_after_a_workflow(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int]
) -> None:
    """Pauses it, sets its schedule by keyboard, purges it when asked, and sees all in the trail."""
    page = open_page(size)
    log_in(page, site)
    page.goto(f"{site.address}/workflows/tracking")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live")).to_contain_text("none while paused")
    page.locator("#settings > summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Runs", exact=True).select_option("daily")
    page.get_by_label("When, in UTC").fill("04:00")
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_contain_text("Every day at 04:00 UTC")
    page.locator("#settings > summary").click()
    page.locator("summary", has_text="Purge history").click()
    page.get_by_role("button", name="Purge the history").click()
    expect(page.locator("#lines")).to_contain_text("freed of its history")
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    page.get_by_role("link", name="Who did what").click()
    expect(page.locator("#rows tr")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]


@pytest.mark.parametrize("scheme", some(["dark", "light"]))
@pytest.mark.parametrize("size", some([NARROW, WIDE]))
def test_new_pages_fit_and_are_readable(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int], scheme: str
) -> None:
    """No text is faint, nothing sticks out, and nothing that a stranger wrote acts."""
    columns = {
        "segment": ["x" * 120],
        "offset": pa.array([0], pa.int64()),
        "reason": ["shape"],
        "bytes": pa.array([HOSTILE.encode() + b"\xff" * 400], pa.binary()),
    }
    site.services.lake.append_rejected(pa.table(columns), server=ServerId("1"))
    page = open_page(size, color_scheme=scheme)
    page.on("dialog", lambda dialog: pytest.fail(f"a page says {dialog.message}"))
    log_in(page, site)
    for path in (
        "/workflows",
        "/workflows?view=failed",
        "/workflows/tracking",
        "/audit",
        "/rejected",
        "/hits/10x0000000000000002",
        "/deliveries/1/tracking",
        "/deliveries",
    ):
        page.goto(site.address + path)
        assert page.evaluate(FAINT_TEXTS) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], path
