"""Everything at once: pages, tracking server, scheduler and sink in one command."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aftersend.audience.letter import Letter, read_letter
from tests.support.command import aftersend
from tests.support.running import Running, up

pytestmark = pytest.mark.heavy

HTML = (
    '<p>Hi <%= recipient.first_name %>, <a href="https://shop.example/?a=1&amp;b=2#c">look</a></p>'
    "<%@ include view='UnsubscriptionLink' %>"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a running instance."""
    instance = tmp_path_factory.mktemp("up") / "instance"
    assert aftersend(None, "init", str(instance)).status == 0
    with up(instance) as running:
        yield running


def _send(running: Running, tmp_path: Path, *names: str) -> tuple[int, dict[str, Letter]]:
    (tmp_path / "message.html").write_text(HTML)
    target = tmp_path / "target.csv"
    target.write_text("email,first_name\n" + "".join(f"{n}@x.example,{n}\n" for n in names))
    named = ("--label", "Up", "--sender", "A <a@b.example>", "--subject", "Hello")
    html = ("--html", str(tmp_path / "message.html"), "--recipients", str(target))
    created = aftersend(running.instance, "delivery", "create", *named, *html, "--json")
    delivery_id: int = created.document["id"]
    sent = aftersend(running.instance, "delivery", "send", str(delivery_id), "--json")
    assert (sent.document["sent"], sent.document["failed"]) == (len(names), 0)
    letters = [
        read_letter(path.read_bytes(), redirect_url=running.collector_url)
        for path in running.outbox
    ]
    return delivery_id, {letter.recipient.partition("@")[0]: letter for letter in letters}


def test_the_road_of_a_click(running: Running, tmp_path: Path) -> None:
    """Sent by one process, clicked on another, collected by a third: shown per recipient."""
    delivery_id, letters = _send(running, tmp_path, "ada", "bob")
    ada = letters["ada"]

    click = httpx.get(running.collector_url + ada.links[0])
    pixel = httpx.get(running.collector_url + ada.images[0])
    collected = aftersend(running.instance, "workflow", "run", "tracking", "--json").document
    logs = aftersend(running.instance, "recipient", "logs", "ada@x.example", "--json").document

    assert click.status_code == 302
    assert click.headers["Location"] == "https://shop.example/?a=1&b=2#c"
    assert (pixel.status_code, pixel.headers["Content-Type"]) == (200, "image/gif")
    assert collected["read"] == collected["loaded"] >= 2
    assert {log["type"] for log in logs} == {"email_click", "open"}
    assert {log["delivery_id"] for log in logs} == {delivery_id}


def test_the_unsubscription_link_leads_to_a_form(running: Running, tmp_path: Path) -> None:
    """The tracked link leads to our own page; looking at it changes nothing, posting does."""
    _, letters = _send(running, tmp_path, "carl")

    form = httpx.get(running.collector_url + letters["carl"].links[-1], follow_redirects=True)
    assert str(form.url).startswith(f"{running.app_url}/u/")
    assert form.status_code == 200

    done = httpx.post(str(form.url), data={"List-Unsubscribe": "One-Click"})
    again = httpx.post(str(form.url), data={"List-Unsubscribe": "One-Click"})

    assert (done.status_code, again.status_code) == (200, 200)


def test_a_second_instance_of_the_same_is_refused(running: Running) -> None:
    """The port is taken: one clear sentence, exit 1."""
    port = running.collector_url.rpartition(":")[2]

    outcome = aftersend(running.instance, "collector", "--port", port)

    assert outcome.status == 1
    assert "aftersend: " in outcome.err


def test_a_fallen_tracking_server_is_started_again(running: Running) -> None:
    """Killed, it answers again within seconds, on the same address."""
    (collector,) = running.children("collector")
    os.kill(collector, signal.SIGKILL)

    assert running.answers(f"{running.collector_url}/r/test")
    assert running.children("collector") != [collector]


@pytest.mark.long
def test_nothing_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """When even the supervisor is killed, its processes end and its ports are free again."""
    assert aftersend(None, "init", str(tmp_path / "instance")).status == 0
    with up(tmp_path / "instance") as running:
        children = running.children("")
        running.process.kill()
        running.process.wait()

        assert len(children) == 2
        assert running.are_gone(children)
