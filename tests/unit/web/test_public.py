"""Pages for recipients."""

from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import delete, select

from aftersend.database.schema import delivery, message, recipient
from aftersend.model.enumeration import Part
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token, encode
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, Seeded, add_delivery, add_recipients
from tests.support.pages import KEYS

FORGED = KeyRing({1: b"f" * 16})


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Give a delivery to two recipients."""
    return add_delivery(services, add_recipients(services, ["John", "Marie"]))


def _token(seeded: Seeded, *, keys: KeyRing = KEYS, url: int = 0) -> str:
    return encode(
        Token(Part.HTML, DeliveryId(seeded.delivery), MessageId(seeded.messages[0]), UrlId(url)),
        keys=keys,
    )


def _denylisted(services: Services) -> set[str]:
    query = select(recipient.c.email).where(recipient.c.is_denylisted)
    with services.database.read() as connection:
        return set(connection.execute(query).scalars())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_changes_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, method: str
) -> None:
    """Who only looks, as scanners of mail do, unsubscribes nobody."""
    answer = visitor.request(method, f"/u/{_token(seeded)}")

    assert answer.status_code == 200
    assert set() == _denylisted(services)
    assert (answer.text == "") == (method == "HEAD")


def test_the_page_names_sender_and_address(visitor: TestClient[Any], seeded: Seeded) -> None:
    """People see who will stop writing to which address, which strangers cannot read in full."""
    text = visitor.get(f"/u/{_token(seeded)}").text

    assert "Aftersend will not write to" in text
    assert "r••••@example.com" in text
    assert f"r{seeded.recipients[0]}." not in text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        ("", "application/x-www-form-urlencoded"),
        ('--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--',
         "multipart/form-data; boundary=x"),
        ("List-Unsubscribe=One-Click", "text/plain"),
    ],
)  # fmt: skip
def test_a_post_unsubscribes_at_once(
    visitor: TestClient[Any], services: Services, seeded: Seeded, body: str, kind: str
) -> None:
    """A POST without cookies, form token or referrer acts, whatever its body is called."""
    answer = visitor.post(
        f"/u/{_token(seeded)}", content=body.encode(), headers={"Content-Type": kind}
    )

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert {"john@example.com"} == _denylisted(services)
    assert "set-cookie" not in answer.headers


def test_unsubscribing_twice_is_unsubscribing_once(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The same link works again: for the person after the mail client, and in upper case."""
    token = _token(seeded)
    answers = [visitor.post(f"/u/{text}") for text in (token, token, token.upper())]

    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert {"john@example.com"} == _denylisted(services)
    assert visitor.get(f"/u/{token}").status_code == 200


def test_the_token_of_a_click_unsubscribes_too(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """A tracked unsubscription link is redirected here with the token that the click had."""
    visitor.post(f"/u/{_token(seeded, url=seeded.urls[1])}")

    assert {"john@example.com"} == _denylisted(services)


@pytest.mark.parametrize(
    ("page", "method"), [("u", "GET"), ("u", "HEAD"), ("u", "POST"), ("m", "GET"), ("m", "HEAD")]
)
def test_a_foreign_token_opens_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, page: str, method: str
) -> None:
    """A token that we did not sign, or that is no token, gets a friendly 404 without links."""
    for token in (_token(seeded, keys=FORGED), "nothing", "a" * 9000, "%00", "..%2f", "é"):
        answer = visitor.request(method, f"/{page}/{token}")

        assert answer.status_code == 404
        assert "<a " not in answer.text
    assert set() == _denylisted(services)


@pytest.mark.parametrize("page", ["u", "m"])
def test_a_message_that_is_gone_is_no_failure(
    visitor: TestClient[Any], services: Services, seeded: Seeded, page: str
) -> None:
    """When the message was deleted, its links lead to a friendly 404."""
    with services.database.write() as connection:
        connection.execute(delete(message))

    assert visitor.get(f"/{page}/{_token(seeded)}").status_code == 404


def test_a_mirror_page_is_the_message_of_its_recipient(
    visitor: TestClient[Any], seeded: Seeded
) -> None:
    """A mirror page is personal, its links are tracked, and it brings no pixel."""
    answer = visitor.get(f"/m/{_token(seeded)}")

    assert answer.status_code == 200
    assert "Hello John" in answer.text
    assert 'href="http://t.example/r/' in answer.text
    assert ".gif" not in answer.text


def test_a_mirror_page_is_locked_in(visitor: TestClient[Any], seeded: Seeded) -> None:
    """What an author wrote runs no script and has not our origin; search engines stay away."""
    headers = visitor.get(f"/m/{_token(seeded)}").headers

    policy = headers["content-security-policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert headers["x-robots-tag"] == "noindex, nofollow"


def test_a_mirror_page_answers_head(visitor: TestClient[Any], seeded: Seeded) -> None:
    """HEAD tells what GET would, without a body."""
    answer = visitor.head(f"/m/{_token(seeded)}")

    assert (answer.status_code, answer.text) == (200, "")


def test_a_recipient_who_was_deleted_has_no_mirror_page(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The web copy goes with the recipient."""
    with services.database.write() as connection:
        connection.execute(delete(recipient))

    assert visitor.get(f"/m/{_token(seeded)}").status_code == 404


def test_a_hostile_sender_is_harmless(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Markup in the name of a sender is shown as text."""
    with services.database.write() as connection:
        connection.execute(delivery.update().values(sender=f'"{HOSTILE}" <a@example.com>'))

    assert HOSTILE not in visitor.get(f"/u/{_token(seeded)}").text
