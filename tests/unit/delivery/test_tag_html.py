"""The HTML of web tags: what browsers make of it, and that nothing breaks the page around it."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.database.tags import Tag
from aftersend.delivery.tag_html import Filling, html_of, markers, server_call
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import UrlType
from aftersend.model.ids import UrlId
from aftersend.model.tag import is_tag_id

SERVER = "https://t.example.com"
HOME = Tag(UrlId(5), "home", "Home page", UrlType.WEB, "", "", None)
ORDER = Tag(UrlId(6), "order", "Order", UrlType.TRANSACTION, "", "", None)


class _Elements(HTMLParser):
    """Lists the elements of HTML, and what they hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.begun: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.begun.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_tag_has_a_script_and_an_image_for_those_without() -> None:
    """Both ask for the same, the script at another address each time."""
    html = html_of(HOME, Filling(), server=SERVER)
    begun = _Elements(html).begun

    assert [name for name, _ in begun] == ["script", "noscript", "img"]
    assert begun[2][1] == {
        "src": "https://t.example.com/r/0?tagid=home",
        "width": "0",
        "height": "0",
        "alt": "",
    }
    assert '    var values = {\n      "tagid": "home"\n    };\n' in html
    assert '"https://t.example.com" + "/r/" + String(Math.random())' in html
    assert html.startswith("<!-- Web tag Home page (web) -->\n")


def test_a_transaction_says_what_the_page_fills_in() -> None:
    """What is not given stands as a word in capitals, in both places."""
    filling = Filling(article="2", parameters={"color": "", "rcpid": "email={{mail}}"})
    html = html_of(ORDER, filling, server=SERVER)

    assert markers(ORDER, filling) == ["AMOUNT", "COLOR"]
    assert "replace AMOUNT, COLOR in both places" in html
    for pair in ('"amount": "AMOUNT"', '"article": "2"', '"color": "COLOR"', '"email={{mail}}"'):
        assert pair in html
    assert "?tagid=order&amp;amount=AMOUNT&amp;article=2&amp;color=COLOR&amp;rcpid=email={{" in html
    assert server_call(ORDER, Filling("49.90", "2"), server=SERVER) == (
        "https://t.example.com/r/0?tagid=order&amount=49.90&article=2"
    )


def test_a_tag_that_waits_has_no_image() -> None:
    """Without scripts nobody can have allowed it."""
    html = html_of(HOME, Filling(is_consent_needed=True), server=SERVER)

    assert [name for name, _ in _Elements(html).begun] == ["script"]
    assert "aftersend:consent" in html


def test_an_instance_may_have_html_of_its_own() -> None:
    """Its placeholders are filled in, each fit for its place; others are refused by name."""
    tag = Tag(UrlId(6), "a/b", "Tea & <cake>", UrlType.TRANSACTION, "", "", None)
    formula = "$(label) $(type) <img src='$(server)/r/1?$(query_html)'> $(query) $(tagid)\n\n"

    assert html_of(tag, Filling("1", "2"), server=SERVER, formula=formula) == (
        "Tea &amp; &lt;cake&gt; transaction <img src='https://t.example.com/r/1?tagid=a%2Fb&amp;"
        "amount=1&amp;article=2'> tagid=a%2Fb&amount=1&article=2 a%2Fb\n"
    )
    with pytest.raises(InvalidInput, match=r"has \$\(colour\), which nobody knows"):
        html_of(tag, Filling(), server=SERVER, formula="$(colour)")


@pytest.mark.parametrize(
    ("filling", "sentence"),
    [
        ({"amount": '"'}, "cannot stand as amount"),
        ({"article": "</script>"}, "cannot stand as article"),
        ({"amount": "1&x=2"}, "cannot stand as amount"),
        ({"parameters": {"color": "a'b"}}, "cannot stand as color"),
        ({"parameters": {"a b": ""}}, "cannot name a parameter"),
        ({"parameters": {"": ""}}, "cannot name a parameter"),
        ({"parameters": {"tagid": "x"}}, "cannot name a parameter"),
        ({"parameters": {"amount": "1"}}, "cannot name a parameter"),
        ({"parameters": {f"p{n}": "" for n in range(21)}}, "at most 20 parameters"),
    ],
)
def test_what_would_break_a_page_is_refused(
    filling: dict[str, str | dict[str, str]], sentence: str
) -> None:
    """Such a value is for the page to fill in, where its signs are escaped."""
    with pytest.raises(InvalidInput, match=sentence):
        Filling(**filling)  # type: ignore[arg-type]


def test_a_page_has_no_amount() -> None:
    """Only a transaction has one."""
    with pytest.raises(InvalidInput, match="Only a transaction"):
        html_of(HOME, Filling(amount="1"), server=SERVER)


@given(
    st.text(min_size=1, max_size=128).filter(is_tag_id),
    st.text(max_size=255).filter(str.isprintable),
    st.booleans(),
)
def test_no_identifier_and_no_label_leaves_its_place(
    tag_id: str, label: str, is_consent_needed: bool
) -> None:
    """The elements are always the same, and the address names the tag."""
    tag = Tag(UrlId(6), tag_id, label, UrlType.TRANSACTION, "", "", None)
    html = html_of(tag, Filling(is_consent_needed=is_consent_needed), server=SERVER)
    elements = _Elements(html)
    names = ["script"] if is_consent_needed else ["script", "noscript", "img"]

    assert [name for name, _ in elements.begun] == names
    assert html.count("-->") == 1
    assert len(re.findall("</script", html)) == 1
    if not is_consent_needed:
        address = elements.begun[2][1]["src"] or ""
        assert parse_qsl(urlsplit(address).query)[0] == ("tagid", tag_id)
