"""`aftersend tracking explain`: for people, as JSON, and for a hit that is not there."""

from pathlib import Path

import pytest

from aftersend.app import embedded_collector, init, open_instance, run_workflow
from aftersend.audience.browser import Browser, Visitor
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients
from aftersend.platform.entropy import SeededEntropy
from tests.support.command import aftersend

HTML = '<p>Hi, <a href="https://shop.example/">look</a></p>'


@pytest.fixture(scope="module", name="instance")
def _instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance in which Ada's link was asked for by HEAD and then followed."""
    folder = tmp_path_factory.mktemp("explain") / "instance"
    init(folder, entropy=SeededEntropy(1))
    opened = open_instance(folder)
    (opened.var / "people.csv").write_text("email\nada@x.example\n")
    import_recipients(opened.database, opened.var / "people.csv", clock=opened.clock)
    with Post(opened) as post:
        _, (letter,) = post.send(Draft("First", "A <a@b.example>", "Hello", HTML))
    ada = Visitor("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")
    with embedded_collector(opened) as base_url, Browser(base_url) as browser:
        browser.ask(ada, letter.links[0], method="HEAD")
        browser.ask(ada, letter.links[0])
    run_workflow(opened, "tracking").check()
    return folder


def _log_ids(instance: Path) -> dict[str, str]:
    rows = aftersend(instance, "delivery", "logs", "1", "--json").document
    return {row["rule"]: row["log_id"] for row in rows}


def test_a_verdict_is_explained_as_json(instance: Path) -> None:
    """The document holds what the guide names; programs need nothing else."""
    document = aftersend(
        instance, "tracking", "explain", _log_ids(instance)["head"], "--json"
    ).document

    assert (document["verdict"], document["rule"]) == ("machine", "head")
    assert document["counted"] is False
    assert document["reason"].startswith("It only asked for the headers")
    assert document["source"]
    assert (document["delivery_id"], document["recipient"]) == (1, "ada@x.example")
    assert document["url"] == "https://shop.example/"
    assert "Firefox" in document["agent"]["text"]
    assert [each["verdict"] for each in document["evidence"]] == ["human"]


def test_a_verdict_is_explained_to_people(instance: Path) -> None:
    """Who, what, when, and in words why."""
    outcome = aftersend(instance, "tracking", "explain", _log_ids(instance)[""])

    assert outcome.status == 0
    assert "Verdict    human: it counts" in outcome.out
    assert "No rule fits" in outcome.out
    assert "Email click: look" in outcome.out


def test_a_hit_that_is_not_there_is_one_sentence(instance: Path) -> None:
    """Exit status 1, nothing on standard output, no traceback."""
    outcome = aftersend(instance, "tracking", "explain", "10x00000000000000FF")

    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.strip().endswith("There is no hit 10x00000000000000FF.")


def test_logs_are_filtered_by_rule(instance: Path) -> None:
    """Those that the rule fits and no others; a rule that there is not is told in a sentence."""
    rows = aftersend(instance, "delivery", "logs", "1", "--rule", "head", "--json").document
    assert [row["rule"] for row in rows] == ["head"]
    of_person = aftersend(
        instance, "recipient", "logs", "ada@x.example", "--rule", "burst", "--json"
    )
    assert of_person.document == []
    wrong = aftersend(instance, "delivery", "logs", "1", "--rule", "moon")
    assert wrong.status == 1
    assert "There is no rule 'moon'; choose head," in wrong.err
