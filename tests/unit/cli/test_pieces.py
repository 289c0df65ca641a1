"""Commands for what messages share, and for what is loaded with one."""

import json
import re
from pathlib import Path

import pytest

from tests.support.command import aftersend
from tests.support.post_office import html_of, read

ARTICLES = [
    {"title": "Reef & Co", "url": "https://shop.example/?a=1&b=2", "price": 12.5},
    {"title": "Buoy", "url": "https://shop.example/buoy", "price": 30},
    {"title": "Tern", "url": "https://shop.example/tern", "price": 7},
]
HTML = """\
<p><%@ value object='delivery' xpath="variables/var[@name='season']/@stringValue" %></p>
<%@ foreach object='article' index='n' %>
<a href="<%@ value object='article' xpath='@url' %>">
<%@ value object='article' xpath='@title' %></a>
<%@ include view='price' %>
<%@ end %>
<%@ include view='UnsubscriptionLink' %> <%@ include option='legal' %>
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an instance with one recipient, an option and a block."""
    folder = tmp_path_factory.mktemp("pieces")
    made = folder / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    (folder / "people.csv").write_text("email\nada@x.example\n")
    (folder / "price.html").write_text(
        "<b><% var price = <%@ value object='article' xpath='@price' %>; %><%= price * 2 %></b>"
    )
    (folder / "legal.txt").write_text("Pier 3, Hull\n")
    (folder / "message.html").write_text(HTML)
    (folder / "article.json").write_text(json.dumps(ARTICLES))
    for arguments in (
        ("recipient", "import", str(folder / "people.csv")),
        ("block", "set", "price", "--html", str(folder / "price.html")),
        ("option", "set", "legal", "--file", str(folder / "legal.txt")),
    ):
        outcome = aftersend(made, *arguments)
        assert (outcome.status, outcome.err) == (0, "")
    return made


def test_options_are_read_by_people_and_scripts(instance: Path) -> None:
    """A value is printed as it is, a list names all."""
    assert aftersend(instance, "option", "get", "legal").out == "Pier 3, Hull"
    assert aftersend(instance, "option", "get", "legal", "--json").document == {
        "name": "legal",
        "value": "Pier 3, Hull",
    }
    assert aftersend(instance, "option", "list", "--json").document == [
        {"name": "legal", "value": "Pier 3, Hull"}
    ]
    assert "Pier 3, Hull" in aftersend(instance, "option", "list").out


def test_options_come_and_go(instance: Path) -> None:
    """A value is replaced by the next one, and gone when it is deleted."""
    for value in ("one", "two"):
        assert aftersend(instance, "option", "set", "passing", value).status == 0
    assert aftersend(instance, "option", "get", "passing").out == "two"

    assert aftersend(instance, "option", "delete", "passing").status == 0
    again = aftersend(instance, "option", "delete", "passing")
    assert (again.status, again.err) == (1, "aftersend: There is no option passing.\n")


def test_blocks_are_read_by_people_and_scripts(instance: Path) -> None:
    """Both parts are shown; a list names all."""
    (listed,) = aftersend(instance, "block", "list", "--json").document
    shown = aftersend(instance, "block", "show", "price", "--json").document

    assert listed == shown
    assert (shown["name"], shown["text"]) == ("price", "")
    assert shown["html"].startswith("<b><% var price")
    assert "<%= price * 2 %>" in aftersend(instance, "block", "show", "price").out
    assert "price" in aftersend(instance, "block", "list").out


def test_blocks_come_and_go(instance: Path, tmp_path: Path) -> None:
    """A part is added to what there is; a deleted block is gone."""
    for part in ("html", "text"):
        (tmp_path / part).write_text(part)
        assert (
            aftersend(instance, "block", "set", "passing", f"--{part}", str(tmp_path / part)).status
            == 0
        )
    shown = aftersend(instance, "block", "show", "passing", "--json").document
    assert (shown["html"], shown["text"]) == ("html", "text")

    assert aftersend(instance, "block", "delete", "passing").status == 0
    again = aftersend(instance, "block", "show", "passing")
    assert (again.status, again.err) == (1, "aftersend: There is no block passing.\n")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("option", "get", "none"), 1, "There is no option none."),
        (("option", "set", "a"), 2, "say what the value is"),
        (("option", "set", "a", "b", "--file", "c"), 2, "say what the value is"),
        (("option", "set", "a b", "c"), 1, "cannot name an option"),
        (("option", "set", "a", "--file", "/nowhere"), 1, "/nowhere cannot be read"),
        (("option", "set", "NmsTracking_ClickFormula", "<%"), 1, "click formula line 1, column 1"),
        (("block", "show", "none"), 1, "There is no block none."),
        (("block", "delete", "none"), 1, "There is no block none."),
        (("block", "set", "a"), 2, "say what is in the block"),
        (("block", "set", "a", "--html", "/nowhere"), 1, "/nowhere cannot be read"),
        (("block", "set", "MirrorPage", "--html", "/dev/null"), 1, "block of its own"),
    ],
)
def test_what_cannot_be_done_is_told(
    instance: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    """One sentence, and nothing is changed."""
    outcome = aftersend(instance, *arguments)

    assert outcome.status == status
    assert outcome.out == ""
    assert sentence in " ".join(outcome.err.replace("│", " ").split())


def test_each_item_of_a_loop_is_a_tracked_url(instance: Path) -> None:
    """Three articles are three links with names of their own, and the message shows all of it."""
    folder = instance.parent
    created = aftersend(
        instance,
        *("delivery", "create", "--label", "Lamps", "--sender", "a@b.example"),
        *("--subject", "<%@ value object='article' xpath='@title' index='1' %>"),
        *("--html", str(folder / "message.html"), "--variable", "season=Spring"),
        *("--object", f"article={folder / 'article.json'}", "--json"),
    )
    number = str(created.document["id"])
    analysed = aftersend(instance, "delivery", "analyse", number, "--json")
    urls = aftersend(instance, "delivery", "urls", number, "--json").document
    rendered = aftersend(instance, "delivery", "render", number, "--email", "ada@x.example")
    message = read(rendered.out.encode())
    html = html_of(message)

    assert analysed.status == 0
    assert [(url["source"], url["label"]) for url in urls if url["type"] == "email_click"] == [
        (article["url"], article["title"]) for article in ARTICLES
    ]
    assert message["Subject"] == "Buoy"
    assert "<p>Spring</p>" in html
    assert re.findall("<b>(.*?)</b>", html) == ["25", "60", "14"]
    assert html.count("https://shop.example") == 0
    assert "Pier 3, Hull" in html


def test_a_mistake_in_a_loaded_document_is_told(instance: Path, tmp_path: Path) -> None:
    """A document that is none stops the delivery before it is made."""
    (tmp_path / "bad.json").write_text("{")
    named = ("--label", "x", "--sender", "a@b.example", "--subject", "x")
    for value, sentence in (
        (f"shop={tmp_path / 'bad.json'}", "not JSON"),
        (f"delivery={instance.parent / 'article.json'}", "take another name"),
    ):
        outcome = aftersend(
            instance,
            *("delivery", "create", *named, "--object", value),
            *("--html", str(instance.parent / "message.html")),
        )

        assert (outcome.status, outcome.out) == (1, "")
        assert sentence in outcome.err
