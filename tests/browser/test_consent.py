"""Web tags and the consent script on pages of a shop, in a real browser.

The shop and its tracking server have two hosts of one site, as they should.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from aftersend.database.tags import Tag
from aftersend.delivery.tag_html import Filling, html_of
from aftersend.model.catalogue import Destination
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import OPEN_URL_ID, UrlId
from tests.browser.conftest import _ARGUMENTS, FAINT_TEXTS, NARROW, WIDE, in_every_look
from tests.browser.serving import free_port, serving
from tests.support.tracking_server import SHOP, Tracker, made_catalogue, spelled, tracking

pytestmark = pytest.mark.heavy

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Shop</title>
<link rel="icon" href="data:,">
<script src="{server}/r/consent.js" data-banner="{banner}" {more} defer></script>
<h1>Shop</h1>
<p><a id="more" href="#">Lamps</a></p>
{place}
{tag}
</html>
"""


class Shop:
    """Pages of a site, and what its tracking server has written."""

    def __init__(self, tracker: Tracker, port: int) -> None:
        """Name the two hosts."""
        self.tracker = tracker
        self.address = f"http://www.shop.example:{port}"
        self.server = f"http://t.shop.example:{urlsplit(tracker.url).port}"
        self.pages: dict[str, str] = {}

    def write(self, path: str, *, banner: str = "none", more: str = "", place: str = "") -> None:
        """Put a page with a usual tag at a path."""
        self.pages[path] = self.page(self.tag(), banner=banner, more=more, place=place)

    def tag(self, kind: UrlType = UrlType.WEB, **filling: Any) -> str:
        """Write the HTML of a tag."""
        tag = Tag(UrlId(9), "home", "Home", kind, "", "", None)
        return html_of(tag, Filling(**filling), server=self.server)

    def page(self, tag: str, *, banner: str = "none", more: str = "", place: str = "") -> str:
        """Write a page."""
        return PAGE.format(server=self.server, tag=tag, banner=banner, more=more, place=place)

    @property
    def told(self) -> list[str]:
        """Give what the tags have told."""
        return [line.parameters for line in self.tracker.lines if line.url_id == 0]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the pages."""
        if scope["type"] != "http":
            return
        body = self.pages.get(scope["path"], "")
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a Chromium that finds the hosts of the shop on this machine."""
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Chromium, which `make test` installs"
    rule = "--host-resolver-rules=MAP *.shop.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*_ARGUMENTS, rule])
        yield browser
        browser.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Run a shop, to whose front page the links of a message lead."""
    port = free_port()
    front = Destination((f"http://www.shop.example:{port}/",))
    urls = {OPEN_URL_ID: Destination((), UrlType.OPEN, "Open"), SHOP: front}
    with tracking(tmp_path, made_catalogue(urls=urls)) as tracker:
        shop = Shop(tracker, port)
        with serving(shop, port):
            yield shop


@pytest.fixture
def open_page(browser: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Give what opens a page of a size; what it complains about fails.

    Pages are closed before the `shop`, or what a browser asks late would be a complaint.
    """
    contexts, complaints = [], []

    def open_page(size: tuple[int, int] = WIDE, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == complaints


def click_through(page: Page, shop: Shop) -> None:
    """Click on a link of a message, and wait for the tag of the page that it leads to."""
    with page.expect_response(lambda answer: "tagid=" in answer.url):
        page.goto(f"{shop.server}/r/{spelled(SHOP)}")


def requests_of(page: Page) -> list[str]:
    """Give the tags that a page asks for from now on, as they come."""
    asked: list[str] = []

    def hear(request: Request) -> None:
        if "tagid=" in request.url:
            asked.append(request.url)

    page.on("request", hear)
    return asked


def test_a_visitor_who_forbids_it_is_not_tracked(
    open_page: Callable[..., Page], shop: Shop
) -> None:
    """Before a choice visits are recorded; afterwards not one is, whatever the page does."""
    shop.write("/", banner="all-pages")
    page = open_page()
    click_through(page, shop)
    assert shop.told == ["tagid=home"]
    (line,) = (line for line in shop.tracker.lines if line.url_id == 0)
    assert (line.message_id, bool(line.source_id)) == (300, True)

    asked = requests_of(page)
    with page.expect_response("**/r/consent?choice=forbid*"):
        page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("region", name="Consent to web tracking")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    expect(page.get_by_role("region")).to_have_count(0)

    assert asked == []
    assert page.evaluate("aftersend.consent.choice()") == "forbid"
    cookies = page.context.cookies(shop.server)
    assert [(each["name"], each["value"]) for each in cookies] == [("acoptout", "1")]

    # A tag that does not look at the choice is answered, and not recorded.
    shop.pages["/bare"] = f'<img alt="" src="{shop.server}/r/1?tagid=home&amp;rcpid=email%3Da">'
    with page.expect_response(lambda answer: "tagid=" in answer.url) as answer:
        page.goto(f"{shop.address}/bare")
    assert answer.value.status == 200
    assert shop.told == ["tagid=home"]


def test_a_visitor_who_allows_it_is_tracked(open_page: Callable[..., Page], shop: Shop) -> None:
    """The choice is kept on both hosts; no page asks again."""
    shop.write("/", banner="all-pages")
    page = open_page()
    click_through(page, shop)
    with page.expect_response("**/r/consent?choice=allow*"):
        page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("region")).to_have_count(0)
    with page.expect_response(lambda answer: "tagid=" in answer.url):
        page.reload()

    assert shop.told == ["tagid=home"] * 2
    assert page.evaluate(
        "[aftersend.consent.hasUserPrefs(), aftersend.consent.getUserPrefs()]"
    ) == [
        True,
        0,
    ]
    for host in (shop.address, shop.server):
        cookies = {each["name"]: each["value"] for each in page.context.cookies(host)}
        assert cookies["acoptout"] == "0"
    expect(page.get_by_role("region")).to_have_count(0)


