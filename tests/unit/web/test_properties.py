"""The properties of a delivery: what the form keeps, and what it says is wrong."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import deliveries
from aftersend.database.deliveries import Delivery
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.model.enumeration import DeliveryState, MirrorMode, PixelPlace
from aftersend.model.ids import DeliveryId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_recipients
from tests.support.pages import csrf

FORM = {
    "is_tracked": "yes",
    "is_open_tracked": "yes",
    "pixel": "bottom",
    "validity_s": "0",
    "validity_s_unit": "days",
    "substitution_url": "",
    "mirror_mode": "if-linked",
    "resources_s": "0",
    "resources_s_unit": "days",
    "click_formula": "",
    "open_formula": "",
    "link_parameters": "",
}


@pytest.fixture
def letter(services: Services) -> DeliveryId:
    """Give an analysed message."""
    add_recipients(services, ["John"])
    html = '<a href="https://shop.example/">Shop</a>'
    number = create(services.office, Draft("Lamps", "news@example.com", "Hi", html))
    analyse(services.office, number)
    return number


def save(client: TestClient[Any], letter: DeliveryId, **changes: str) -> Any:
    """Send the form with some values changed."""
    data = {"_csrf_token": csrf(client), **FORM, **changes}
    sent = {name: value for name, value in data.items() if value != "not sent"}
    return client.post(f"/deliveries/{letter}/properties", data=sent)


def stored(services: Services, letter: DeliveryId) -> Delivery:
    """Give a delivery as it is kept."""
    with services.database.read() as connection:
        return deliveries.get(connection, letter)


def test_everything_is_kept(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """Each field is stored and shown again as it was typed."""
    answer = save(
        client,
        letter,
        is_open_tracked="not sent",
        pixel="top",
        validity_s="36",
        validity_s_unit="hours",
        substitution_url="https://www.example.com/over",
        mirror_mode="force",
        resources_s="30",
        link_parameters="utm_source=news",
    )
    delivery = stored(services, letter)

    assert "Saved." in answer.text
    assert (delivery.is_tracked, delivery.is_open_tracked) == (True, False)
    assert (delivery.validity_s, delivery.resources_s) == (36 * 3600, 30 * 86_400)
    assert delivery.substitution_url == "https://www.example.com/over"
    assert delivery.pixel is PixelPlace.TOP
    assert delivery.mirror_mode is MirrorMode.FORCE
    assert delivery.link_parameters == "utm_source=news"
    assert 'value="36"' in answer.text
    assert "<option selected>hours</option>" in answer.text
    assert "utm_source=news</textarea>" in answer.text


def test_without_a_change_nothing_is_done(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A form that is sent as it was needs no new analysis."""
    save(client, letter)

    assert stored(services, letter).state is DeliveryState.TARGET_READY


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("validity_s", "-1", "Write a whole number"),
        ("validity_s", "ever", "Write a whole number"),
        ("validity_s", "٣", "Write a whole number"),
        ("validity_s_unit", "moons", "Write a whole number"),
        ("resources_s", "99999999", "up to 100 years"),
        ("substitution_url", "over there", "is no address that people can be sent to"),
        ("pixel", "middle", "Choose one of the list."),
        ("mirror_mode", HOSTILE, "Choose one of the list."),
    ],
)
def test_what_cannot_be_is_told_beside_its_field(
    client: TestClient[Any],
    services: Services,
    letter: DeliveryId,
    name: str,
    value: str,
    sentence: str,
) -> None:
    """Nothing is stored, the field is marked, and what was typed elsewhere stays."""
    answer = save(client, letter, **{name: value, "link_parameters": "utm_source=kept"})
    field = name.removesuffix("_unit")

    assert answer.status_code == 422
    assert sentence in answer.text.split(f'id="{field}-error" role="alert"')[1][:600]
    assert "utm_source=kept</textarea>" in answer.text
    assert HOSTILE not in answer.text
    assert stored(services, letter).link_parameters == ""


def test_after_sending_only_the_end_may_be_moved(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """Then how long links last and where they lead is open, and the rest is refused and kept."""
    with services.database.write() as connection:
        deliveries.change(connection, letter, state=DeliveryState.FINISHED)
    page = client.get(f"/deliveries/{letter}/properties").text
    assert page.split('id="pixel"')[1].split(">")[0].rstrip().endswith("disabled")
    assert "disabled" not in page.split('id="validity_s"')[1].split(">")[0]
    sent = {name: "not sent" for name in FORM if not name.startswith(("validity", "substitution"))}
    sent |= {"validity_s": "2", "substitution_url": "https://www.example.com/over"}
    answer = save(client, letter, **sent)
    delivery = stored(services, letter)

    assert "Saved." in answer.text
    assert delivery.validity_s == 2 * 86_400
    assert delivery.is_tracked
    assert delivery.is_open_tracked
    refused = save(client, letter, **{**sent, "pixel": "top"})
    assert refused.status_code == 422
    assert "can still be changed" in refused.text
    assert stored(services, letter).pixel is PixelPlace.BOTTOM


def test_a_brand_is_chosen_where_there_are_some(
    client: TestClient[Any], branded: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """With the host that its links lead to; an instance without brands does not ask."""
    page = branded.get(f"/deliveries/{letter}/properties").text
    save(branded, letter, brand="pier")
    chosen = stored(services, letter).brand
    unknown = save(branded, letter, brand="harbour")
    save(branded, letter, brand="")

    assert "pier (brand.invalid)" in page
    assert "Of the instance (t.example)" in page
    assert "pier" == chosen
    assert (422, True) == (unknown.status_code, "There is no brand" in unknown.text)
    assert "" == stored(services, letter).brand
    assert 'id="brand"' not in client.get(f"/deliveries/{letter}/properties").text
