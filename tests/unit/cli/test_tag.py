"""Commands for web tags."""

from pathlib import Path

import pytest

from tests.support.command import aftersend


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance with a page and a transaction."""
    made = tmp_path_factory.mktemp("tags") / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    settings = made / "aftersend.toml"
    text = settings.read_text() + '\n[brands.lamps]\ntracking_url = "https://t.lamps.example"\n'
    settings.write_text(
        text.replace("[collector]", '[collector]\nexternal_url = "https://t.example.com"', 1)
    )
    for arguments in (
        ("--id", "home", "--label", "Home page", "--url", "https://shop.example/"),
        ("--id", "order", "--label", "Order", "--type", "transaction", "--folder", "Shop"),
    ):
        outcome = aftersend(made, "tag", "add", *arguments)
        assert (outcome.status, outcome.err) == (0, "")
    return made


def test_tags_are_listed(instance: Path) -> None:
    """As a table for people, as JSON for scripts; a search narrows both."""
    rows = aftersend(instance, "tag", "list", "--json").document
    found = aftersend(instance, "tag", "list", "--search", "shop", "--json").document
    table = aftersend(instance, "tag", "list").out

    told = [(row["id"], row["type"], row["url"]) for row in rows if row["id"] != "cart"]
    assert told == [
        ("home", "web", "https://shop.example/"),
        ("order", "transaction", ""),
    ]
    assert [row["id"] for row in found] == ["order"]
    assert "Home page" in table
    assert "Transaction" in table


def test_a_tag_is_changed(instance: Path) -> None:
    """A date is midnight in UTC; 0 takes the end away; nothing to change is wrong usage."""
    aftersend(instance, "tag", "add", "--id", "cart", "--label", "Cart")
    changed = aftersend(instance, "tag", "set", "cart", "--until", "2027-01-31", "--json")
    again = aftersend(instance, "tag", "set", "cart", "--until", "0", "--label", "Start", "--json")

    assert changed.document["valid_until"] == "2027-01-31T00:00:00Z"
    assert (again.document["valid_until"], again.document["label"]) == (None, "Start")
    assert aftersend(instance, "tag", "set", "home").status == 2
    wrong = aftersend(instance, "tag", "set", "home", "--until", "soon")
    assert (wrong.status, wrong.err) == (
        1,
        "aftersend: 'soon' is no date: write one such as 2027-01-31 or 2027-01-31T18:00Z.\n",
    )


def test_html_alone_is_on_standard_output(instance: Path) -> None:
    """What a server may do in place of it is told beside."""
    outcome = aftersend(
        instance, "tag", "html", "order", "--amount", "9.90", "--parameter", "color"
    )

    assert outcome.status == 0
    assert outcome.out.startswith("<!-- Web tag Order (transaction): replace ARTICLE, COLOR")
    assert outcome.out.endswith("</noscript>\n")
    assert "https://t.example.com/r/0?tagid=order&amount=9.90&article=ARTICLE" in outcome.err
    brand = aftersend(instance, "tag", "html", "home", "--brand", "lamps", "--consent")
    assert '"https://t.lamps.example"' in brand.out
    assert "<noscript>" not in brand.out


def test_the_instance_may_have_html_of_its_own(instance: Path) -> None:
    """It is an option."""
    formula = "<img src='$(server)/r/1?$(query_html)'>"
    aftersend(instance, "option", "set", "NmsTracking_WebFormula", formula)
    html = aftersend(instance, "tag", "html", "home").out
    aftersend(instance, "option", "delete", "NmsTracking_WebFormula")

    assert html == "<img src='https://t.example.com/r/1?tagid=home'>\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "--id", "home", "--label", "x"), "There is a tag home already"),
        (("add", "--id", "a b", "--label", "x"), "cannot be the identifier of a tag"),
        (("add", "--id", "a", "--label", " "), "A tag needs a label"),
        (("html", "away"), "There is no web tag away"),
        (("html", "home", "--amount", "1"), "Only a transaction"),
        (("html", "home", "--brand", "x"), "There is no brand 'x'"),
        (("html", "home", "--parameter", "a=1", "--parameter", "a=2"), "given twice"),
        (("set", "away", "--label", "x"), "There is no web tag away"),
    ],
)
def test_what_cannot_be_done_is_said(
    instance: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, and nothing on standard output."""
    outcome = aftersend(instance, "tag", *arguments)

    assert outcome.status == 1
    assert sentence in outcome.err
    assert outcome.out == ""
