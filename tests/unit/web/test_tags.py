"""Pages of web tags: what they show, what they take, and what they say if not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import options, tags
from aftersend.database.schema import tracking_stats
from aftersend.database.tags import NewTag, Tag
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import UrlId
from aftersend.web.services import Services
from tests.support.page_seed import HOSTILE
from tests.support.pages import NOW, csrf


@pytest.fixture
def order(services: Services) -> Tag:
    """Give a transaction whose label is hostile."""
    with services.database.write() as connection:
        new = NewTag("order", f"Order {HOSTILE}", UrlType.TRANSACTION, folder="Shop")
        return tags.add(connection, new)


def known(services: Services) -> list[Tag]:
    """Give all tags."""
    with services.database.read() as connection:
        return tags.page(connection)


def post(client: TestClient[Any], path: str, **data: Any) -> Any:
    """Send a form with its token, and do not follow."""
    form = {"_csrf_token": csrf(client), **data}
    return client.post(path, data=form, follow_redirects=False)


def test_tags_are_for_operators(visitor: TestClient[Any], services: Services, order: Tag) -> None:
    """Who is not logged in sees none and makes none."""
    for path in ("/web-tags", "/web-tags/new", f"/web-tags/{order.id}"):
        answer = visitor.get(path, follow_redirects=False)
        assert answer.headers["location"].startswith("/login?next="), path
    for path in ("/web-tags", f"/web-tags/{order.id}"):
        answer = post(visitor, path, tag_id="x", label="x", type="web")
        assert answer.headers["location"] == "/login", path

    assert known(services) == [order]


def test_forms_of_strangers_change_nothing(
    client: TestClient[Any], services: Services, order: Tag
) -> None:
    """A form without the token of our own pages is refused."""
    for path in ("/web-tags", f"/web-tags/{order.id}"):
        assert client.post(path, data={"tag_id": "x", "label": "x"}).status_code == 403

    assert known(services) == [order]


def test_an_instance_without_tags_says_what_they_are(client: TestClient[Any]) -> None:
    """There is a way to the first one, and the script of the consent banner."""
    text = client.get("/web-tags").text

    assert "No web tags yet" in text
    assert 'href="/web-tags/new"' in text
    assert "http://t.example/r/consent.js" in text
    assert "Session: visits after a click, until the browser is closed" in text


def test_tags_are_listed_with_their_hits(
    client: TestClient[Any], services: Services, order: Tag
) -> None:
    """A tag whose time is over says so; a search that finds none says that."""
    with services.database.write() as connection:
        tags.add(connection, NewTag("old", "Old", UrlType.WEB, valid_until=NOW))
        row = {"delivery_id": 1, "url_id": order.id, "start": NOW - timedelta(hours=2)}
        connection.execute(tracking_stats.insert().values(**row, total_clicks=1_234))
    text = client.get("/web-tags").text

    assert "1,234" in text
    assert "2 hours ago" in text
    assert text.count("Over") == 1
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert "No tag found" in client.get("/web-tags?q=nothing").text
    assert "No tag found" not in client.get("/web-tags?q=shop").text


def test_a_tag_is_made_and_leads_to_its_html(client: TestClient[Any], services: Services) -> None:
    """The end is read in the zone of the pages."""
    answer = post(
        client,
        "/web-tags",
        tag_id=" home ",
        label="Home",
        type="web",
        url="https://shop.example/",
        folder="",
        valid_until="2027-01-31T18:00",
    )
    (tag,) = known(services)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/web-tags/{tag.id}")
    assert (tag.tag_id, tag.label, tag.type) == ("home", "Home", UrlType.WEB)
    assert tag.valid_until == datetime(2027, 1, 31, 17, tzinfo=UTC)
    page = client.get(f"/web-tags/{tag.id}").text
    assert "http://t.example/r/0?tagid=home" in page
    assert 'value="2027-01-31T18:00"' in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tag_id": "order"}, "There is a tag order already"),
        ({"tag_id": "a b"}, "cannot be the identifier"),
        ({"label": " "}, "A tag needs a label"),
        ({"type": "open"}, "of type web or transaction"),
        ({"valid_until": "soon"}, "The end is no date"),
    ],
)
def test_what_was_typed_stays_when_it_is_refused(
    client: TestClient[Any],
    services: Services,
    order: Tag,
    fields: dict[str, str],
    sentence: str,
) -> None:
    """The form comes back with what is wrong."""
    data = {"tag_id": "home", "label": "Home", "type": "web", "folder": "kept folder"} | fields
    answer = post(client, "/web-tags", **data)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "kept folder" in answer.text
    assert known(services) == [order]


def test_a_tag_is_changed(client: TestClient[Any], services: Services, order: Tag) -> None:
    """Label, page, folder and end change; identifier and type never do."""
    here = f"/web-tags/{order.id}"
    answer = post(
        client, here, label="Paid", tag_id="x", type="web", valid_until="2026-01-01T00:00"
    )
    (tag,) = known(services)

    assert answer.headers["location"] == f"{here}?saved=yes"
    assert (tag.label, tag.folder, tag.tag_id, tag.type) == (
        "Paid", "Shop", "order", UrlType.TRANSACTION,
    )  # fmt: skip
    page = client.get(answer.headers["location"]).text
    assert "Saved." in page
    assert "Over: new hits do not count" in page
    refused = post(client, here, label="", folder="typed")
    assert refused.status_code == 422
    assert "A tag needs a label" in refused.text
    assert "typed" in refused.text


def test_the_html_is_filled_in_as_asked(
    client: TestClient[Any], services: Services, order: Tag
) -> None:
    """What would break a page is refused, and shown as text alone."""
    here = f"/web-tags/{order.id}"
    filled = client.get(here, params={"amount": "9.90", "own": "color, size=XL", "consent": "yes"})
    refused = client.get(here, params={"amount": '"</script>'})

    assert "replace ARTICLE, COLOR" in filled.text
    assert "&#34;amount&#34;: &#34;9.90&#34;" in filled.text
    assert "&#34;size&#34;: &#34;XL&#34;" in filled.text
    assert "aftersend:consent" in filled.text
    assert refused.status_code == 422
    assert "cannot stand as amount" in refused.text
    assert '"</script>' not in refused.text
    with services.database.write() as connection:
        options.put(connection, "NmsTracking_WebFormula", "<i>$(tagid)</i>")
    own = client.get(here).text
    assert "&lt;i&gt;order&lt;/i&gt;" in own
    assert "Written by the option" in own


def test_other_urls_are_no_tags(client: TestClient[Any]) -> None:
    """The shared "Open" has no page here."""
    assert client.get(f"/web-tags/{UrlId(1)}").status_code == 404
    assert client.get("/web-tags/99").status_code == 404
