"""The message of a delivery on its page, and alone in its frame."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import deliveries
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_recipients
from tests.support.pages import csrf

HTML = '<p>Dear <%= recipient.first_name %></p><a href="https://shop.example/">Shop</a>'


@pytest.fixture
def letter(services: Services) -> DeliveryId:
    """Give an analysed message to two people."""
    add_recipients(services, ["John", "Marie"])
    draft = Draft(
        "Lamps", "news@example.com", "For <%= recipient.first_name %>", HTML, f"Text {HOSTILE}"
    )
    number = create(services.office, draft)
    analyse(services.office, number)
    return number


def test_a_message_is_shown(client: TestClient[Any], letter: DeliveryId) -> None:
    """Subject and text stand on the page, the HTML in a frame that may do nothing."""
    text = client.get(f"/deliveries/{letter}/content").text

    assert "For John" in text
    assert "Text &lt;script&gt;" in text
    assert HOSTILE not in text
    assert 'sandbox src="/deliveries/' in text
    assert "Dear John" not in text


def test_the_frame_may_do_nothing(client: TestClient[Any], letter: DeliveryId) -> None:
    """The HTML comes with a policy of its own: no script, no form, only our page around it."""
    answer = client.get(f"/deliveries/{letter}/preview")
    policy = answer.headers["content-security-policy"]

    assert "Dear John" in answer.text
    assert policy.endswith("sandbox")
    for part in ("default-src 'none'", "form-action 'none'", "frame-ancestors 'self'"):
        assert part in policy
    assert "img-src data:" in policy
    assert "*" not in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_pictures_are_loaded_when_wanted(client: TestClient[Any], letter: DeliveryId) -> None:
    """Only who asks for pictures gets a policy that lets them come."""
    page = client.get(f"/deliveries/{letter}/content?images=yes").text
    policy = client.get(f"/deliveries/{letter}/preview?images=yes").headers[
        "content-security-policy"
    ]

    assert "images=yes" in page
    assert "img-src * data:" in policy
    assert "script-src" not in policy


def test_somebody_else_is_found(client: TestClient[Any], letter: DeliveryId) -> None:
    """A part of an address or a name finds one, several are offered, nobody is told."""
    here = f"/deliveries/{letter}/content"

    assert "For Marie" in client.get(f"{here}?q=mari").text
    several = client.get(f"{here}?q=example.com").text
    assert "Several people fit" in several
    assert f"{here}?q=john%40example.com" in several
    nobody = client.get(f"{here}?q={HOSTILE}x").text
    assert "No recipient fits" in nobody
    assert "Dear </p>" in client.get(f"{here[:-7]}preview?email=nobody").text
    assert "preview?email=nobody&amp;" in client.get(f"{here}?q=nobody").text
    assert HOSTILE not in nobody


def test_a_broken_content_is_told_with_its_line(
    client: TestClient[Any], services: Services
) -> None:
    """What is wrong stands there as a sentence with the line, and the line itself."""
    html = f"<p>Hi</p>\n<p><%= recipient.first_name {HOSTILE}</p>\n<p>End</p>"
    broken = create(services.office, Draft("Broken", "news@example.com", "Hi", html))
    text = client.get(f"/deliveries/{broken}/content").text

    assert "html line 2, column 4:" in text
    assert '<span class="here">    2  &lt;p&gt;&lt;%= recipient' in text
    assert "    3  &lt;p&gt;End" in text
    assert HOSTILE not in text
    frame = client.get(f"/deliveries/{broken}/preview")
    assert frame.status_code == 422
    assert "html line 2, column 4:" in frame.text


def test_an_untracked_message_says_so(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """When the analysis had to leave a message without tracking, its page tells why."""
    with services.database.write() as connection:
        deliveries.change(connection, letter, untracked_reason="It is no HTML.")
    text = client.get(f"/deliveries/{letter}/content").text

    assert "without any tracking: It is no HTML." in text


def test_checks_are_part_of_the_diagnostics(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """What the analysis says of the content stands below it, by level."""
    assert "has no link to unsubscribe" in client.get(f"/deliveries/{letter}/content").text
    fresh = create(services.office, Draft("New", "news@example.com", "Hi", HTML))

    assert "Not analysed yet" in client.get(f"/deliveries/{fresh}/content").text


def test_a_button_analyses(client: TestClient[Any], services: Services) -> None:
    """Analysing from the page leads back to where it was asked for, and sends nothing."""
    add_recipients(services, ["John"])
    number = create(services.office, Draft("New", "news@example.com", "Hi", HTML))
    here = f"/deliveries/{number}"
    assert "Analyse</button>" in client.get(here).text
    answer = client.post(
        f"{here}/analyse",
        data={"_csrf_token": csrf(client), "back": "content"},
        follow_redirects=False,
    )
    with services.database.read() as connection:
        delivery = deliveries.get(connection, number)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{here}/content#diagnostics"
    assert delivery.state is DeliveryState.TARGET_READY
    assert "Analyse again</button>" in client.get(here).text


def test_what_was_sent_is_not_analysed(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A delivery that was sent has no such button, and the address refuses with a sentence."""
    with services.database.write() as connection:
        deliveries.change(connection, letter, state=DeliveryState.FINISHED)
    answer = client.post(
        f"/deliveries/{letter}/analyse", data={"_csrf_token": csrf(client)}, follow_redirects=False
    )

    assert answer.status_code == 400
    assert "it cannot be analysed any more" in answer.text
    assert "/analyse" not in client.get(f"/deliveries/{letter}").text


def test_a_change_asks_for_a_new_analysis(
    client: TestClient[Any], services: Services, letter: DeliveryId, clock: Any
) -> None:
    """All pages of a message say when it is not any more what was analysed."""
    views = ("", "/content", "/links", "/properties")
    for view in views:
        assert "Changed since" not in client.get(f"/deliveries/{letter}{view}").text
    clock.advance(60)
    with services.database.write() as connection:
        deliveries.change(
            connection, letter, state=DeliveryState.BEING_EDITED, modified_at=clock.now()
        )

    for view in views:
        assert "Changed since" in client.get(f"/deliveries/{letter}{view}").text
