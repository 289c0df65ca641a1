"""Preparing a message on the pages: how it looks, where its links lead, what may be chosen."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from aftersend.database import deliveries
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls
from aftersend.model.enumeration import DeliveryState, Part
from aftersend.model.ids import DeliveryId, UrlId
from tests.browser.conftest import FAINT_TEXTS, Site, in_every_look, log_in

pytestmark = pytest.mark.heavy

SHOP = "https://shop.example.com/lamps/brass"
HTML = f"""<html><body>
<p>Dear <%= recipient.first_name %>, <%@ include view='MirrorPage' %></p>
<p><a href="{SHOP}">Brass</a> <a href='https://shop.example.com/lamps/paper'>Paper</a></p>
<p><a href="https://blog.example.org/bulbs" target="_top">Bulbs</a>
<a href="https://www.example.net/?q={"x" * 8000}" _label="{"A long label. " * 15}">Terms</a></p>
<p><%@ include view='UnsubscriptionLink' %></p>
</body></html>"""
TEXT = f"Dear <%= recipient.first_name %>, look: {SHOP}\n"
GREEDY = """<html><head><link rel="stylesheet" href="https://out.example/a.css">
<link rel="preconnect" href="https://out.example"><link rel="prefetch" href="https://out.example/b">
<meta http-equiv="refresh" content="0; url=https://out.example/c"><base href="https://out.example">
<style>@import url(https://out.example/d.css);p { background: url(https://out.example/e) }</style>
</head><body background="https://out.example/f.png"><p id="here">Hello</p>
<img src="https://out.example/lamp.png" srcset="https://out.example/g.png 2x" alt="A lamp">
<iframe src="https://out.example/h"></iframe><video poster="https://out.example/i.png"></video>
<object data="https://out.example/j"></object><script src="https://out.example/k.js"></script>
<form action="https://out.example/l"><button id="send">Send</button></form>
<a id="out" href="https://out.example/m" ping="https://out.example/n">Out</a></body></html>"""


@pytest.fixture
def letter(site: Site) -> DeliveryId:
    """Give an analysed message with links in both parts, long ones and built-in ones."""
    number = write(site, HTML, TEXT)
    analyse(site.services.office, number)
    return number


def write(site: Site, html: str | None, text: str | None = None) -> DeliveryId:
    """Make a delivery to all."""
    draft = Draft("Lamps", "news@example.com", "For <%= recipient.first_name %>", html, text)
    return create(site.services.office, draft)


def url_id(site: Site, letter: DeliveryId, source: str, part: Part = Part.HTML) -> UrlId:
    """Find a link by how its address begins."""
    listed = list_urls(site.services.office, letter)
    return next(url.id for url in listed if url.part is part and url.source.startswith(source))


def open_letter(page: Page, site: Site, letter: DeliveryId, view: str) -> None:
    """Log in and go to a view of a message."""
    log_in(page, site)
    page.goto(f"{site.address}/deliveries/{letter}/{view}")


@in_every_look
def test_pages_of_a_message_fit(
    open_page: Callable[..., Page],
    site: Site,
    letter: DeliveryId,
    size: tuple[int, int],
    color_scheme: str,
) -> None:
    """Neither long labels nor 8 KB addresses nor broken contents make a page wide or faint."""
    broken = write(site, "<p>Hi</p>\n<p><%= recipient.first_name</p>" + "x" * 3000)
    words = write(site, None, "Hello, " + "x" * 3000)
    page = open_page(size, color_scheme=color_scheme)
    log_in(page, site)
    views = [f"{letter}{view}" for view in ("", "/content", "/links", "/properties")]
    views += [f"{letter}/links?view=tree", f"{broken}/content", f"{broken}/links"]
    for view in (*views, f"{words}/content"):
        page.goto(f"{site.address}/deliveries/{view}")
        page.wait_for_load_state("networkidle")

        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], view
        assert [] == page.evaluate(FAINT_TEXTS), view


def test_a_link_is_never_tracked(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """A link that is set to Never tracked stays so on this message and begins so on the next."""
    page = open_page()
    open_letter(page, site, letter, "links")
    row = page.locator(f"#url-{url_id(site, letter, SHOP)}")
    row.get_by_label("Tracking").select_option("Never tracked")
    expect(row).to_contain_text("remembered for later messages")
    expect(page.get_by_text("5 of 7 tracked")).to_be_visible()
    page.reload()
    expect(row.get_by_label("Tracking")).to_have_value("never")
    follower = page.locator(f"#url-{url_id(site, letter, SHOP, Part.TEXT)}")
    expect(follower.get_by_label("Tracking")).to_have_value("never")
    later = write(site, HTML)
    page.goto(f"{site.address}/deliveries/{later}/links")

    row = page.locator(f"#url-{url_id(site, later, SHOP)}")
    expect(row.get_by_label("Tracking")).to_have_value("never")


def test_a_label_is_edited_in_its_place(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """What is typed into a row is stored when one leaves it, and the keyboard goes on there."""
    page = open_page()
    open_letter(page, site, letter, "links")
    expect(page.locator("#delivery-head")).to_contain_text("Target ready")
    row = page.locator(f"#url-{url_id(site, letter, SHOP)}")
    row.get_by_label("Label").fill("Brass & <b>gold</b>")
    page.keyboard.press("Tab")
    expect(page.locator("#delivery-head")).to_contain_text("Being edited")
    expect(row.get_by_label("Tracking")).to_be_focused()
    row.get_by_label("Category").fill("lamps")
    page.keyboard.press("Enter")
    expect(page.locator("#categories option[value=lamps]")).to_have_count(1)
    page.reload()

    expect(row.get_by_label("Label")).to_have_value("Brass & <b>gold</b>")
    expect(row.get_by_label("Category")).to_have_value("lamps")


def test_a_refused_change_says_why(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """A link of the text that is off in the HTML stays off; the sentence stands beside its row."""
    page = open_page(tolerated="422")
    open_letter(page, site, letter, "links")
    html, text = (url_id(site, letter, SHOP, part) for part in (Part.HTML, Part.TEXT))
    page.locator(f"#url-{html}").get_by_label("Tracking").select_option("Not tracked")
    row = page.locator(f"#url-{text}")
    expect(row.get_by_label("Tracking")).to_have_value("not-tracked")
    row.get_by_label("Tracking").select_option("Enabled")
    expect(page.locator(f"#problem-row-{text}")).to_contain_text("switch it on in the HTML first")
    page.locator(f"#url-{html}").get_by_label("Tracking").select_option("Enabled")

    expect(page.locator(f"#problem-row-{text}")).to_have_count(0)
    expect(row.get_by_label("Tracking")).to_have_value("not-tracked")


def test_many_links_at_once(open_page: Callable[..., Page], site: Site, letter: DeliveryId) -> None:
    """The box above the list chooses all of them, and one button sets what is chosen."""
    page = open_page(tolerated="422")
    open_letter(page, site, letter, "links")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_text("No link is chosen")).to_be_visible()
    page.get_by_label("Choose all links").check()
    page.get_by_role("button", name="Set").click()

    expect(page.get_by_text("0 of 7 tracked")).to_be_visible()


def test_a_host_is_switched_off(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """The box of a host switches all its links, of both parts; a part of them makes it grey."""
    page = open_page()
    open_letter(page, site, letter, "links?view=tree")
    host = page.get_by_label("Track everything at https://shop.example.com/lamps")
    host.uncheck()
    expect(page.get_by_text("4 of 7 tracked")).to_be_visible()
    leaf = page.locator(f"#on-{url_id(site, letter, SHOP)}")
    expect(leaf).not_to_be_checked()
    leaf.check()
    expect(page.get_by_text("5 of 7 tracked")).to_be_visible()
    expect(host).to_be_checked(indeterminate=True)
    host.click()

    expect(page.get_by_text("7 of 7 tracked")).to_be_visible()
    expect(host).to_be_checked()


def test_a_chosen_link_is_marked(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """Choosing a link shows where it stands in the message; built-in links cannot be chosen."""
    page = open_page()
    open_letter(page, site, letter, "links")
    frame = page.frame_locator("iframe[name=preview]")
    expect(frame.get_by_text("Brass")).to_have_css("outline-style", "none")
    page.locator(f"#url-{url_id(site, letter, SHOP)}").get_by_role("link").click()
    expect(frame.get_by_text("Brass")).to_have_css("outline-style", "solid")
    expect(frame.get_by_text("Paper")).to_have_css("outline-style", "none")
    text = page.locator(f"#url-{url_id(site, letter, SHOP, Part.TEXT)}")
    text.get_by_role("link").click()
    expect(frame.get_by_text(SHOP)).to_have_css("outline-style", "solid")

    built_in = page.locator(f"#url-{url_id(site, letter, 'http://app.example/u/')}")
    expect(built_in.get_by_role("link")).to_have_count(0)


def test_the_message_of_somebody_else(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """A part of an address is enough to see what that recipient will see."""
    page = open_page()
    open_letter(page, site, letter, "content")
    frame = page.frame_locator("iframe[name=preview]")
    expect(frame.get_by_text("Dear John")).to_be_visible()
    page.get_by_label("Message to").fill("mari")
    page.keyboard.press("Enter")
    expect(frame.get_by_text("Dear Marie")).to_be_visible()
    expect(page.locator("#message")).to_contain_text("For Marie")
    expect(page.locator("pre.message")).to_contain_text("Dear Marie")
    page.get_by_label("Message to").fill("example.com")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="zoe@example.com").click()

    expect(frame.get_by_text("Dear Zoe")).to_be_visible()


def test_links_of_a_preview_lead_nowhere(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """Pressing a link of the message neither leaves the page nor opens another, nor is counted."""
    page = open_page(tolerated="sandboxed")
    open_letter(page, site, letter, "content")
    for name in ("Brass", "Bulbs", "Unsubscribe"):
        page.frame_locator("iframe[name=preview]").get_by_text(name).click()
    page.wait_for_load_state("networkidle")

    assert [page] == page.context.pages
    assert page.url.endswith(f"/deliveries/{letter}/content")
    paths = {urlsplit(frame.url).path for frame in page.frames}
    assert paths == {f"/deliveries/{letter}/content", f"/deliveries/{letter}/preview"}


def test_no_message_loads_anything(open_page: Callable[..., Page], site: Site) -> None:
    """Whatever a message names, nobody else is asked for it until somebody wants the pictures."""
    greedy = write(site, GREEDY)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(urlsplit(route.request.url).path)
        route.abort()

    page = open_page(tolerated=("out.example", "sandboxed", "ERR_FAILED"))
    page.context.route("https://out.example/**", refuse)
    open_letter(page, site, greedy, "content")
    frame = page.frame_locator("iframe[name=preview]")
    expect(frame.locator("#here")).to_be_visible()
    frame.locator("#out").click()
    frame.locator("#send").click()
    page.wait_for_load_state("networkidle")
    assert [] == asked
    page.get_by_role("link", name="Show pictures").click()
    expect(frame.locator("#here")).to_be_visible()
    page.wait_for_load_state("networkidle")

    assert "/lamp.png" in asked
    assert not {"/c", "/h", "/j", "/k.js", "/l", "/m", "/n"} & set(asked)


def test_properties_are_changed(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """Values that cannot be are told beside their fields; the others are kept and then saved."""
    page = open_page(tolerated="422")
    open_letter(page, site, letter, "properties")
    validity = page.get_by_label("Validity").first
    validity.fill("3")
    page.get_by_label("Address after that").fill("over there")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#substitution_url-error")).to_contain_text("no address")
    expect(validity).to_have_value("3")
    page.get_by_label("Address after that").fill("https://www.example.com/over")
    page.get_by_label("Opens tracking").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    with site.services.database.read() as connection:
        delivery = deliveries.get(connection, letter)

    assert delivery.validity_s == 3 * 86_400
    assert delivery.substitution_url == "https://www.example.com/over"
    assert delivery.is_tracked
    assert not delivery.is_open_tracked


def test_a_message_is_analysed(
    open_page: Callable[..., Page], site: Site, letter: DeliveryId
) -> None:
    """The button finds out again what is wrong, and shows it where it was pressed."""
    with site.services.database.write() as connection:
        deliveries.change(connection, letter, state=DeliveryState.BEING_EDITED, subject="")
    page = open_page()
    open_letter(page, site, letter, "content")
    page.get_by_role("button", name="Analyse again").click()

    expect(page.locator("#diagnostics")).to_contain_text("The subject is empty")
    expect(page.locator("#diagnostics .badge-bad").first).to_be_visible()
    assert page.url.endswith("/content#diagnostics")
