"""The tracking test as people run it: a whole instance, one command."""

from pathlib import Path

import pytest

from tests.support.command import aftersend
from tests.support.running import comes_true, free_port, is_answered, up

pytestmark = [pytest.mark.heavy, pytest.mark.long]

HTML = (
    '<p>Hi <%= recipient.first_name %>, <a href="https://shop.example/?a=1&amp;b=2#c">look</a>'
    " <%@ include view='MirrorPage' %> <%@ include view='UnsubscriptionLink' %></p>"
)


def test_the_command(tmp_path: Path) -> None:
    """Status 0 when all is well, 1 when our pages are not where messages say they are."""
    instance = tmp_path / "instance"
    assert aftersend(None, "init", str(instance)).status == 0
    (tmp_path / "message.html").write_text(HTML)
    (tmp_path / "people.csv").write_text("email,first_name\nada@x.example,Ada\n")
    assert aftersend(instance, "recipient", "import", str(tmp_path / "people.csv")).status == 0
    named = ("--label", "L", "--sender", "A <a@b.example>", "--subject", "Hello")
    html = ("--html", str(tmp_path / "message.html"))
    assert aftersend(instance, "delivery", "create", *named, *html, "--json").document == {"id": 1}
    test = ("delivery", "test-tracking", "1", "--email", "me@x.example")
    with up(instance) as running:
        assert comes_true(lambda: is_answered(f"{running.app_url}/health"), 60)
        good = aftersend(instance, *test, "--json")
        logs = aftersend(instance, "delivery", "logs", "2", "--json").document
        shown = aftersend(instance, *test)
        settings = instance / "aftersend.toml"
        nowhere = f'[web]\nexternal_url = "http://127.0.0.1:{free_port()}"'
        settings.write_text(settings.read_text().replace("[web]", nowhere))
        bad = aftersend(instance, *test, "--json")
        letters = running.outbox

    assert (0, True, 2) == (good.status, good.document["ok"], good.document["delivery_id"])
    assert {("what", "url", "expected", "got", "ok")} == {
        tuple(row) for row in good.document["rows"]
    }
    kinds = {row["what"] for row in good.document["rows"]}
    assert {"Email click", "Opt-out", "Mirror page", "Open", "Unsubscription page"} <= kinds
    assert {"email_click", "opt_out", "mirror_page", "open"} == {log["type"] for log in logs}
    assert {"me@x.example"} == {log["recipient"] for log in logs}
    assert 0 == shown.status
    assert "things are as they should" in shown.out
    assert (1, False) == (bad.status, bad.document["ok"])
    wrong = [row for row in bad.document["rows"] if not row["ok"]]
    assert {"Mirror page", "Unsubscription page"} == {row["what"] for row in wrong}
    assert all("start the app" in row["got"] for row in wrong)
    assert 3 == len(letters)
