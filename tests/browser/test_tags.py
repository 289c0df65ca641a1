"""The pages of web tags in a real browser."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from aftersend.database import tags
from aftersend.database.tags import NewTag
from aftersend.model.enumeration import UrlType
from tests.browser.conftest import FAINT_TEXTS, NARROW, WIDE, Site, log_in
from tests.support.effort import some
from tests.support.pages import NOW

pytestmark = pytest.mark.heavy

LONG = "The Association for the Preservation of Lighthouses, Piers and Harbour-Masters’ Houses"


def test_a_tag_is_made_and_its_html_copied(open_page: Callable[..., Page], site: Site) -> None:
    """From the menu to the clipboard; the HTML follows what is typed."""
    page = open_page()
    log_in(page, site)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.address)
    page.get_by_role("link", name="Set-up").click()
    page.get_by_role("link", name="Web tags").click()
    page.get_by_role("link", name="Make the first tag").click()
    page.get_by_label("Label").fill("Order confirmed")
    page.get_by_label("Identifier").fill("order")
    page.get_by_role("radio", name="Transaction").check()
    page.get_by_role("button", name="Make the tag").click()

    expect(page.get_by_role("heading", name="Order confirmed")).to_be_visible()
    code = page.get_by_label("HTML of the tag")
    expect(code).to_contain_text("replace AMOUNT, ARTICLE in both places")
    page.get_by_label("Parameters of your own").press_sequentially("color=red")
    expect(code).to_contain_text('"color": "red"')
    page.get_by_label("Wait for consent").check()
    expect(code).to_contain_text("aftersend:consent")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == code.input_value()

    page.get_by_label("Label").fill("Paid")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Paid")).to_be_visible()
    page.get_by_role("navigation", name="Back").get_by_role("link", name="Web tags").click()
    page.get_by_label("Search").fill("nothing of this kind")
    expect(page.get_by_text("No tag found")).to_be_visible()


@pytest.mark.parametrize("size", some([NARROW, WIDE, (1280, 800)]), ids=["narrow", "wide", "usual"])
@pytest.mark.parametrize("color_scheme", some(["dark", "light"]))
def test_every_page_of_tags_fits(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int], color_scheme: str
) -> None:
    """However long names are, no page is wider than the window, and all of it can be read."""
    with site.services.database.write() as connection:
        new = NewTag(
            "x" * 128,
            f"{LONG} {'y' * 90}",
            UrlType.TRANSACTION,
            folder="f" * 100,
            valid_until=NOW + timedelta(days=1),
        )
        tag = tags.add(connection, new)
    page = open_page(size, color_scheme=color_scheme, tolerated="status of 422")
    log_in(page, site)
    for path in ("", "?q=nothing", "/new", f"/{tag.id}", f"/{tag.id}?own=a%26b"):
        page.goto(f"{site.address}/web-tags{path}")

        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert [] == page.evaluate(FAINT_TEXTS), path
