"""The links of a delivery on its page: what may be changed, by whom, and what is said if not."""

from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import deliveries, tracking_servers
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import Draft, create
from aftersend.delivery.links import list_urls, set_url
from aftersend.model.enumeration import DeliveryState, Part, TrackingMode
from aftersend.model.ids import DeliveryId, ServerId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE, add_recipients
from tests.support.pages import NOW, csrf

SHOP = "https://shop.example/a/lamp"


@pytest.fixture
def letter(services: Services) -> DeliveryId:
    """Give a message with a link in both parts and another one, analysed."""
    add_recipients(services, ["John", "Marie"])
    html = f'<a href="{SHOP}">Lamp</a> <a href="https://shop.example/b/desk">Desk</a>'
    draft = Draft("Lamps", "news@example.com", "Hi", html, f"Look: {SHOP}")
    number = create(services.office, draft)
    analyse(services.office, number)
    return number


def modes(services: Services, letter: DeliveryId) -> list[str]:
    """Give the modes of all links."""
    return [url.mode.value for url in list_urls(services.office, letter)]


def post(client: TestClient[Any], path: str, **data: Any) -> Any:
    """Send a form with its token, and follow to the page that it leads to."""
    return client.post(path, data={"_csrf_token": csrf(client), **data})


def test_links_are_for_operators(
    visitor: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """Who is not logged in sees no page of a message, and changes nothing."""
    here = f"/deliveries/{letter}"
    for path in ("/links", "/content", "/preview", "/properties"):
        answer = visitor.get(here + path, follow_redirects=False)

        assert answer.status_code == 302, path
        assert answer.headers["location"].startswith("/login?next="), path
    first = list_urls(services.office, letter)[0]
    own = (f"/links/{first.id}", f"/links/{first.id}/block")
    for path in (*own, "/links", "/links/tree", "/properties", "/analyse"):
        answer = visitor.post(
            here + path,
            data={"_csrf_token": csrf(visitor), "mode": "never", "url": str(first.id)},
            follow_redirects=False,
        )

        assert answer.headers["location"] == "/login", path
    assert modes(services, letter) == ["enabled"] * 3


def test_forms_of_strangers_change_nothing(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A form without the token of our own pages is refused, whoever is logged in."""
    first = list_urls(services.office, letter)[0]
    here = f"/deliveries/{letter}"
    own = (f"/links/{first.id}", f"/links/{first.id}/block")
    for path in (*own, "/links", "/links/tree", "/properties", "/analyse"):
        answer = client.post(here + path, data={"mode": "never", "url": str(first.id)})

        assert answer.status_code == 403, path
    assert modes(services, letter) == ["enabled"] * 3


def test_one_link_is_changed(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """Mode, label and category are stored; the page that follows shows them."""
    first = list_urls(services.office, letter)[0]
    answer = post(
        client,
        f"/deliveries/{letter}/links/{first.id}",
        mode="always",
        label=f"Brass {HOSTILE}",
        category="lamps",
    )
    changed = list_urls(services.office, letter)[0]

    assert answer.status_code == 200
    assert (changed.mode, changed.label, changed.category) == (
        TrackingMode.ALWAYS,
        f"Brass {HOSTILE}",
        "lamps",
    )
    assert "remembered for later messages" in answer.text
    assert '<option value="lamps">' in answer.text
    assert HOSTILE not in answer.text


def test_what_stays_the_same_is_no_change(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A row that is sent as it was neither needs a new analysis nor makes memory forget."""
    set_url(services.office, letter, list_urls(services.office, letter)[0].id, label="Lamp")
    analyse(services.office, letter)
    first = list_urls(services.office, letter)[0]
    post(
        client,
        f"/deliveries/{letter}/links/{first.id}",
        mode=first.mode.value,
        label=f" {first.label} ",
        category="",
    )
    with services.database.read() as connection:
        state = deliveries.get(connection, letter).state

    assert state is DeliveryState.TARGET_READY


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"mode": "sometimes"}, "There is no mode &#39;sometimes&#39;"),
        ({"label": "x" * 256}, "The label has more than 255 characters."),
        ({"category": "a\tb"}, "The category has line ends or control characters"),
    ],
)
def test_a_value_that_cannot_be_is_told(
    client: TestClient[Any],
    services: Services,
    letter: DeliveryId,
    data: dict[str, str],
    sentence: str,
) -> None:
    """The sentence comes with 422 beside the row, with what was typed."""
    first = list_urls(services.office, letter)[0]
    answer = post(client, f"/deliveries/{letter}/links/{first.id}", **data)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'id="problem-row-{first.id}"' in answer.text
    assert first == list_urls(services.office, letter)[0]


