"""The page of tracking servers in a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aftersend.database import tracking_servers
from tests.browser.conftest import NARROW, WIDE, Site, log_in
from tests.support.effort import some
from tests.support.pages import NOW


@pytest.mark.parametrize("size", some([NARROW, WIDE]))
def test_somebody_verifies_and_sees_what_was_found(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int]
) -> None:
    """The page goes on by itself until it says in red what to do; nothing sticks out."""
    with site.services.database.write() as connection:
        tracking_servers.put(connection, server_id="3", internal_url="http://127.0.0.1:9", at=NOW)
    page = open_page(size)
    log_in(page, site)
    page.goto(f"{site.address}/tracking-servers")
    expect(page.locator("#servers")).to_contain_text("Silent")
    expect(page.locator("#addresses")).to_contain_text("Not looked at yet")
    page.get_by_role("button", name="Verify now").click()

    expect(page.locator("#addresses")).to_contain_text("Does not lead to us", timeout=60_000)
    expect(page.locator("#servers")).to_contain_text("http://127.0.0.1:9 does not answer")
    expect(page.get_by_role("button", name="Verify now")).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
