"""What all public pages have in common."""

from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import delete

from aftersend.database.schema import message
from aftersend.web.services import Services
from tests.support.page_seed import Seeded
from tests.support.public_pages import FORGED, add_link, change, token_of

PAGES = ("u", "m", "p", "s")
SHARED = "https://www.facebook.com/sharer/sharer.php?u=http%3A%2F%2Fapp.example%2Fs%2F"


@pytest.mark.parametrize(
    ("page", "method"),
    [
        *((page, method) for page in PAGES for method in ("GET", "HEAD")),
        ("u", "POST"),
        ("p", "POST"),
    ],
)
def test_a_foreign_token_opens_nothing(
    visitor: TestClient[Any], seeded: Seeded, page: str, method: str
) -> None:
    """A token that we did not sign, or that is no token, gets a friendly 404 without links."""
    form = {"mail": "no", "format": "text"} if method == "POST" else None
    for token in (token_of(seeded, keys=FORGED), "nothing", "a" * 9000, "%00", "é"):
        answer = visitor.request(method, f"/{page}/{token}", data=form)

        assert answer.status_code == 404
        assert "<a " not in answer.text
        assert (answer.text == "") == (method == "HEAD")


@pytest.mark.parametrize("page", ["u", "m", "p"])
def test_a_message_that_is_gone_is_no_failure(
    visitor: TestClient[Any], services: Services, seeded: Seeded, page: str
) -> None:
    """When the message was deleted, its links lead to a friendly 404."""
    with services.database.write() as connection:
        connection.execute(delete(message))

    assert visitor.get(f"/{page}/{token_of(seeded)}").status_code == 404


@pytest.mark.parametrize("page", ["u", "m", "p"])
def test_the_token_of_nobody_opens_no_page_of_a_recipient(
    visitor: TestClient[Any], seeded: Seeded, page: str
) -> None:
    """With the address that was shared nobody reads or changes what is the recipient's."""
    assert visitor.get(f"/{page}/{token_of(seeded, message=0)}").status_code == 404


@pytest.mark.parametrize("page", ["u", "m", "p"])
@pytest.mark.parametrize(
    "source", [f"{SHARED}<%= message.token %>", "http://a/s/<%= message.token %>"]
)
def test_the_token_of_a_share_link_proves_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, page: str, source: str
) -> None:
    """An author who sends the token itself to a network gives away no page of the recipient."""
    url = add_link(services, seeded, source)

    assert visitor.get(f"/{page}/{token_of(seeded, url=url)}").status_code == 404
    assert visitor.get(f"/{page}/{token_of(seeded, url=seeded.urls[0])}").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_no_page_keeps_anything_in_the_browser(
    visitor: TestClient[Any], seeded: Seeded, page: str
) -> None:
    """No cookie, no copy in a cache, no script, no address of ours on the way out, no robots."""
    token = token_of(seeded, message=0) if page == "s" else token_of(seeded)
    answer = visitor.get(f"/{page}/{token}")

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert "<script" not in answer.text


def test_trouble_is_told_to_people_who_know_nothing_of_us(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """When we fail, recipients get a page without a way into the house."""
    change(services, "delivery", mirror_mode="no such mode")
    answer = visitor.get(f"/m/{token_of(seeded)}")

    assert answer.status_code == 500
    assert "Try again in a few minutes." in answer.text
    assert "<a " not in answer.text