def test_a_tag_can_wait_for_consent(open_page: Callable[..., Page], shop: Shop) -> None:
    """Nothing is asked before somebody allowed it, and then at once, and only once."""
    tag = shop.tag(
        UrlType.TRANSACTION, amount="49.90", article="2", parameters={"color": "red"},
        is_consent_needed=True,
    )  # fmt: skip
    shop.pages["/"] = shop.page(tag)
    page = open_page()
    asked = requests_of(page)
    page.goto(f"{shop.server}/r/{spelled(SHOP)}")
    assert page.evaluate("[aftersend.consent.hasChosen(), aftersend.consent.choice()]") == [
        False,
        None,
    ]
    assert asked == []
    page.evaluate("document.dispatchEvent(new CustomEvent('x'))")
    with page.expect_response(lambda answer: "tagid=" in answer.url):
        assert page.evaluate("aftersend.consent.allow()") is True
    page.evaluate("aftersend.consent.allow()")

    assert shop.told == ["tagid=home&amount=49.90&article=2&color=red"]
    assert len(asked) == 1


def test_without_scripts_the_image_tells(open_page: Callable[..., Page], shop: Shop) -> None:
    """The same tag stands where scripts do not run."""
    shop.write("/")
    page = open_page(java_script_enabled=False)
    click_through(page, shop)

    assert shop.told == ["tagid=home"]


def test_the_banner_stands_where_the_page_wants_it(
    open_page: Callable[..., Page], shop: Shop
) -> None:
    """On no page, on those with a place for it, or on all; closed, it comes with the next page."""
    place = "<div data-consent-banner id='here'></div>"
    shop.write("/none", banner="none", place=place)
    shop.write("/per-page", banner="per-page")
    shop.write("/placed", banner="per-page", place=place)
    shop.write("/all", banner="all-pages")
    page = open_page(NARROW)
    for path, count in (("/none", 0), ("/per-page", 0), ("/placed", 1), ("/all", 1)):
        page.goto(shop.address + path)
        expect(page.get_by_role("region")).to_have_count(count)
    page.goto(f"{shop.address}/placed")
    expect(page.locator("#here").get_by_role("button", name="Allow")).to_be_visible()
    page.get_by_role("button", name="Close without a choice").click()
    expect(page.get_by_role("region")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("region")).to_have_count(1)


def test_the_banner_is_for_everybody(open_page: Callable[..., Page], shop: Shop) -> None:
    """It is reached first by keyboard, closed with Escape, and takes no focus by itself."""
    shop.write("/all", banner="all-pages")
    page = open_page()
    page.goto(f"{shop.address}/all")
    expect(page.get_by_role("region")).to_be_visible()
    assert page.evaluate("document.activeElement === document.body")
    for name in ("Refuse", "Allow", "Close without a choice"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Escape")
    assert page.evaluate("document.body.style.paddingBottom") == ""
    expect(page.get_by_role("region")).to_have_count(0)
    assert page.evaluate("aftersend.consent.choice()") is None


@in_every_look
def test_the_banner_fits_and_can_be_read(
    open_page: Callable[..., Page], shop: Shop, size: tuple[int, int], color_scheme: str
) -> None:
    """Texts are the site's own, however long, and never markup."""
    long = "Datenschutzgrundverordnungskonformitätserklärung" * 2
    more = (
        f'data-text="<b>{long}</b> May we? {"Please. " * 30}" data-allow="Yes, gladly" '
        'data-forbid="No, thank you very much" data-more="Privacy" data-more-href="/privacy"'
    )
    shop.write("/all", banner="all-pages", more=more)
    page = open_page(size, color_scheme=color_scheme)
    page.goto(f"{shop.address}/all")
    banner = page.get_by_role("region")

    expect(banner).to_contain_text("<b>")
    expect(banner.get_by_role("link", name="Privacy")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    box = banner.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, size[0])
    assert box["y"] > 0
    room = page.evaluate("parseFloat(document.body.style.paddingBottom)")
    assert abs(room - box["height"]) < 1
    buttons = [banner.get_by_role("button", name=name) for name in ("No, thank", "Yes, gladly")]
    styles = [each.evaluate("e => [getComputedStyle(e).color, e.offsetHeight]") for each in buttons]
    assert styles[0] == styles[1]
    assert [] == page.evaluate(
        FAINT_TEXTS.replace("document.body", "document.querySelector('.floating').shadowRoot")
    )


def test_a_choice_on_a_sister_site_is_known(open_page: Callable[..., Page], shop: Shop) -> None:
    """Asked to, the script takes over what the tracking server remembers, and asks nobody again."""
    shop.write("/all", banner="all-pages", more="data-ask-server")
    page = open_page()
    page.goto(f"{shop.address}/all")
    page.evaluate("aftersend.consent.forbid()")
    with page.expect_response("**/r/consent"):
        page.goto(f"{shop.address.replace('www', 'outlet')}/all")
    page.wait_for_function("aftersend.consent.hasChosen()")

    assert page.evaluate("aftersend.consent.choice()") == "forbid"
    expect(page.get_by_role("region")).to_have_count(0)
