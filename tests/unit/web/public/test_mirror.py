"""The web copy of a message, as its recipient opens it."""

from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import delete

from aftersend.database.schema import recipient
from aftersend.model.enumeration import DeliveryKind
from aftersend.platform.clock import ManualClock
from aftersend.web.services import Services
from tests.support.page_seed import START, Seeded
from tests.support.pages import NOW
from tests.support.public_pages import change, token_of


def test_a_mirror_page_is_the_message_of_its_recipient(
    visitor: TestClient[Any], seeded: Seeded
) -> None:
    """A mirror page is personal, its links are tracked, and it brings no pixel."""
    answer = visitor.get(f"/m/{token_of(seeded)}")

    assert answer.status_code == 200
    assert "Hello John" in answer.text
    assert 'href="http://t.example/r/' in answer.text
    assert ".gif" not in answer.text


def test_a_mirror_page_is_locked_in(visitor: TestClient[Any], seeded: Seeded) -> None:
    """What an author wrote runs no script and has not our origin; search engines stay away."""
    headers = visitor.get(f"/m/{token_of(seeded)}").headers

    policy = headers["content-security-policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert headers["x-robots-tag"] == "noindex, nofollow"


def test_a_mirror_page_answers_head(visitor: TestClient[Any], seeded: Seeded) -> None:
    """HEAD tells what GET would, without a body."""
    answer = visitor.head(f"/m/{token_of(seeded)}")

    assert (answer.status_code, answer.text) == (200, "")


def test_a_recipient_who_was_deleted_has_no_mirror_page(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """The web copy goes with the recipient."""
    with services.database.write() as connection:
        connection.execute(delete(recipient))

    assert visitor.get(f"/m/{token_of(seeded)}").status_code == 404


def test_proofs_say_that_the_page_is_inactive(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Who tries the mirror link of a proof learns why it shows nothing (spec 3.14)."""
    change(services, "delivery", kind=DeliveryKind.PROOF)
    answer = visitor.get(f"/m/{token_of(seeded)}")

    assert answer.status_code == 404
    assert "The mirror page is inactive in proofs." in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_mirror_page_ends(
    visitor: TestClient[Any],
    services: Services,
    seeded: Seeded,
    clock: ManualClock,
    method: str,
) -> None:
    """With the validity of its resources the page is over, to the second, and says so."""
    lasts = NOW - START + timedelta(seconds=1)
    change(services, "delivery", resources_s=int(lasts.total_seconds()))
    before = visitor.request(method, f"/m/{token_of(seeded)}")
    clock.advance(1)
    after = visitor.request(method, f"/m/{token_of(seeded)}")

    assert (before.status_code, after.status_code) == (200, 410)
    assert ("limited time" in after.text) == (method == "GET")


def test_a_content_that_cannot_be_shown_is_no_failure(
    visitor: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """A content that was broken since gets the page of what cannot be shown."""
    change(services, "content", html="<p><%= recipient. %></p>")

    assert visitor.get(f"/m/{token_of(seeded)}").status_code == 404
