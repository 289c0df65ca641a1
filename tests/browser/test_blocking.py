"""Stopping a link by keyboard alone, and pages that show visits and money, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aftersend.database import deliveries, urls
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from tests.browser.conftest import FAINT_TEXTS, Site, in_every_look, log_in
from tests.support.page_seed import (
    ORDER,
    PAGE,
    Hit,
    add_hits,
    add_recipients,
    add_tags,
    consolidate,
)
from tests.support.page_seed import add_delivery as add_sent
from tests.support.pages import NOW

pytestmark = pytest.mark.heavy

HTML = '<a href="https://shop.example/lamp">Lamp</a> <a href="https://shop.example/desk">Desk</a>'


@pytest.fixture
def letter(site: Site) -> DeliveryId:
    """Give a message that was sent."""
    number = create(site.services.office, Draft("Lamps", "news@example.com", "Hi", HTML, None))
    analyse(site.services.office, number)
    with site.services.database.write() as connection:
        deliveries.change(connection, number, state=DeliveryState.FINISHED, contact_at=NOW)
    return number


def test_a_link_is_blocked_by_keyboard(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """The button asks first; Escape leaves everything as it is, a second key press acts."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/deliveries/{letter}/links")
    lamp = page.get_by_label("Block Lamp", exact=True)
    question = page.get_by_text("Block this link?").first
    lamp.focus()
    page.keyboard.press("Enter")
    expect(question).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(lamp).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Blocked", exact=True)).to_have_count(1)
    expect(page.get_by_label("Unblock Lamp")).to_be_visible()
    assert [True, False] == [url.is_blocked for url in list_urls(site.services.office, letter)]


@in_every_look
def test_pages_of_blocked_links_and_of_money_fit(
    open_page: Callable[..., Page],
    site: Site,
    letter: DeliveryId,
    size: tuple[int, int],
    color_scheme: str,
) -> None:
    """Neither the question nor large amounts make a page wide or faint."""
    with site.services.database.write() as connection:
        first, second = urls.of_delivery(connection, letter)
        urls.change(connection, first.id, is_blocked=True)
        urls.change(connection, second.id, label="A long label. " * 15)
    shop = add_sent(site.services, add_recipients(site.services, ["Ada"]), label="Shop")
    add_tags(site.services)
    large = Hit(2, shop.messages[0], ORDER, "a", amount=987_654_321_098.76, article=999_999_999)
    hits = [Hit(1, shop.messages[0], PAGE, "a"), large, Hit(3, 0, ORDER, "x")]
    add_hits(site.services, shop, hits, first=100)
    consolidate(site.services)
    page = open_page(size, color_scheme=color_scheme)
    log_in(page, site)
    views = [f"{letter}/links", f"{letter}/links?view=tree", f"{letter}/tracking/urls"]
    views += [f"{shop.delivery}/{each}" for each in ("tracking", "tracking/logs", "figures/amount")]
    for view in views:
        page.goto(f"{site.address}/deliveries/{view}")
        page.wait_for_load_state("networkidle")
        for ask in page.locator("details.ask > summary").all()[-1:]:
            ask.click()

        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], view
        assert [] == page.evaluate(FAINT_TEXTS), view
