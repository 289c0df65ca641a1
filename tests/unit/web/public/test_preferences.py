"""What recipients choose themselves."""

import re
from datetime import datetime
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import delete, select

from aftersend.database.schema import recipient
from aftersend.model.enumeration import DeliveryKind, EmailFormat
from aftersend.platform.clock import ManualClock
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, START, Seeded
from tests.support.pages import NOW
from tests.support.public_pages import change, token_of

TEXT_ONLY = {"mail": "yes", "format": "text"}


def _john(services: Services) -> tuple[EmailFormat, bool, datetime]:
    columns = (recipient.c.format, recipient.c.is_denylisted, recipient.c.modified_at)
    query = select(*columns).where(recipient.c.email == "john@example.com")
    with services.database.read() as connection:
        kind, is_denylisted, at = connection.execute(query).one()
    return EmailFormat(kind), is_denylisted, at


def _chosen(text: str) -> set[str]:
    return set(re.findall(r'value="(\w+)" required checked', text))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, method: str
) -> None:
    """Who only looks, as scanners of mail do, changes nothing."""
    before = _john(services)
    answer = visitor.request(method, f"/p/{token_of(seeded)}")

    assert answer.status_code == 200
    assert before == _john(services)
    assert (answer.text == "") == (method == "HEAD")


def test_the_form_shows_what_was_chosen(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The choices stand as they are kept; strangers cannot read the address in full."""
    assert {"yes", "html"} == _chosen(visitor.get(f"/p/{token_of(seeded)}").text)
    change(services, "recipient", format=EmailFormat.TEXT, is_denylisted=True)
    text = visitor.get(f"/p/{token_of(seeded)}").text

    assert {"no", "text"} == _chosen(text)
    assert "r••••@example.com" in text
    assert f"r{seeded.recipients[0]}." not in text


def test_what_was_chosen_is_kept(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """A POST without cookies, form token or referrer keeps the choice of this one recipient."""
    answer = visitor.post(f"/p/{token_of(seeded)}", data=TEXT_ONLY)

    assert answer.status_code == 200
    assert "Saved." in answer.text
    assert {"yes", "text"} == _chosen(answer.text)
    assert "set-cookie" not in answer.headers
    assert (EmailFormat.TEXT, False, NOW) == _john(services)
    with services.database.read() as connection:
        formats = set(connection.execute(select(recipient.c.format)).scalars())
    assert {EmailFormat.TEXT, EmailFormat.HTML} == formats


def test_saving_twice_is_saving_once(
    visitor: TestClient[Any], services: Services, seeded: Seeded, clock: ManualClock
) -> None:
    """The same choice once more says the same and changes nothing."""
    first = visitor.post(f"/p/{token_of(seeded)}", data=TEXT_ONLY)
    clock.advance(60)
    second = visitor.post(f"/p/{token_of(seeded)}", data=TEXT_ONLY)

    assert first.text == second.text
    assert (EmailFormat.TEXT, False, NOW) == _john(services)


def test_a_format_left_open_stays_open(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Who never chose a format and saves another choice still has none."""
    change(services, "recipient", format=EmailFormat.UNDEFINED)
    visitor.post(f"/p/{token_of(seeded)}", data={"mail": "no", "format": "html"})

    assert (EmailFormat.UNDEFINED, True, NOW) == _john(services)


def test_who_unsubscribed_may_come_back(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The recipient himself takes back what he said."""
    visitor.post(f"/u/{token_of(seeded)}")
    visitor.post(f"/p/{token_of(seeded)}", data={"mail": "yes", "format": "html"})

    assert (EmailFormat.HTML, False, NOW) == _john(services)
    assert "Unsubscribe?" in visitor.get(f"/u/{token_of(seeded)}").text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"mail": "yes"},
        {"mail": "maybe", "format": "html"},
        {"mail": "yes", "format": "pdf"},
        {"mail": ["yes", "no"], "format": "text"},
    ],
)
def test_nonsense_is_refused(
    visitor: TestClient[Any], services: Services, seeded: Seeded, form: dict[str, Any]
) -> None:
    """A form that is not ours changes nothing and gets a page without a way into the house."""
    before = _john(services)
    answer = visitor.post(f"/p/{token_of(seeded)}", data=form)

    assert answer.status_code == 400
    assert before == _john(services)
    assert "<a " not in answer.text


@pytest.mark.parametrize("reason", ["seed", "proof"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_test_shows_the_form_and_keeps_nothing(
    visitor: TestClient[Any], services: Services, seeded: Seeded, reason: str, method: str
) -> None:
    """Seed addresses and proofs see the form, and that it changes nothing."""
    if reason == "seed":
        change(services, "message", is_seed=True)
    else:
        change(services, "delivery", kind=DeliveryKind.PROOF)
    form = TEXT_ONLY if method == "POST" else None
    answer = visitor.request(method, f"/p/{token_of(seeded)}", data=form)

    assert answer.status_code == 200
    assert "This message is a test: nothing is changed here." in answer.text
    assert "Saved" not in answer.text
    assert (EmailFormat.HTML, False, START) == _john(services)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_who_was_deleted_has_nothing_to_choose(
    visitor: TestClient[Any], services: Services, seeded: Seeded, method: str
) -> None:
    """When the recipient was deleted, one sentence says so."""
    with services.database.write() as connection:
        connection.execute(delete(recipient))
    form = TEXT_ONLY if method == "POST" else None
    answer = visitor.request(method, f"/p/{token_of(seeded)}", data=form)

    assert answer.status_code == 410
    assert ("Your address is not kept any more" in answer.text) == (method != "HEAD")


def test_a_hostile_sender_is_harmless(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Markup in the name of a sender is shown as text."""
    change(services, "delivery", sender=f'"{HOSTILE}" <a@example.com>')

    assert HOSTILE not in visitor.get(f"/p/{token_of(seeded)}").text
