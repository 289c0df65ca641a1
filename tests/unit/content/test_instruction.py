"""Instructions: what golden cases cannot show."""

import re
from collections import Counter

import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st

from aftersend.content import Source, detect
from aftersend.content.document import read_document
from aftersend.content.instruction import (
    INCLUSION_DEPTH_MAX,
    CustomBlock,
    Resources,
    built_in_views,
    expand,
    expand_text,
)
from aftersend.errors import InvalidContent, InvalidInput, Transient
from tests.support.content_golden import ADDRESSES

SHOP = read_document("shop", {"a": "1", "lamp": [{"n": "x"}, {"n": "<%= y %>"}, {"n": "%"}]})
PIECES = (
    "<%@ include view='MirrorPage' %>",
    "<%@ include option='code' %>",
    "<%@ include view='card' %>",
    "<%@ value object='shop' xpath='@a' %>",
    "<%@ value object='shop' xpath='lamp/@n' index='1' %>",
    "<%@ value object='shop' xpath='lamp/@n' index='2' %>",
    "<%@ value object='startScript' %>",
    "<%@ value object='endScript' %>",
    "<%@ foreach object='shop' xpath='lamp' %>",
    "<%@ value object='lamp' xpath='@n' %>",
    "<%@ end %>",
    *("<%", "%>", "<", "%", "@", "=", "'", '"', "`", "//", "\n", "\\", " ", "a"),
    "@ include option='code' %>",
)
RESOURCES = Resources(
    blocks={"card": CustomBlock(html="<p>%", text="% @<")},
    options={"code": "<%= recipient.a %>", "more": "@ %>"},
    objects={"shop": SHOP},
)


@given(st.text())
def test_a_text_without_instructions_comes_out_as_it_is(text: str) -> None:
    """Whatever is no instruction is not touched, not a single character."""
    plain = text.replace("<%@", "")

    assert expand(Source(plain, plain, plain), RESOURCES) == Source(plain, plain, plain)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_carrying_out_twice_is_carrying_out_once(written: str) -> None:
    """Nothing that comes out is an instruction, but for the blocks that are left for later."""
    try:
        once = expand(Source("-", written, written), RESOURCES)
    except InvalidContent:
        return

    assert once == expand(once, RESOURCES)
    for text in (once.html, once.text):
        assert text is not None
        left = text.replace("<%@ include view='MirrorPage' %>", "")
        assert "<%@" not in left


@given(st.integers(0, 40), st.text(st.characters(exclude_characters="<%@", codec="utf-8")))
def test_a_loop_over_n_items_gives_n_copies(count: int, body: str) -> None:
    """The body is written once for each item, and every copy knows its number."""
    lamps = {"lamps": read_document("lamps", [{} for _ in range(count)])}
    start = "<%@ foreach object='lamps' index='n' %>"
    text = f"[{start}|<%@ value object='n' %>;{body}<%@ end %>]"

    assert expand_text("text", text, Resources(objects=lamps)) == (
        f"[{''.join(f'|{n};{body}' for n in range(count))}]"
    )


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_a_value_in_quotes_is_a_text_of_javascript(value: str) -> None:
    """The engine reads back what the document holds, in all three kinds of quotes."""
    resources = Resources(objects={"o": read_document("o", {"v": value})})
    for quote in "'\"`":
        written = f"<%= {quote}<%@ value object='o' xpath='@v' %>{quote} %>"

        code = expand_text("text", written, resources).removeprefix("<%=").removesuffix("%>")

        assert quickjs.Context().eval(code) == value
        assert "%>" not in code


