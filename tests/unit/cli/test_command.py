"""Commands as people and scripts meet them."""

from pathlib import Path

import pytest

from tests.support.command import Outcome, aftersend

HTML = '<p>Hi <%= recipient.first_name %>, <a href="https://shop.example/">look</a></p>'
RECIPIENTS = "email,first_name,format\nada@x.example,Ada,html\nbad,,\nbob@y.example,Bob,text\n"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance with two recipients and one delivery."""
    folder = tmp_path_factory.mktemp("cli")
    made = folder / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    (folder / "recipients.csv").write_text(RECIPIENTS)
    (folder / "message.html").write_text(HTML)
    imported = aftersend(made, "recipient", "import", str(folder / "recipients.csv"), "--json")
    assert imported.document == {
        "imported": 2,
        "updated": 0,
        "rejected": [{"row": 3, "reason": "the address has no @"}],
    }
    created = _create(made, folder / "message.html")
    assert created.document == {"id": 1}
    return made


def _create(instance: Path, html: Path, *more: str) -> Outcome:
    named = ("--label", "First", "--sender", "A <a@b.example>", "--subject", "Hello")
    return aftersend(instance, "delivery", "create", *named, "--html", str(html), "--json", *more)


def test_analysis_tells_who_gets_it(instance: Path) -> None:
    """JSON holds what the contract names, and nothing else stands on standard output."""
    outcome = aftersend(instance, "delivery", "analyse", "1", "--json")

    assert outcome.status == 0
    assert outcome.document["to_deliver"] == 2
    assert outcome.document["rejected"] == {}
    assert {"level", "rule", "text"} == set(outcome.document["checks"][0])


def test_urls_can_be_changed(instance: Path) -> None:
    """A link is called and tracked as its author wants."""
    (link,) = aftersend(instance, "delivery", "urls", "1", "--json").document
    assert (link["label"], link["mode"], link["type"]) == ("look", "enabled", "email_click")

    (changed,) = aftersend(
        instance, "delivery", "urls", "1", "--set", str(link["id"]), "--label", "Shop", "--json"
    ).document

    assert changed == {**link, "label": "Shop"}


def test_the_message_is_printed_as_it_would_be_sent(instance: Path) -> None:
    """Headers and both parts stand on standard output."""
    outcome = aftersend(instance, "delivery", "render", "1", "--email", "ada@x.example")

    assert outcome.status == 0
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in outcome.out
    assert "/r/" in outcome.out.replace("=\n", "")


def test_lists_are_json_documents(instance: Path) -> None:
    """Deliveries, workflows and reports can be read by scripts."""
    (delivery,) = aftersend(instance, "delivery", "list", "--json").document
    workflows = aftersend(instance, "workflow", "list", "--json").document
    report = aftersend(instance, "report", "tracking-indicators", "--delivery", "1", "--json")

    assert (delivery["id"], delivery["label"]) == (1, "First")
    assert {
        "tracking": "started",
        "cleanup": "started",
        "cleanupPausedWorkflows": "started",
        "lakeMaintenance": "started",
    } == {each["name"]: each["state"] for each in workflows}
    assert report.document["report"] == "tracking-indicators"
    assert set(report.document["indicators"]["success"]) == {"value", "rate", "label"}


def test_an_empty_run_balances(instance: Path) -> None:
    """A run with nothing to read says so in the fields of the contract."""
    outcome = aftersend(instance, "workflow", "run", "tracking", "--json")

    assert outcome.status == 0
    assert outcome.document | {"seconds": 0} == {
        "state": "finished",
        "read": 0,
        "loaded": 0,
        "already": 0,
        "rejected": {},
        "deliveries": 0,
        "seconds": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("delivery", "show", "99"), "There is no delivery 99."),
        (("delivery", "analyse", "99"), "There is no delivery 99."),
        (("recipient", "logs", "nobody@x.example"), "There is no recipient nobody@x.example."),
        (("recipient", "import", "/nowhere.csv"), "/nowhere.csv"),
        (("workflow", "run", "nothing"), "There is no workflow nothing."),
        (("delivery", "send", "1"), "There is no mail server to send to"),
        (("delivery", "logs", "1", "--since", "yesterday"), "is no moment"),
        (("delivery", "logs", "1", "--sort", "colour"), "cannot be sorted by colour"),
        (("delivery", "logs", "1", "--type", "smoke"), "is no type"),
        (("report", "tracking-indicators", "--delivery", "99"), "There is no delivery 99."),
        (("report", "funnel", "--tag", "home"), "A funnel has 2 to 10 different web tags"),
        (("report", "funnel", "--tag", "a", "--tag", "b"), "There is no web tag a."),
        (("tracking", "server", "add", "--id", "ab", "--internal-url", "http://x"), "one letter"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    instance: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """Status 1, nothing on standard output, one line on standard error, no traceback."""
    outcome = aftersend(instance, *arguments)

    assert outcome.status == 1
    assert outcome.out == ""
    assert sentence in outcome.err
    assert outcome.err.startswith("aftersend: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("delivery", "analyse", "first"),
        ("report", "no-such-report"),
        ("delivery", "create", "--label", "x"),
        ("workflow", "journal", "tracking", "--severity", "awful"),
    ],
)
def test_wrong_usage_has_a_status_of_its_own(instance: Path, arguments: tuple[str, ...]) -> None:
    """Status 2, and no traceback."""
    outcome = aftersend(None if not arguments else instance, *arguments)

    assert outcome.status == 2
    assert "Traceback" not in outcome.err


def test_no_instance_is_told(tmp_path: Path) -> None:
    """A folder without an instance is named, with what to do."""
    outcome = aftersend(tmp_path, "delivery", "list")

    assert outcome.status == 1
    assert "aftersend init" in outcome.err


def test_a_content_that_is_not_utf8_is_told(instance: Path, tmp_path: Path) -> None:
    """Bytes that are no text are refused before anything is made."""
    bad = tmp_path / "latin1.html"
    bad.write_bytes(b"<p>Caf\xe9</p>")

    outcome = _create(instance, bad)

    assert outcome.status == 1
    assert "is not UTF-8" in outcome.err


def test_wrong_lines_are_found(instance: Path, tmp_path: Path) -> None:
    """Each line that does not follow the format is named; status 1 if there are any."""
    file = tmp_path / "lines.log"
    good = "10x0000000000000001\t2026-01-02T03:04:05.000006\t1\t1\t1\t0\t\th\t\tUA\t::1\n"
    file.write_text(f"{good}broken\n")

    outcome = aftersend(instance, "tracking", "check-lines", str(file), "--json")

    assert outcome.status == 1
    assert outcome.document == [{"file": str(file), "line": 2, "reason": "fields"}]
