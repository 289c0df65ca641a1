"""Commands for enumerations and user agents."""

from pathlib import Path

import pytest

from aftersend.app import open_instance
from aftersend.database import audit, user_agents
from aftersend.database.user_agents import Agent
from tests.support.command import aftersend


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty instance."""
    made = tmp_path_factory.mktemp("enumerations") / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    return made


def test_domains_are_gathered_as_one_says(instance: Path) -> None:
    """A value is added, gets an alias, and leaves with it; each deed is audited."""
    for arguments in (
        ("add", "domain", "Shop"),
        ("alias", "domain", "Gmail.com", "Shop"),
        ("alias", "domain", "aol.de", "Others"),
    ):
        outcome = aftersend(instance, "enumeration", *arguments)
        assert (outcome.status, outcome.err) == (0, "")
    listed = aftersend(instance, "enumeration", "list", "--json").document
    aliases = aftersend(instance, "enumeration", "aliases", "domain", "--json").document
    table = aftersend(instance, "enumeration", "aliases", "domain").out
    aftersend(instance, "enumeration", "remove", "domain", "aol.de", "--alias")
    aftersend(instance, "enumeration", "remove", "domain", "Shop")
    after = aftersend(instance, "enumeration", "aliases", "domain", "--json").document

    assert {one["name"]: one["values"][-1] for one in listed} == {
        "domain": "Shop",
        "urlCategory": "linkedin",
    }
    told = {one["alias"]: one["value"] for one in aliases}
    assert ("Shop", "Others", "AOL") == (told["gmail.com"], told["aol.de"], told["aol.fr"])
    assert "built in" in table
    again = {one["alias"]: one["value"] for one in after}
    assert ("Gmail", "AOL") == (again["gmail.com"], again["aol.de"])
    with open_instance(instance).database.read() as connection:
        actions = [one.action for one in audit.entries(connection, entity="enumeration")]
    assert sorted(actions) == ["add", "alias", "alias", "remove", "remove"]


def test_what_is_not_there_is_one_sentence(instance: Path) -> None:
    """An enumeration, a value or an alias that nobody knows."""
    for arguments, text in (
        (("aliases", "nothing"), "There is no enumeration nothing."),
        (("alias", "domain", "a.example", "X"), "There is no value X."),
        (("remove", "domain", "Gmail"), "Gmail is built in; it stays."),
    ):
        outcome = aftersend(instance, "enumeration", *arguments)
        assert (outcome.status, outcome.err) == (1, f"aftersend: {text}\n")


def test_user_agents_are_listed(instance: Path) -> None:
    """All, or those that nothing is known of: a list to work on."""
    agents = {"Some/1": Agent("Some", "1", is_recognised=True), "what is this": Agent()}
    with open_instance(instance).database.write() as connection:
        user_agents.keep(connection, agents, edition="e")

    every = aftersend(instance, "tracking", "agents", "--json").document
    unrecognised = aftersend(instance, "tracking", "agents", "--unrecognised", "--json").document
    table = aftersend(instance, "tracking", "agents").out

    assert [(one["text"], one["browser"]) for one in every] == [
        ("Some/1", "Some"),
        ("what is this", ""),
    ]
    assert [(one["text"], one["clicks"]) for one in unrecognised] == [("what is this", 0)]
    assert "what is this" in table