def test_the_text_alone_is_not_tracked(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A link that is off in the HTML cannot be switched on in the text."""
    html, text = (
        next(
            url
            for url in list_urls(services.office, letter)
            if url.part is part and url.source == SHOP
        )
        for part in (Part.HTML, Part.TEXT)
    )
    post(client, f"/deliveries/{letter}/links/{html.id}", mode="not-tracked")
    answer = post(client, f"/deliveries/{letter}/links/{text.id}", mode="enabled")

    assert answer.status_code == 422
    assert "switch it on in the HTML first" in answer.text
    assert modes(services, letter) == ["not-tracked", "enabled", "not-tracked"]


def test_links_are_set_together(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """All that are chosen get the mode, nobody else; choosing none is told."""
    first, second, _ = list_urls(services.office, letter)
    here = f"/deliveries/{letter}/links"
    assert post(client, here, mode="never").status_code == 422
    post(client, here, mode="never", url=str(second.id))
    assert modes(services, letter) == ["enabled", "never", "enabled"]
    post(client, here, mode="enabled", url=[str(first.id), str(second.id)])

    assert modes(services, letter) == ["enabled"] * 3


def test_a_host_and_a_path_are_switched(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A path switches what is below it, a host everything; modes that are tracked anyway stay."""
    here = f"/deliveries/{letter}/links/tree"
    set_url(
        services.office,
        letter,
        list_urls(services.office, letter)[1].id,
        mode=TrackingMode.OPT_OUT,
    )
    post(client, here, node="https://shop.example/a", to="off")
    assert modes(services, letter) == ["not-tracked", "opt-out", "not-tracked"]
    answer = post(client, here, node="https://shop.example", to="on")

    assert modes(services, letter) == ["enabled", "opt-out", "enabled"]
    assert "3 of 3 tracked" in answer.text
    assert post(client, here, node="https://nowhere.example", to="on").status_code == 404


def test_after_sending_links_are_fixed(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A delivery that was sent shows its links without fields, and refuses changes."""
    with services.database.write() as connection:
        deliveries.change(connection, letter, state=DeliveryState.FINISHED)
    first = list_urls(services.office, letter)[0]
    here = f"/deliveries/{letter}/links"
    page = client.get(here).text

    assert "The delivery is finished: its links are fixed." in page
    assert "<select" not in page
    assert 'name="label"' not in page
    for path, data in (
        (f"{here}/{first.id}", {"mode": "never"}),
        (here, {"mode": "never", "url": str(first.id)}),
        (f"{here}/tree", {"node": "https://shop.example", "to": "off"}),
    ):
        answer = post(client, path, **data)

        assert answer.status_code == 422
        assert f"Delivery {letter} is finished: its links are fixed." in answer.text


def test_unknown_links_are_not_there(client: TestClient[Any], letter: DeliveryId) -> None:
    """A link of no or another delivery gives 404 with a sentence."""
    answer = post(client, f"/deliveries/{letter}/links/999", mode="never")

    assert answer.status_code == 404
    assert "There is no tracked URL" in answer.text
    assert client.get("/deliveries/999/links").status_code == 404


def test_a_content_without_links_says_so(client: TestClient[Any], services: Services) -> None:
    """An empty list tells why: no links at all, or a content that cannot be prepared."""
    plain = create(services.office, Draft("Plain", "news@example.com", "Hi", "<p>Hi</p>"))
    broken = create(services.office, Draft("Broken", "news@example.com", "Hi", "<p><%= x</p>"))

    assert "has no links that can be tracked" in client.get(f"/deliveries/{plain}/links").text
    assert "cannot be prepared: html line 1" in client.get(f"/deliveries/{broken}/links").text


def _sent(services: Services, letter: DeliveryId) -> None:
    with services.database.write() as connection:
        deliveries.change(connection, letter, state=DeliveryState.FINISHED, contact_at=NOW)


def test_a_link_of_a_sent_message_is_blocked_and_let_through(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """The page says what is blocked, in both views, and offers to undo it; others stay open."""
    _sent(services, letter)
    first, second, _ = list_urls(services.office, letter)
    before = client.get(f"/deliveries/{letter}/links").text
    path = f"/deliveries/{letter}/links/{first.id}/block"
    after = post(client, path, to="blocked")
    tree = client.get(f"/deliveries/{letter}/links?view=tree").text
    listed = client.get(f"/deliveries/{letter}/tracking/urls").text
    stopped = {url.id: url.is_blocked for url in list_urls(services.office, letter)}
    undone = post(client, path, to="open")

    assert ("Block this link?" in before, "Let people through again?" in before) == (True, False)
    assert (after.status_code, after.url.path) == (200, f"/deliveries/{letter}/links")
    assert (stopped[first.id], stopped[second.id]) == (True, False)
    for text in (after.text, tree, listed):
        assert text.count("Blocked</span>") == 1
    assert after.text.count("Let people through again?") == 1
    assert "Blocked</span>" not in undone.text
    assert not list_urls(services.office, letter)[0].is_blocked


def test_a_server_that_cannot_be_told_of_a_block_is_named(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """The link is blocked, and the page says which tracking server still lets people through."""
    _sent(services, letter)
    with services.database.write() as connection:
        tracking_servers.put(
            connection,
            server_id=ServerId("7"),
            internal_url="http://127.0.0.1:9",
            at=services.clock.now(),
        )
    first = list_urls(services.office, letter)[0]
    answer = post(client, f"/deliveries/{letter}/links/{first.id}/block", to="blocked")

    assert "Tracking server 7 does not know it yet" in answer.text
    assert list_urls(services.office, letter)[0].is_blocked


def test_what_cannot_be_blocked_is_told(
    client: TestClient[Any], services: Services, letter: DeliveryId
) -> None:
    """A link that is not tracked has no button; who asks all the same is told why not."""
    first = list_urls(services.office, letter)[0]
    set_url(services.office, letter, first.id, mode=TrackingMode.NOT_TRACKED)
    _sent(services, letter)
    text = client.get(f"/deliveries/{letter}/links").text
    path = f"/deliveries/{letter}/links/{first.id}/block"
    answer = post(client, path, to="blocked")

    assert path not in text
    assert answer.status_code == 422
    assert "people go there directly" in answer.text
    assert post(client, f"/deliveries/{letter}/links/1/block", to="blocked").status_code == 422
    assert post(client, f"/deliveries/{letter}/links/99/block", to="blocked").status_code == 404
