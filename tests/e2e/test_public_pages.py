"""Public pages on a whole instance: from the links of a message that was really sent."""

from collections.abc import Iterator

import httpx
import pytest

from aftersend.audience.letter import Letter, read_letter
from tests.support.command import aftersend
from tests.support.running import Running, up

pytestmark = pytest.mark.heavy

HTML = (
    "<p>Hi <%= recipient.first_name %></p> <a href='https://shop.example/'>Shop</a>"
    " <%@ include view='MirrorPage' %> <%@ include view='ManagePreferences' %>"
    " <%@ include view='UnsubscriptionLink' %> <%@ include view='ViralLinks' %>"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a running instance."""
    instance = tmp_path_factory.mktemp("public") / "instance"
    assert aftersend(None, "init", str(instance)).status == 0
    parameters = ("NmsTracking_LinkParameters", "utm_source=mail")
    assert aftersend(instance, "option", "set", *parameters).status == 0
    with up(instance) as running:
        yield running


@pytest.fixture(scope="module")
def letter(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Letter:
    """Give the message that Ada received."""
    folder = tmp_path_factory.mktemp("message")
    (folder / "message.html").write_text(HTML)
    (folder / "target.csv").write_text("email,first_name\nada@x.example,Ada\n")
    named = (
        "--label",
        "Up",
        "--sender",
        "A <a@b.example>",
        "--subject",
        "For <%= recipient.first_name %>",
    )
    files = ("--html", str(folder / "message.html"), "--recipients", str(folder / "target.csv"))
    created = aftersend(running.instance, "delivery", "create", *named, *files, "--json")
    number = str(created.document["id"])
    assert aftersend(running.instance, "delivery", "send", number, "--json").document["sent"] == 1
    return read_letter(running.outbox[-1].read_bytes(), redirect_url=running.collector_url)


def _follow(running: Running, letter: Letter, place: int) -> httpx.Response:
    """Click on a link as a person does."""
    return httpx.get(running.collector_url + letter.links[place], follow_redirects=True)


def test_the_mirror_link_shows_the_message(running: Running, letter: Letter) -> None:
    """From the message one comes to its web copy, whose links are tracked in turn."""
    page = _follow(running, letter, 1)

    assert page.status_code == 200
    assert str(page.url).startswith(f"{running.app_url}/m/")
    assert "Hi Ada" in page.text
    assert f"{running.collector_url}/r/" in page.text
    assert httpx.get(running.app_url + "/m/garbled").status_code == 404


def test_preferences_are_kept(running: Running, letter: Letter) -> None:
    """The link leads to the form, and what is posted there stands in it afterwards."""
    form = _follow(running, letter, 2)
    saved = httpx.post(str(form.url), data={"mail": "yes", "format": "text"})
    again = httpx.get(str(form.url))

    assert 'value="html" required checked' in form.text
    assert saved.status_code == 200
    assert 'value="text" required checked' in again.text


def test_the_unsubscription_link_passes_through(running: Running, letter: Letter) -> None:
    """A tracked link leads straight to the form, with nothing of analytics behind it (F3)."""
    shop = httpx.get(running.collector_url + letter.links[0])
    form = _follow(running, letter, 3)

    assert shop.headers["Location"] == "https://shop.example/?utm_source=mail"
    assert form.url.path.startswith("/u/")
    assert form.url.query == b""
    assert "<form" in form.text


def test_what_is_shared_is_nobodys(running: Running, letter: Letter) -> None:
    """Every way to share ends at an address that shows the message without Ada, and no more."""
    on_networks = [
        httpx.get(running.collector_url + letter.links[place]).headers["Location"]
        for place in (4, 5, 6)
    ]
    sent_on = [httpx.get(address).headers["Location"] for address in on_networks]
    by_email = _follow(running, letter, 7)
    address = str(by_email.url).removesuffix("/email")
    token = address.rpartition("/")[2]
    shared = httpx.get(address)

    assert ["facebook", "twitter", "linkedin"] == [each.rpartition("/")[2] for each in on_networks]
    assert all(each.endswith(f"%2Fs%2F{token}") for each in sent_on)
    assert address in by_email.text
    assert "<p>Hi </p>" in shared.text
    assert "/r/" not in shared.text
    for page in ("m", "p", "u"):
        assert httpx.get(f"{running.app_url}/{page}/{token}").status_code == 404


def test_visits_are_counted_by_their_links(running: Running, letter: Letter) -> None:
    """A look at the web copy is counted by the link that led there, and shared pages by nothing."""
    address = str(_follow(running, letter, 1).url)
    aftersend(running.instance, "workflow", "run", "tracking", "--json")
    before = aftersend(running.instance, "recipient", "logs", "ada@x.example", "--json").document
    httpx.get(address)
    httpx.get(str(_follow(running, letter, 7).url))
    aftersend(running.instance, "workflow", "run", "tracking", "--json")
    after = aftersend(running.instance, "recipient", "logs", "ada@x.example", "--json").document

    assert "mirror_page" in {log["type"] for log in before}
    assert ["Share by email"] == [log["label"] for log in after[: len(after) - len(before)]]
