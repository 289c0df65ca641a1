"""Logging in and out."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import operators
from aftersend.platform.clock import ManualClock
from aftersend.web.login import COOKIE
from aftersend.web.services import Services
from tests.support.pages import NAME, PASSWORD, csrf, log_in


def _try(client: TestClient[Any], password: str, **more: str) -> int:
    form = {"name": NAME, "password": password, "_csrf_token": csrf(client), **more}
    return client.post("/login", data=form, follow_redirects=False).status_code


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/deliveries",
        "/deliveries/1",
        "/deliveries/1/tracking",
        "/recipients",
        "/recipients/1",
        "/workflows",
        "/workflows/tracking",
        "/account",
    ],
)
def test_pages_are_behind_the_log_in(visitor: TestClient[Any], path: str) -> None:
    """A stranger who asks for a page is sent to the log-in page, and told nothing."""
    answer = visitor.get(path, follow_redirects=False)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login")
    assert answer.text == ""


def test_the_log_in_leads_back(visitor: TestClient[Any]) -> None:
    """After the log-in people come to the page that they wanted, parameters and all."""
    login = visitor.get("/recipients?q=ada&offset=0", follow_redirects=False).headers["location"]
    visitor.get(login)

    answer = visitor.post(
        "/login",
        data={
            "name": NAME,
            "password": PASSWORD,
            "next": "/recipients?q=ada&offset=0",
            "_csrf_token": csrf(visitor),
        },
        follow_redirects=False,
    )
    assert login == "/login?next=%2Frecipients%3Fq%3Dada%26offset%3D0"
    assert answer.headers["location"] == "/recipients?q=ada&offset=0"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", ""]
)
def test_the_log_in_never_leads_elsewhere(visitor: TestClient[Any], path: str) -> None:
    """An address of another site in the link to the log-in page is not followed."""
    answer = visitor.post(
        "/login",
        data={"name": NAME, "password": PASSWORD, "next": path, "_csrf_token": csrf(visitor)},
        follow_redirects=False,
    )

    assert answer.headers["location"] == "/"


def test_a_wrong_password_is_refused(visitor: TestClient[Any]) -> None:
    """A wrong password begins no session, keeps the name in the form, and says little."""
    answer = visitor.post(
        "/login", data={"name": NAME, "password": "guess", "_csrf_token": csrf(visitor)}
    )

    assert answer.status_code == 401
    assert "do not fit together" in answer.text
    assert f'value="{NAME}"' in answer.text
    assert COOKIE not in visitor.cookies


def test_guessing_is_slowed_down(visitor: TestClient[Any], clock: ManualClock) -> None:
    """After ten failures nobody at this address may try for a minute, password or not."""
    tries = [_try(visitor, "guess") for _ in range(10)]

    assert tries == [401] * 10
    assert _try(visitor, PASSWORD) == 429
    clock.advance(61)
    assert _try(visitor, PASSWORD) == 303


def test_a_form_without_our_token_is_refused(visitor: TestClient[Any]) -> None:
    """A log-in that another site sends in somebody's name is refused."""
    answer = visitor.post("/login", data={"name": NAME, "password": PASSWORD})

    assert answer.status_code == 403
    assert "has expired" in answer.text


def test_the_cookie_is_kept_from_scripts_and_other_sites(visitor: TestClient[Any]) -> None:
    """The session's cookie is HttpOnly and SameSite=Lax."""
    answer = visitor.post(
        "/login",
        data={"name": NAME, "password": PASSWORD, "_csrf_token": csrf(visitor)},
        follow_redirects=False,
    )

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_session_ends_at_log_out(client: TestClient[Any]) -> None:
    """After log-out the old cookie opens nothing, wherever it was kept."""
    kept = client.cookies[COOKIE]
    client.post("/logout", data={"_csrf_token": csrf(client)}, follow_redirects=False)
    client.cookies.set(COOKIE, kept)

    assert client.get("/workflows", follow_redirects=False).status_code == 302


def test_a_session_ends_by_itself(client: TestClient[Any], clock: ManualClock) -> None:
    """A session ends after the hours that are set."""
    assert client.get("/workflows").status_code == 200
    clock.advance(12 * 3600)

    assert client.get("/workflows", follow_redirects=False).status_code == 302


def test_a_session_ends_with_the_password(client: TestClient[Any], services: Services) -> None:
    """Whoever changes a password on the server ends the sessions that the old one began."""
    with services.database.write() as connection:
        operators.change_password(connection, name=NAME, password="analytical engine")

    assert client.get("/workflows", follow_redirects=False).status_code == 302


def test_an_operator_changes_the_password(client: TestClient[Any]) -> None:
    """With the current password an operator sets a new one and logs in with it."""
    form = {"current": PASSWORD, "new": "analytical engine", "again": "analytical engine"}
    answer = client.post(
        "/account", data={**form, "_csrf_token": csrf(client)}, follow_redirects=False
    )

    assert answer.headers["location"] == "/login"
    assert client.get("/workflows", follow_redirects=False).status_code == 302
    log_in(client, password="analytical engine")


@pytest.mark.parametrize(
    ("current", "new", "again", "problem"),
    [
        ("guess", "analytical engine", "analytical engine", "current password is wrong"),
        (PASSWORD, "analytical engine", "analytic engine", "passwords differ"),
        (PASSWORD, "short", "short", "8 to 1024 characters"),
    ],
)
def test_a_bad_new_password_is_explained(
    client: TestClient[Any], current: str, new: str, again: str, problem: str
) -> None:
    """A password that cannot be changed stays, and the page says why."""
    form = {"current": current, "new": new, "again": again, "_csrf_token": csrf(client)}
    answer = client.post("/account", data=form)

    assert problem in answer.text
    assert _try(client, PASSWORD) == 303


def test_a_piece_of_a_page_sends_the_whole_page_to_the_log_in(visitor: TestClient[Any]) -> None:
    """When a session has ended, what htmx asks for makes the browser go to the log-in page."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://app.example/workflows?a=1"}
    answer = visitor.get("/workflows", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login?next=%2Fworkflows%3Fa%3D1"


def test_a_cookie_from_elsewhere_opens_nothing(
    visitor: TestClient[Any], services: Services
) -> None:
    """Neither a made-up id nor a path in the cookie reads anything."""
    services.sessions.mkdir(exist_ok=True)
    for text in ("0" * 64, "../a", "", "null"):
        visitor.cookies.set(COOKIE, text)

        assert visitor.get("/workflows", follow_redirects=False).status_code == 302
