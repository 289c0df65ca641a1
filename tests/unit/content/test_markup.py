"""Places of tags and attributes in HTML."""

import pytest
from hypothesis import assume, given
from turbohtml import TokenType, tokenize

from aftersend.content.markup import Comment, Tag, Text, decode_attribute, read_markup
from tests.support import content_strategies as some


def _attributes(source: str) -> list[tuple[str, str]]:
    return [
        (each.name, source[each.value_start : each.value_end])
        for node in read_markup(source).nodes
        if isinstance(node, Tag)
        for each in node.attributes
    ]


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        ('<a href="x y" B=\'"\' c>', [("href", "x y"), ("b", '"'), ("c", "")]),
        ("<A/HREF=x/>", [("href", "x/")]),
        ("<a\f=b c==d e = >", [("=b", ""), ("c", "=d"), ("e", "")]),
        ('<a b="c"d=`e>', [("b", "c"), ("d", "`e")]),
        ("é😀<a b='😀' c=é>", [("b", "😀"), ("c", "é")]),
        ("<a b=1 b=2>", [("b", "1"), ("b", "2")]),
    ],
)
def test_attributes(source: str, attributes: list[tuple[str, str]]) -> None:
    """Attributes are found where HTML says, however they are quoted."""
    assert attributes == _attributes(source)


def test_kinds_of_nodes() -> None:
    """Raw text and comments hold no tags; a conditional comment and noscript do."""
    source = (
        "<title><a></title><!-- <b> --><!--[if mso]><i><![endif]--><noscript><u></noscript><?x>"
    )
    nodes = read_markup(source).nodes

    assert ["title", "title", "i", "noscript", "u", "noscript"] == [
        node.name for node in nodes if isinstance(node, Tag)
    ]
    assert ["<!-- <b> -->", "<!--[if mso]><i><![endif]-->", "<?x>"] == [
        source[node.start : node.end] for node in nodes if isinstance(node, Comment)
    ]
    assert [("<a>", "title")] == [
        (source[node.start : node.end], node.element) for node in nodes if isinstance(node, Text)
    ]


@pytest.mark.parametrize(
    ("source", "open_end"),
    [
        ("x", 1),
        ("x<a", 1),
        ("x<a href=", 1),
        ("x<a href='>", 1),
        ("x<!-- y", 1),
        ("x<script>y</scrip", 1),
        ("x<style>y</style ", 1),
        ("<plaintext></plaintext>", 0),
        ("x&amp", 5),
        ("", 0),
    ],
)
def test_open_end(source: str, open_end: int) -> None:
    """What a source leaves open is where nothing can be put in any more."""
    assert open_end == read_markup(source).open_end


@given(some.soups)
def test_agrees_with_the_tokenizer(soup: str) -> None:
    """Every attribute's place holds the value that the tokenizer reads there.

    Killed mutants: `/` ends an unquoted value; a form feed is no space.
    """
    source = soup.replace("\r", " ")
    for node in read_markup(source).nodes:
        if not isinstance(node, Tag) or not node.is_whole:
            continue
        token = next(iter(tokenize(source[node.start : node.end])))
        attributes: dict[str, str] = {}
        for each in node.attributes:
            value = decode_attribute(source[each.value_start : each.value_end])
            attributes.setdefault(each.name, value.replace("\0", "\ufffd"))

        assert (node.name, attributes) == (token.tag, dict(token.attrs or ()))


@given(some.soups)
def test_finds_every_tag(soup: str) -> None:
    """Tags outside of comments and raw text are those of the tokenizer, in its order.

    Killed mutant: tags of a title are read as tags.
    """
    assume("<noscript>" not in soup)
    source = soup.replace("\r", " ")
    nodes = read_markup(source).nodes
    hidden = [(node.start, node.end) for node in nodes if isinstance(node, Comment)]
    mine = [
        node.name
        for node in nodes
        if isinstance(node, Tag) and node.is_whole
        if not any(start < node.start < end for start, end in hidden)
    ]

    assert mine == [
        token.tag
        for token in tokenize(source)
        if token.type in (TokenType.START_TAG, TokenType.END_TAG)
    ]
