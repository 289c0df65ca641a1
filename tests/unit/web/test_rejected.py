"""Rejected lines on their page."""

from typing import Any

import pyarrow as pa
import pytest
from litestar.testing import TestClient

from aftersend.errors import Transient
from aftersend.model.ids import ServerId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE
from tests.support.pages import NAME, Runs, csrf
from tests.support.running import comes_true

PATH = "/rejected"


def _reject(services: Services, *lines: tuple[str, bytes]) -> None:
    columns = {
        "segment": [f"seg{HOSTILE}"] * len(lines),
        "offset": pa.array(range(0, 100 * len(lines), 100), pa.int64()),
        "reason": [reason for reason, _ in lines],
        "bytes": pa.array([data for _, data in lines], pa.binary()),
    }
    services.lake.append_rejected(pa.table(columns), server=ServerId("1"))


def _retry(client: TestClient[Any], reason: str) -> Any:
    data = {"reason": reason, "_csrf_token": csrf(client)}
    return client.post(f"{PATH}/retry", data=data, follow_redirects=False)


def test_reasons_are_counted_and_explained(client: TestClient[Any], services: Services) -> None:
    """How many, what it means, what to do; one reason alone can be listed."""
    _reject(services, ("shape", b"first"), ("unresolved", b"second"), ("unresolved", b"third"))
    text = " ".join(client.get(PATH).text.split())
    one = client.get(f"{PATH}?reason=shape").text

    for expected in ("3 lines in all", "Misshapen", "Waits for its message", "Repair it and load"):
        assert expected in text
    assert "first" in one
    assert "second" not in one


def test_bytes_are_harmless(client: TestClient[Any], services: Services) -> None:
    """Whatever a stranger had written: neither markup nor control characters, and not too much."""
    data = HOSTILE.encode() + b"\x00\xff\r\n\x1b[31m\\" + b"z" * 5000
    _reject(services, ("shape", data), (HOSTILE, b"odd"))
    text = client.get(PATH).text

    assert HOSTILE not in text
    assert "\\x00\\xff\\x0d\\x0a\\x1b[31m\\x5c" in text
    assert "z" * 301 not in text
    assert not set(text) & {"\x00", "\x1b", "\xff"}


def test_lines_are_tried_again(client: TestClient[Any], services: Services, runs: Runs) -> None:
    """By reason, in the name of who asks; what came of it adds up on the page."""
    _reject(services, ("unresolved", b"x"))
    answer = _retry(client, "unresolved")
    address = answer.headers["location"]

    assert (answer.status_code, address) == (303, f"{PATH}?tried=unresolved")
    assert comes_true(lambda: "adds up" in client.get(address).text, 20)
    text = " ".join(client.get(address).text.split())
    assert "<b>2</b> loaded" in text
    assert "Waits for its message: tried again" in text
    assert runs.retried == [("unresolved", NAME)]
    _retry(client, "")
    assert comes_true(lambda: runs.retried[1:] == [("", NAME)], 20)


def test_what_went_wrong_is_told(client: TestClient[Any], runs: Runs) -> None:
    """A lake that does not answer leaves everything where it was."""
    runs.error = Transient(f"The lake does not answer {HOSTILE}.")
    address = _retry(client, "shape").headers["location"]

    assert comes_true(lambda: "The lake does not answer" in client.get(address).text, 20)
    assert HOSTILE not in client.get(address).text


@pytest.mark.parametrize("reason", ["nothing", HOSTILE, "x" * 300])
def test_only_reasons_that_there_are(client: TestClient[Any], runs: Runs, reason: str) -> None:
    """Others are not found, nothing is tried; the address of the page stands anything."""
    assert _retry(client, reason).status_code == 404
    answer = client.get(PATH, params={"reason": reason, "tried": reason})
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
    assert runs.retried == []


def test_without_rejected_lines_the_page_says_so(client: TestClient[Any]) -> None:
    """And offers nothing to press."""
    text = client.get(PATH).text

    assert "No line is rejected" in text
    assert "/rejected/retry" not in text


def test_other_sites_try_nothing(
    client: TestClient[Any], visitor: TestClient[Any], runs: Runs
) -> None:
    """Without the token of the form it is refused."""
    assert client.post(f"{PATH}/retry", data={"reason": "shape"}).status_code == 403
    assert runs.retried == []