@given(st.text(st.sampled_from("'\"`/*\\\n(x=1)${}%<>;-. "), max_size=30))
def test_a_value_never_becomes_code(value: str) -> None:
    """Wherever quotes are believed to stand, no sign of a value can call or assign anything."""
    resources = Resources(objects={"o": read_document("o", {"v": value})})
    for before in ("/'/ + ", "'", '"', "// don't\n", "/* ' */", "`${"):
        written = f"<% {before}<%@ value object='o' xpath='@v' %> %>"
        try:
            code = expand_text("text", written, resources)
        except InvalidContent:
            continue
        assert re.fullmatch(r"[\w .,\-\\]*", code.removeprefix(f"<% {before}").removesuffix(" %>"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_a_value_in_html_is_one_attribute(value: str) -> None:
    """With quotes or without, a value neither ends its attribute nor begins another."""
    resources = Resources(objects={"o": read_document("o", {"v": value})})
    for quote in ("'", '"', ""):
        written = f"<a title={quote}x<%@ value object='o' xpath='@v' %>{quote} id=1>t</a>"

        html = expand(Source("-", html=written), resources).html

        assert html is not None
        tag = html.removesuffix(f"{quote} id=1>t</a>").removeprefix(f"<a title={quote}x")
        assert not re.search(r"['\"<>]" + ("" if quote else r"|[\s=`]"), tag)


def test_each_item_of_a_loop_has_a_link_of_its_own() -> None:
    """Three articles give three links, each with its own name."""
    articles = [{"url": f"https://x.example/{n}?a=1&b=2", "title": f"No. {n}"} for n in range(3)]
    html = (
        "<%@ foreach object='article' %><a href='<%@ value object='article' xpath='@url' %>'>"
        "<%@ value object='article' xpath='@title' %></a><%@ end %>"
    )
    resources = Resources(objects={"article": read_document("article", articles)})

    found = detect(expand(Source("News", html), resources), addresses=ADDRESSES)

    assert [(link.source, link.label) for link in found] == [
        (article["url"], article["title"]) for article in articles
    ]


def test_a_page_is_read_once_a_message() -> None:
    """All parts and all rounds of a loop show the same state of a page or file."""
    asked: Counter[str] = Counter()

    def answer(name: str) -> str:
        asked[name] += 1
        return f"{name} {asked[name]}"

    text = (
        "<%@ foreach object='shop' xpath='lamp' %><%@ include url='u' %>,"
        "<%@ include file='f' %>;<%@ end %>"
    )
    resources = Resources(objects={"shop": SHOP}, fetch=answer, read=answer)

    came_out = expand(Source("-", text, text), resources)

    assert came_out == Source("-", "u 1,f 1;" * 3, "u 1,f 1;" * 3)
    assert asked == {"u": 1, "f": 1}


def test_an_xpath_has_a_limit() -> None:
    """The longest one is followed, one character more is refused."""
    resources = Resources(objects={"shop": SHOP})
    for xpath, is_refused in (("@a" + " " * 998, False), ("@a" + " " * 999, True)):
        written = f"<%@ value object='shop' xpath='{xpath}' %>"
        if is_refused:
            with pytest.raises(InvalidContent, match="at most 1,000 characters"):
                expand_text("text", written, resources)
        else:
            assert expand_text("text", written, resources) == "1"


def test_a_message_reads_only_so_many_pages() -> None:
    """A page that includes ever more pages ends, though each one is read in time."""
    text = "".join(f"<%@ include url='u{n}' %>" for n in range(50))

    def answer(url: str) -> str:
        return f"{url};"

    assert expand(Source("-", text, text), Resources(fetch=answer)).text == "".join(
        f"u{n};" for n in range(50)
    )
    with pytest.raises(InvalidContent, match="includes at most 50 pages"):
        expand(Source("-", text, f"{text}<%@ include url='u50' %>"), Resources(fetch=answer))


def test_nothing_is_read_without_somebody_who_reads() -> None:
    """Who brings no readers gets a sentence, not a connection."""
    for instruction, sentence in (
        ("<%@ include url='https://x.example/' %>", "from other hosts"),
        ("<%@ include file='/etc/passwd' %>", "No file can be read here"),
    ):
        with pytest.raises(InvalidContent, match=f"text line 1, column 1: .*{sentence}"):
            expand(Source("-", text=instruction))


def test_a_host_that_is_away_is_told_with_the_place() -> None:
    """A passing failure stops the analysis with a sentence, too."""

    def fail(_url: str) -> str:
        raise Transient("x.example does not answer.")

    with pytest.raises(InvalidContent, match=r"text line 2, column 1: x.example does not answer."):
        expand(Source("-", text="\n<%@ include url='u' %>"), Resources(fetch=fail))


def test_what_grows_has_a_limit() -> None:
    """Inclusions that double each time end at five million characters."""
    options = {
        f"o{n}": f"<%@ include option='o{n + 1}' %>" * 20 for n in range(INCLUSION_DEPTH_MAX - 1)
    }
    options[f"o{INCLUSION_DEPTH_MAX - 1}"] = "x" * 100
    with pytest.raises(InvalidContent, match="text line 1, column 2: It grows beyond 5,000,000"):
        expand(Source("-", text=" <%@ include option='o0' %>"), Resources(options=options))


def test_loops_that_write_nothing_have_a_limit() -> None:
    """Nested loops with empty bodies end as well."""
    many = Resources(objects={"o": read_document("o", [{}] * 400)})
    loops = "<%@ foreach object='o' item='{}' %>"
    text = loops.format("a") + loops.format("b") + "<%@ end %><%@ end %>"
    with pytest.raises(InvalidContent, match="more than 100,000 rounds"):
        expand(Source("-", text=text), many)


def test_a_custom_block_never_stands_before_a_built_in_one() -> None:
    """A block with the name of one that needs the token is not taken for it."""
    written = "<%@ include view='UnsubscriptionLink' %>"
    resources = Resources(blocks={"UnsubscriptionLink": CustomBlock("x", "x")})

    assert expand(Source("-", written, written), resources) == Source("-", written, written)
    assert "UnsubscriptionLink" in built_in_views()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("<a><b></a>", "The XML cannot be read"),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "has a document type"),
        ("<a>&e;</a>", "The XML cannot be read"),
        ("", "The XML cannot be read"),
        (5, "not a single value"),
        (None, "not a single value"),
        ({"two words": 1}, "'two words' cannot name an element"),
        ({"1st": [1]}, "'1st' cannot name an element"),
        ({"a": [[1]]}, "'a' has a list inside a list"),
        ({"a": "\x00"}, "character that no document may hold"),
        ([["x"]], "'o' has a list inside a list"),
    ],
)
def test_what_is_no_document_is_refused(document: object, sentence: str) -> None:
    """Whatever cannot be elements is told in a sentence."""
    with pytest.raises(InvalidInput, match=sentence):
        read_document("o", document)


def test_documents_have_a_depth() -> None:
    """Nesting without end is refused before it can exhaust anything."""
    document: dict[str, object] = {}
    for _ in range(60):
        document = {"a": document}
    with pytest.raises(InvalidInput, match="nested more than 50 deep"):
        read_document("o", document)


def test_entities_of_the_network_are_never_loaded() -> None:
    """A document type that names a file is refused, whatever stands before it."""
    evil = '<?xml version="1.0"?>\n<!-- x --><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'
    with pytest.raises(InvalidInput, match="leave <!DOCTYPE …> out"):
        read_document("o", evil)
