"""What recipients and those they share with see, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from aftersend.database.schema import recipient
from aftersend.model.enumeration import DeliveryKind, EmailFormat, Part
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import Token, encode
from tests.browser.conftest import FAINT_TEXTS, NARROW, Site, in_every_look
from tests.support.pages import KEYS
from tests.support.public_pages import change

pytestmark = pytest.mark.heavy

HERS, NOBODYS = (
    encode(Token(Part.HTML, DeliveryId(1), MessageId(number), UrlId(0)), keys=KEYS)
    for number in (1, 0)
)
LONG = "The Association for the Preservation of Lighthouses, Piers and Harbour-Masters’ Houses"


@in_every_look
def test_every_public_page_fits(
    open_page: Callable[..., Page], site: Site, size: tuple[int, int], color_scheme: str
) -> None:
    """However long names are, no page is wider than the window, and all of it can be read."""
    subject = f"{LONG} {'x' * 90}"
    change(site.services, "delivery", sender=f'"{LONG}" <a@b.example>', subject=subject)
    page = open_page(size, color_scheme=color_scheme, tolerated="status of 4")
    for path in (f"/p/{HERS}", f"/u/{HERS}", f"/s/{NOBODYS}/email", "/m/nothing", "/p/nothing"):
        page.goto(site.address + path)

        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert [] == page.evaluate(FAINT_TEXTS), path


def test_a_mirror_page_opens(open_page: Callable[..., Page], site: Site) -> None:
    """The recipient reads his own message, its links are tracked, and no cookie is kept."""
    page = open_page(NARROW)
    page.goto(f"{site.address}/m/{HERS}")

    expect(page.get_by_text("Hello John")).to_be_visible()
    link = page.get_by_role("link", name="Shop").get_attribute("href") or ""
    assert link.startswith("http://t.example/r/")
    assert [] == page.context.cookies()


def test_a_page_that_is_over_says_so(open_page: Callable[..., Page], site: Site) -> None:
    """Proofs and pages whose time is over are told apart from links that do not work."""
    page = open_page(NARROW, tolerated="status of 4")
    change(site.services, "delivery", kind=DeliveryKind.PROOF)
    page.goto(f"{site.address}/m/{HERS}")
    expect(page.get_by_role("heading", name="Not in proofs")).to_be_visible()
    change(site.services, "delivery", kind=DeliveryKind.MAIN, resources_s=1)
    page.goto(f"{site.address}/m/{HERS}")

    expect(page.get_by_role("heading", name="This page is not shown any more")).to_be_visible()


def test_the_address_to_copy_is_nobodys(open_page: Callable[..., Page], site: Site) -> None:
    """Who follows the share link of his message finds an address in his browser that is not his."""
    page = open_page()
    page.goto(f"{site.address}/s/{HERS}")

    expect(page).to_have_url(f"{site.address}/s/{NOBODYS}")
    expect(page.get_by_role("link", name="Shop")).to_have_attribute(
        "href", "https://www.example.com/shop"
    )
    expect(page.get_by_text("John")).to_have_count(0)


def test_a_message_is_sent_on_by_email(open_page: Callable[..., Page], site: Site) -> None:
    """The page offers the visitor's own mail program, and an address to copy, to keys as well."""
    page = open_page(NARROW)
    page.goto(f"{site.address}/s/{HERS}/email")
    page.keyboard.press("Tab")
    button = page.get_by_role("link", name="Write an e-mail")
    expect(button).to_be_focused()
    page.keyboard.press("Tab")

    assert (button.get_attribute("href") or "").startswith("mailto:?subject=News%20for%20you")
    expect(page.get_by_label("Or copy the address")).to_be_focused()
    expect(page.get_by_label("Or copy the address")).to_have_value(
        f"http://app.example/s/{NOBODYS}"
    )


def test_preferences_are_chosen_by_keys(open_page: Callable[..., Page], site: Site) -> None:
    """With the keyboard alone a recipient chooses text, is told that it is kept, and it is."""
    page = open_page(NARROW)
    page.goto(f"{site.address}/p/{HERS}")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Send me messages")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Text only")).to_be_checked()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("Text only")).to_be_checked()
    assert [] == page.evaluate(FAINT_TEXTS)
    query = select(recipient.c.format).where(recipient.c.email == "john@example.com")
    with site.services.database.read() as connection:
        assert EmailFormat.TEXT == connection.execute(query).scalar_one()


def test_who_unsubscribed_comes_back(open_page: Callable[..., Page], site: Site) -> None:
    """From the page that says it is done a link leads to the way back."""
    page = open_page(NARROW)
    page.goto(f"{site.address}/u/{HERS}")
    page.get_by_role("button", name="Unsubscribe").click()
    page.get_by_role("link", name="Manage your preferences").click()
    expect(page.get_by_label("Send me nothing")).to_be_checked()
    page.get_by_text("Send me messages").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.goto(f"{site.address}/u/{HERS}")

    expect(page.get_by_role("heading", name="Unsubscribe?")).to_be_visible()
