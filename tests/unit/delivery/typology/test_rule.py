"""The table of rules, their levels, and the page that shows them."""

import re
from pathlib import Path

import pytest

from aftersend import delivery
from aftersend.app import init, open_instance, post_office
from aftersend.database.deliveries import Check
from aftersend.delivery.typology import (
    RULES,
    check_levels,
    content_error,
    judged,
    run,
    target_error,
)
from aftersend.delivery.typology.links import ADVICE
from aftersend.errors import InvalidContent, InvalidSettings
from aftersend.model.enumeration import Severity
from aftersend.platform.entropy import SystemEntropy
from tests.support.typology import link, prepared

PAGE = Path(__file__).parents[4] / "docs" / "guide" / "analysis.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\w+) \| (.*) \| (.*) \|$", re.MULTILINE)


def test_the_page_shows_the_table() -> None:
    """Every rule is described to people as it is, in the same order."""
    shown = [match.groups() for match in ROW.finditer(PAGE.read_text())]

    assert shown == [
        (rule.name, rule.level.slug, rule.looks_at, rule.to_do) for rule in RULES.values()
    ]


def test_a_finding_has_the_level_of_its_rule() -> None:
    """Usually that of the table; what stops every delivery is an error."""
    nameless = prepared(link("https://shop.example/", label=""))

    (found,) = (check for check in run(nameless, {}) if check.rule == "url-label")

    assert Severity.WARNING is found.level is RULES["url-label"].level
    assert Severity.ERROR is content_error(InvalidContent("Wrong.")).level is target_error().level


@pytest.mark.parametrize(
    ("level", "found"),
    [("info", Severity.INFO), ("warning", Severity.WARNING), ("error", Severity.ERROR)],
)
def test_a_level_can_be_set(level: str, found: Severity) -> None:
    """Settings change the level of one rule and no other."""
    checks = [Check(Severity.WARNING, "size", "Large."), Check(Severity.INFO, "text-part", "None.")]

    assert [Check(found, "size", "Large."), checks[1]] == judged(checks, {"size": level})
    assert checks == judged(checks, {})


def test_a_rule_can_be_switched_off() -> None:
    """What nobody wants to hear is not told."""
    nameless = prepared(link("https://shop.example/", label=""))

    assert "url-label" in {check.rule for check in run(nameless, {})}
    assert "url-label" not in {check.rule for check in run(nameless, {"url-label": "off"})}


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        ({"sise": "off"}, r"the rule 'sise', which is not one of subject, .*size, .*text-part\."),
        ({"content": "warning"}, "'content': its level cannot be changed"),
        ({"target": "off"}, "'target': its level cannot be changed"),
    ],
)
def test_levels_are_of_rules_that_may_have_others(levels: dict[str, str], problem: str) -> None:
    """A misspelt rule is told with those there are; what cannot be sent cannot be allowed."""
    with pytest.raises(InvalidSettings, match=problem):
        check_levels(levels)

    check_levels({"size": "off", "subject": "warning"})


def test_the_file_of_an_instance_sets_levels(tmp_path: Path) -> None:
    """`[delivery.checks]` is where they stand; a wrong one stops what would prepare messages."""
    instance = tmp_path / "instance"
    init(instance, entropy=SystemEntropy())
    file = instance / "aftersend.toml"
    before = file.read_text()

    file.write_text(f'{before}\n[delivery.checks]\nsize = "error"\n')
    assert {"size": "error"} == post_office(open_instance(instance)).checks

    file.write_text(f'{before}\n[delivery.checks]\nsise = "error"\n')
    with pytest.raises(InvalidSettings, match="the rule 'sise'"):
        post_office(open_instance(instance))


def test_many_findings_of_one_rule_are_shortened() -> None:
    """Twenty are told, the others counted."""
    many = [link(f"https://shop.example/{number}", label="") for number in range(25)]

    found = [check for check in run(prepared(*many), {}) if check.rule == "url-label"]

    assert 21 == len(found)
    assert Check(Severity.WARNING, "url-label", "There are 5 more of the kind.") == found[-1]


def test_every_rule_of_the_table_is_used() -> None:
    """No rule is promised that nothing follows."""
    sources = Path(delivery.__file__).parent
    code = "".join(path.read_text() for path in sources.rglob("*.py") if path.name != "rule.py")

    assert set(RULES) == {*re.findall(r'finding\(\s*"([a-z-]+)"', code), *ADVICE.values()}


def test_a_delivery_with_nothing_wrong_is_passed() -> None:
    """Every rule has looked, and none has anything to say."""
    assert [] == run(prepared(), {})
