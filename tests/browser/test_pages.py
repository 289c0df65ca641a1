"""The pages in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aftersend.database import workflows
from aftersend.database.schema import content
from aftersend.model.enumeration import Part
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.run import Counts
from aftersend.model.token import Token, encode
from tests.browser.conftest import FAINT_TEXTS, NARROW, Site, in_every_look, log_in
from tests.support.page_seed import add_recipients
from tests.support.pages import KEYS, NOW

pytestmark = pytest.mark.heavy

TOKEN = encode(Token(Part.HTML, DeliveryId(1), MessageId(1), UrlId(0)), keys=KEYS)
EVERY_PAGE = (
    "/deliveries",
    "/deliveries?q=nothing",
    "/deliveries/1",
    "/deliveries/1/content",
    "/deliveries/1/links",
    "/deliveries/1/links?view=tree",
    "/deliveries/1/properties",
    "/deliveries/1/logs",
    "/deliveries/1/tracking",
    "/deliveries/1/tracking?hits=all",
    "/deliveries/1/tracking/logs",
    "/deliveries/1/tracking/logs?uuid=yes&type=open",
    "/deliveries/1/tracking/urls",
    "/deliveries/1/figures/recipient_open",
    "/deliveries/1/figures/total_recipient_open",
    "/deliveries/1/figures/success",
    "/deliveries/2",
    "/recipients",
    "/recipients/1",
    "/recipients/3",
    "/recipients/1/deliveries",
    "/recipients/1/profile",
    "/workflows",
    "/workflows/tracking",
    "/account",
    "/tracking-servers",
)


@in_every_look
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
        assert [] == page.evaluate(FAINT_TEXTS), path


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


def test_a_figure_explains_itself(open_page: Callable[..., Page], site: Site) -> None:
    """The question mark beside a figure opens its formula, by key as well, and Escape closes it."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/deliveries/1/tracking")
    help_ = page.get_by_label("How Recipient clicks is computed")
    help_.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("d(message; type = 1)")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_text("d(message; type = 1)")).to_be_hidden()


def test_the_chart_is_drawn(open_page: Callable[..., Page], site: Site) -> None:
    """Opens and clicks over time are painted, and painted again when the colours change."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/deliveries/1/tracking")
    expect(page.locator(".chart canvas")).to_be_visible()
    before = page.evaluate(_CHART_DIGEST)
    assert len(before) > 1000
    for _ in range(2):
        page.get_by_role("button", name="Change colours").click()

    page.wait_for_function(f"before => ({_CHART_DIGEST})() !== before", arg=before)


def test_more_rows_are_loaded_on_demand(open_page: Callable[..., Page], site: Site) -> None:
    """Load more adds rows below those that are there, and the counter follows."""
    names = [f"reader{number:03}" for number in range(400)]
    add_recipients(site.services, names)
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/recipients")
    expect(page.locator("#pager")).to_contain_text("200 / 405")
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#pager")).to_contain_text("400 / 405")
    expect(page.locator("#rows tr")).to_have_count(400)
    page.get_by_role("link", name="Load more").click()

    expect(page.locator("#rows tr")).to_have_count(405)
    expect(page.get_by_role("link", name="Load more")).to_have_count(0)


def test_an_ended_session_leads_to_the_log_in(open_page: Callable[..., Page], site: Site) -> None:
    """When the session has ended, the next click on a piece of the page leads to the log-in."""
    page = open_page(tolerated="401")
    log_in(page, site)
    page.goto(f"{site.address}/deliveries")
    page.context.clear_cookies(name="aftersend_session")
    page.locator("th a[hx-get]").first.click()

    page.wait_for_url("**/login?next=*")


def test_recipients_unsubscribe(open_page: Callable[..., Page], site: Site) -> None:
    """A recipient presses one button and is told that it is done; no cookie is kept."""
    page = open_page(NARROW)
    page.goto(f"{site.address}/u/{TOKEN}")
    page.get_by_role("button", name="Unsubscribe").click()

    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    assert [] == page.context.cookies()
    assert [] == page.evaluate(FAINT_TEXTS)


def test_a_mirror_page_runs_no_script(open_page: Callable[..., Page], site: Site) -> None:
    """Scripts in a message do not run on our host, its links work."""
    with site.services.database.write() as connection:
        connection.execute(
            content.update().values(html='<p id="a">Hi</p><script>document.body.remove()</script>')
        )
    page = open_page(tolerated="script")
    page.goto(f"{site.address}/m/{TOKEN}")

    expect(page.locator("#a")).to_have_text("Hi")


def test_a_workflow_is_paused_and_resumed(open_page: Callable[..., Page], site: Site) -> None:
    """Pause and Resume change the state at once, without leaving the page."""
    page = open_page()
    log_in(page, site)
    page.goto(f"{site.address}/workflows/tracking")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()

    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator("#journal")).to_contain_text("The workflow was resumed by Ada.")


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


_CHART_DIGEST = "() => document.querySelector('.chart canvas').toDataURL()"
