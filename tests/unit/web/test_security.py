"""What every answer tells browsers."""

from typing import Any

import pytest
from litestar.testing import TestClient

PUBLIC = ["/login", "/health", "/metrics", "/robots.txt", "/nothing", "/u/nothing", "/m/nothing"]


@pytest.mark.parametrize("path", [*PUBLIC, "/static/aftersend.css", "/deliveries"])
def test_every_answer_is_hardened(visitor: TestClient[Any], path: str) -> None:
    """Answers of all kinds, failures included, forbid scripts of others, framing and sniffing."""
    headers = visitor.get(path, follow_redirects=False).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize("path", [path for path in PUBLIC if path != "/login"])
def test_public_addresses_set_no_cookies(visitor: TestClient[Any], path: str) -> None:
    """Nobody gets a cookie but who logs in."""
    answer = visitor.get(path, follow_redirects=False)

    assert "set-cookie" not in answer.headers


def test_pages_are_not_kept(client: TestClient[Any]) -> None:
    """Pages are kept by no browser; styles and scripts are, for a year."""
    assert client.get("/workflows").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/aftersend.css").headers["cache-control"]


def test_no_page_holds_code_of_its_own(client: TestClient[Any]) -> None:
    """Pages bring no script, no style and no handler in their text: the policy forbids them."""
    for path in ("/login", "/deliveries", "/recipients", "/workflows", "/account", "/nothing"):
        text = client.get(path).text

        assert "<script>" not in text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/nothing"])
def test_static_files_end_at_their_folder(visitor: TestClient[Any], path: str) -> None:
    """Nothing outside the folder of styles and scripts can be read."""
    assert visitor.get(path).status_code == 404


def test_a_fault_of_ours_shows_no_traceback(
    client: TestClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When we break, people get a page in the usual look, and no inner workings."""

    def fail(*_: object) -> None:
        raise RuntimeError("inner workings")

    monkeypatch.setattr("aftersend.workflow.supervision.overviews", fail)
    answer = client.get("/workflows", headers={"Accept": "text/html"})

    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "inner workings" not in answer.text
    assert "Traceback" not in answer.text


def test_machines_get_plain_words(visitor: TestClient[Any]) -> None:
    """Who does not want HTML gets the same sentence as text."""
    answer = visitor.get("/nothing", headers={"Accept": "application/json"})

    assert answer.status_code == 404
    assert answer.text == "There is nothing here. The page was never here, or is gone.\n"
