"""No more mail: by a form, and by one click of a mail client."""

from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import delete, select

from aftersend.database.schema import delivery, recipient
from aftersend.model.enumeration import DeliveryKind
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, Seeded
from tests.support.public_pages import change, token_of


def _denylisted(services: Services) -> set[str]:
    query = select(recipient.c.email).where(recipient.c.is_denylisted)
    with services.database.read() as connection:
        return set(connection.execute(query).scalars())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_changes_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, method: str
) -> None:
    """Who only looks, as scanners of mail do, unsubscribes nobody."""
    answer = visitor.request(method, f"/u/{token_of(seeded)}")

    assert answer.status_code == 200
    assert set() == _denylisted(services)
    assert (answer.text == "") == (method == "HEAD")


def test_the_page_names_sender_and_address(visitor: TestClient[Any], seeded: Seeded) -> None:
    """People see who will stop writing to which address, which strangers cannot read in full."""
    text = visitor.get(f"/u/{token_of(seeded)}").text

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
        f"/u/{token_of(seeded)}", content=body.encode(), headers={"Content-Type": kind}
    )

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert {"john@example.com"} == _denylisted(services)
    assert "set-cookie" not in answer.headers


def test_unsubscribing_twice_is_unsubscribing_once(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The same link works again: for the person after the mail client, and in upper case."""
    token = token_of(seeded)
    answers = [visitor.post(f"/u/{text}") for text in (token, token, token.upper())]

    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert {"john@example.com"} == _denylisted(services)
    assert visitor.get(f"/u/{token}").status_code == 200


def test_the_token_of_a_click_unsubscribes_too(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """A tracked unsubscription link is redirected here with the token that the click had."""
    visitor.post(f"/u/{token_of(seeded, url=seeded.urls[1])}")

    assert {"john@example.com"} == _denylisted(services)


def test_who_is_unsubscribed_already_is_told(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """A person who comes after his mail client has done it is told so, and may come back (F2)."""
    token = token_of(seeded)
    visitor.post(f"/u/{token}", content=b"List-Unsubscribe=One-Click")
    text = visitor.get(f"/u/{token}").text

    assert "You are unsubscribed" in text
    assert "<form" not in text
    assert f'href="/p/{token}"' in text


def test_the_way_to_the_preferences_loses_the_click(
    visitor: TestClient[Any], seeded: Seeded
) -> None:
    """From a click on the link one comes to the preferences with the message's own token."""
    text = visitor.get(f"/u/{token_of(seeded, url=seeded.urls[1])}").text

    assert f'href="/p/{token_of(seeded)}"' in text


@pytest.mark.parametrize("reason", ["seed", "proof"])
def test_a_test_changes_nothing_and_says_so(
    visitor: TestClient[Any], services: Services, seeded: Seeded, reason: str
) -> None:
    """Seed addresses and proofs may press the button: no recipient is meant."""
    if reason == "seed":
        change(services, "message", is_seed=True)
    else:
        change(services, "delivery", kind=DeliveryKind.PROOF)
    answer = visitor.post(f"/u/{token_of(seeded)}")

    assert answer.status_code == 200
    assert "This message is a test: nothing is changed here." in answer.text
    assert set() == _denylisted(services)


def test_who_was_deleted_is_not_written_to_any_more(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The link of somebody who was deleted works as before; there is nothing to choose instead."""
    with services.database.write() as connection:
        connection.execute(delete(recipient))
    answer = visitor.post(f"/u/{token_of(seeded)}")

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert "/p/" not in answer.text


def test_a_hostile_sender_is_harmless(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Markup in the name of a sender is shown as text."""
    with services.database.write() as connection:
        connection.execute(delivery.update().values(sender=f'"{HOSTILE}" <a@example.com>'))

    assert HOSTILE not in visitor.get(f"/u/{token_of(seeded)}").text
