"""A message as it is shared, and the ways to share it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from litestar.testing import TestClient

from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, Seeded
from tests.support.public_pages import change, token_of

HTML = (
    "<p>Hello <%= recipient.first_name %>!<% if (recipient.first_name) { %> Secret<% } %>"
    ' <a href="https://www.example.com/shop?who=<%= escapeUrl(recipient.email) %>">Shop</a>'
    " <%@ include view='UnsubscriptionLink' %> <%@ include view='MirrorPage' %>"
    " <%@ include view='ManagePreferences' %></p>"
)


@pytest.fixture
def nobody(services: Services, seeded: Seeded) -> str:
    """Give the token that strangers get, of a message with much of its recipient in it."""
    change(services, "content", html=HTML)
    return token_of(seeded, message=0)


def test_a_shared_page_says_nothing_of_the_recipient(
    visitor: TestClient[Any], seeded: Seeded, nobody: str
) -> None:
    """Fields are empty, conditions see nobody, and no token of the recipient is in it."""
    text = visitor.get(f"/s/{nobody}").text

    assert "Hello !" in text
    assert "Secret" not in text
    assert "https://www.example.com/shop?who=" in text
    assert "john" not in text.lower()
    assert "/r/" not in text
    assert token_of(seeded) not in text


def test_links_of_the_recipient_lead_to_the_page_itself(
    visitor: TestClient[Any], nobody: str
) -> None:
    """A stranger who presses Unsubscribe in a shared message unsubscribes nobody."""
    text = visitor.get(f"/s/{nobody}").text

    assert text.count(f'href="http://app.example/s/{nobody}"') == 3
    assert not [page for page in ("/m/", "/p/", "/u/") if page in text]


@pytest.mark.parametrize("behind", ["", "/email"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_recipient_is_led_to_an_address_that_is_not_his(
    visitor: TestClient[Any], seeded: Seeded, nobody: str, behind: str, method: str
) -> None:
    """What he copies from his browser says nothing of him."""
    address = f"/s/{token_of(seeded, url=seeded.urls[0])}{behind}"
    answer = visitor.request(method, address, follow_redirects=False)

    assert answer.status_code == 302
    assert answer.headers["location"] == f"/s/{nobody}{behind}"


@pytest.mark.parametrize(
    ("network", "host", "name"),
    [
        ("facebook", "www.facebook.com", "u"),
        ("linkedin", "www.linkedin.com", "url"),
        ("twitter", "x.com", "url"),
    ],
)
def test_a_network_gets_the_address_of_nobody(
    visitor: TestClient[Any], seeded: Seeded, nobody: str, network: str, host: str, name: str
) -> None:
    """A network is told where the shared page is, and not who shares it."""
    answer = visitor.get(f"/s/{token_of(seeded)}/{network}", follow_redirects=False)
    target = urlsplit(answer.headers["location"])

    assert answer.status_code == 302
    assert (target.scheme, target.netloc) == ("https", host)
    assert {name: [f"http://app.example/s/{nobody}"]} == parse_qs(target.query)


def test_there_is_no_network_of_that_name(visitor: TestClient[Any], nobody: str) -> None:
    """Nobody is sent to a place that we do not know."""
    for name in ("friendster", "https:%2F%2Fevil.example", "FACEBOOK"):
        assert visitor.get(f"/s/{nobody}/{name}", follow_redirects=False).status_code == 404


def test_an_email_is_written_by_the_visitors_own_program(
    visitor: TestClient[Any], services: Services, nobody: str
) -> None:
    """The button carries subject and address, percent-encoded; the address can be copied."""
    change(services, "delivery", subject="50% off & more: <%= recipient.first_name %>")
    text = visitor.get(f"/s/{nobody}/email").text
    address = f"http://app.example/s/{nobody}"

    body = f"http%3A%2F%2Fapp.example%2Fs%2F{nobody}"
    assert f'href="mailto:?subject=50%25%20off%20%26%20more%3A&amp;body={body}"' in text
    assert f'value="{address}" readonly' in text


def test_a_hostile_subject_is_harmless(visitor: TestClient[Any], nobody: str) -> None:
    """Markup in a subject is shown as text."""
    assert HOSTILE not in visitor.get(f"/s/{nobody}/email").text


@pytest.mark.parametrize("way", ["", "/email", "/facebook"])
@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"mirror_mode": "none"}, 404),
        ({"mirror_mode": "by-message"}, 404),
        ({"kind": 1}, 404),
        ({"contact_at": None}, 404),
        ({"resources_s": 1}, 410),
    ],
)
def test_what_is_not_public_is_not_shared(
    visitor: TestClient[Any],
    services: Services,
    nobody: str,
    way: str,
    values: dict[str, Any],
    status: int,
) -> None:
    """Shared pages are there as long as mirror pages are."""
    before = visitor.get(f"/s/{nobody}{way}", follow_redirects=False).status_code
    change(services, "delivery", **values)

    assert before in (200, 302)
    assert visitor.get(f"/s/{nobody}{way}", follow_redirects=False).status_code == status


@pytest.mark.parametrize("way", ["", "/email"])
def test_a_message_that_nobody_can_read_is_not_shared(
    visitor: TestClient[Any], services: Services, nobody: str, way: str
) -> None:
    """A script that fails without a recipient gives the page of what is not there."""
    change(services, "content", html="<p><% if (!recipient.email) throw 'who?' %>Hi</p>")

    assert visitor.get(f"/s/{nobody}{way}").status_code == 404
