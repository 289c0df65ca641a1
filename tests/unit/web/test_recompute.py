"""Computing deliveries anew, from the list and from one."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.errors import Transient
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_delivery, add_recipients
from tests.support.pages import NAME, Runs, csrf
from tests.support.running import comes_true

PATH = "/deliveries/recompute"


def _press(client: TestClient[Any], **data: Any) -> Any:
    data["_csrf_token"] = csrf(client)
    return client.post(PATH, data=data, follow_redirects=False)


@pytest.fixture
def deliveries(services: Services) -> list[int]:
    """Let there be two deliveries."""
    recipients = add_recipients(services, ["John"])
    labels = ("Spring", f"Summer {HOSTILE}")
    return [add_delivery(services, recipients, label=label).delivery for label in labels]


def test_the_chosen_ones_are_computed(
    client: TestClient[Any], deliveries: list[int], runs: Runs
) -> None:
    """In the name of who asked; the list says when it is done, and the reload asks for nothing."""
    answer = _press(client, delivery=[str(number) for number in deliveries])
    address = answer.headers["location"]
    done = "indicators of 2 deliveries are computed anew"

    assert answer.status_code == 303
    assert comes_true(lambda: done in client.get(address).text, 20)
    assert done in client.get(address).text
    assert runs.recomputed == [(deliveries, NAME)]


def test_one_leads_back_to_its_figures(
    client: TestClient[Any], deliveries: list[int], runs: Runs
) -> None:
    """The button stands beside the figures, and what went wrong is told there."""
    assert 'value="delivery"' in client.get(f"/deliveries/{deliveries[0]}/tracking").text
    runs.error = Transient(f"The lake does not answer {HOSTILE}.")
    address = _press(client, delivery=str(deliveries[0]), back="delivery").headers["location"]

    assert address.startswith(f"/deliveries/{deliveries[0]}/tracking?")
    assert comes_true(lambda: "The lake does not answer" in client.get(address).text, 20)
    assert HOSTILE not in client.get(address).text


@pytest.mark.parametrize("text", ["x", "-1", "99999999999999999999", "1,x", "١"])
def test_what_is_no_delivery_is_refused(
    client: TestClient[Any], deliveries: list[int], runs: Runs, text: str
) -> None:
    """With a sentence, and nothing is computed; the address of the list stands anything."""
    assert _press(client, delivery=text).status_code == 400
    assert client.get("/deliveries", params={"computed": text}).status_code == 200
    assert runs.recomputed == []


def test_unknown_deliveries_are_not_found(client: TestClient[Any], runs: Runs) -> None:
    """One that is not there stops the whole."""
    assert _press(client, delivery="77").status_code == 404
    assert runs.recomputed == []


def test_none_chosen_does_nothing(client: TestClient[Any], runs: Runs) -> None:
    """The list is shown again."""
    answer = _press(client)

    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries")
    assert runs.recomputed == []


def test_a_link_of_a_stranger_shows_no_computation(
    client: TestClient[Any], deliveries: list[int]
) -> None:
    """Only what was asked for here is told of."""
    assert "computed anew" not in client.get("/deliveries?computed=1").text


def test_other_sites_compute_nothing(
    client: TestClient[Any], deliveries: list[int], runs: Runs
) -> None:
    """Without the token of the form it is refused."""
    assert client.post(PATH, data={"delivery": "1"}).status_code == 403
    assert runs.recomputed == []
