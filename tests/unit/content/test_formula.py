"""Formulas and link parameters; their golden cases are `formula-*.txt`."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.content import Preparation, Source, TrackedLink, compile_message
from aftersend.content.expression import Operand, Value
from aftersend.content.formula import add_parameters
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import Destination, location
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import UrlId
from tests.support.content_golden import (
    ADDRESSES,
    DELIVERY_ID,
    compile_case,
    readable,
    render_case,
    tokens,
)

URL = "https://x.example/p"
LINK = Source("-", f'<a href="{URL}">x</a>', URL)

_keys = st.sampled_from(["a", "b", "c", "utm_source", "f[0]", "%41", "a+b"])
_own_values = st.sampled_from(["", "=", "=1", "=a%2Fb", "=1+2", "=%", "=x=y"])
_own = st.lists(st.tuples(_keys, _own_values).map("".join) | st.just(""), max_size=4)
_pairs = st.lists(st.tuples(_keys, st.sampled_from(["1", "", "x%20y"])), max_size=3)


@given(
    path=st.sampled_from(["", "/", "/p", "/p;a=b"]),
    own=st.none() | _own,
    fragment=st.sampled_from(["", "#", "#f", "#a=1?b#c"]),
    pairs=_pairs,
)
@example("", [""], "#f", [("a", "1")])
@example("/", ["a=1", ""], "", [("A", "1"), ("%61", "2")])
def test_parameters_are_added(
    path: str, own: list[str] | None, fragment: str, pairs: list[tuple[str, str]]
) -> None:
    """A destination keeps its text and gets, before its fragment, the keys that it lacks.

    Killed mutants: parameters behind the fragment; `?` doubled; keys compared as they are spelled.
    """
    query = "" if own is None else "?" + "&".join(own)
    before, behind = f"https://x.example{path}{query}", fragment
    (added,), _ = add_parameters(
        (before + behind,), (), [(f"{key}={value}",) for key, value in pairs]
    )
    assert isinstance(added, str)

    assert added.startswith(before)
    assert added.endswith(behind)
    middle = added[len(before) : len(added) - len(behind)]
    known = {unquote_plus(each.partition("=")[0]) for each in own or []}
    wanted = [(key, value) for key, value in pairs if unquote_plus(key) not in known]
    assert "&".join(f"{key}={value}" for key, value in wanted) == middle.lstrip("?&")
    old, new = (_parameters(each) for each in (before, added))
    decoded = [(unquote_plus(key), unquote_plus(value)) for key, value in wanted]
    assert [*old, *decoded] == new


def _parameters(url: str) -> Sequence[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def test_fields_are_shared() -> None:
    """A field that the address has already is not carried twice."""
    fields: tuple[Operand, ...] = ("a", "b")
    pair = ("z=", Value("c", is_url=True), "-", Value("b", is_url=True))

    assert (("https://x.example/?a=", 0, "&b=", 1, "&z=", 2, "-", 1, "#f"), ("a", "b", "c")) == (
        add_parameters(("https://x.example/?a=", 0, "&b=", 1, "#f"), fields, [pair])
    )


def test_nothing_to_add() -> None:
    """Without a parameter that is new, a destination stays as it is."""
    pieces = ("https://x.example/?a=", 0, "#f")

    assert (pieces, ("b",)) == add_parameters(pieces, ("b",), [("a=1",)])
    assert (pieces, ("b",)) == add_parameters(pieces, ("b",), [])


@given(st.text(max_size=50))
@example("Zoë & 'co' #1")
def test_any_value_is_one_parameter(value: str) -> None:
    """Whatever a field holds, it is the value of its parameter, tracked or not."""
    value = value.encode(errors="replace").decode()
    preparation = Preparation(link_parameters="a=<%= escapeUrl(recipient.a) %>&b=1")
    tracked = compile_case(LINK, preparation=preparation)
    untracked = compile_case(LINK, preparation=preparation, is_tracked=False)
    token = tokens(render_case(tracked, a=value).text or "")[0]
    expected = [("a", value), ("b", "1")] if value else [("a", ""), ("b", "1")]

    assert expected == _parameters(location(tracked.urls[token.url_id], token.values, ""))
    assert expected == _parameters(render_case(untracked, a=value).text or "")


def test_chosen_types_count() -> None:
    """A link that was chosen for opt-out gets no parameters."""
    preparation = Preparation(link_parameters="utm=1")
    tracked = {
        (Part.HTML, URL): TrackedLink(UrlId(2), UrlType.OPT_OUT, "Bye"),
        (Part.TEXT, URL): TrackedLink(UrlId(3)),
    }
    template = compile_message(
        LINK,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        tracked=tracked,
        preparation=preparation,
    )

    assert [(URL,), (f"{URL}?utm=1",)] == [template.urls[UrlId(n)].pieces for n in (2, 3)]


def test_what_formulas_know() -> None:
    """Formulas know the link's address, id and name, the delivery and the recipient."""
    preparation = Preparation(
        click_formula=(
            "<%= trackingUrl %>?<%= [urlString, urlId, urlLabel, urlCategory, delivery.label,"
            " recipient.a, message.id].map(escapeUrl).join() %>"
        ),
        delivery={"label": "News"},
    )
    html = f'<a href="{URL}" _label="Shop &amp; more">x</a>'
    rendered = render_case(
        compile_case(Source("-", html), preparation=preparation, is_open_tracked=False), a="A"
    )

    url, label = quote(URL, safe=""), "Shop%20%26%20more"
    assert f'<a href="⟦h2⟧?{url},2,{label},,News,A,300">x</a>' == readable(rendered.html or "")


def test_parameters_know_untracked_links() -> None:
    """A link that is not tracked has the id 0."""
    template = compile_case(
        LINK, preparation=Preparation(link_parameters="i=<%= urlId %>"), is_tracked=False
    )

    assert f"{URL}?i=0" == render_case(template).text


def test_formula_in_every_part() -> None:
    """An untracked message has no formulas; a formula leaves the subject alone."""
    preparation = Preparation(
        click_formula="https://c.example/<%= urlId %>", open_formula="https://o.example/"
    )
    source = Source(f"{URL} <%= recipient.a %>", LINK.html, LINK.text)
    sent = render_case(compile_case(source, preparation=preparation), a="A")
    plain = render_case(compile_case(source, preparation=preparation, is_tracked=False), a="A")

    assert (f"{URL} A", "https://c.example/3") == (sent.subject, sent.text)
    assert 'href="https://c.example/2"' in (sent.html or "")
    assert '<img src="https://o.example/" width="1"' in (sent.html or "")
    assert (f"{URL} A", LINK.html, LINK.text) == (plain.subject, plain.html, plain.text)


def test_too_long() -> None:
    """Parameters that make a destination too long, or give it too many fields, are refused."""
    many = "&".join(f"a{n}=<%= escapeUrl(recipient.a{n}) %>" for n in range(65))

    with pytest.raises(InvalidContent, match=r"link parameters: .* longer than 8192 characters"):
        compile_case(LINK, preparation=Preparation(link_parameters=f"a={'x' * 8192}"))
    with pytest.raises(InvalidContent, match=r"link parameters: .* more than 64 fields"):
        compile_case(LINK, preparation=Preparation(link_parameters=many))


def test_limits_of_parameters() -> None:
    """Parameters that never end are refused when the message is compiled."""
    preparation = Preparation(link_parameters="<% for (;;); %>", seconds_max=0.1)

    with pytest.raises(InvalidContent, match=r"link parameters: .* longer than 0\.1 seconds"):
        compile_case(LINK, preparation=preparation)


@pytest.mark.parametrize("formula", ["", " ", "<%= trackingUrl %>\n", "<%=trackingUrl%>"])
def test_default_formula(formula: str) -> None:
    """The default formula costs nothing: it is as if there were none."""
    preparation = Preparation(click_formula=formula, open_formula=formula)
    template = compile_case(LINK, preparation=preparation)

    assert compile_case(LINK) == template
    assert {UrlId(2): Destination((URL,), label="x")}.items() <= template.urls.items()


def test_a_formula_that_writes_white_space_writes_nothing() -> None:
    """White space is no address."""
    template = compile_case(
        LINK, preparation=Preparation(click_formula="<% if (0) { %><%= trackingUrl %><% } %> <%%>")
    )

    assert URL == render_case(template).text


def test_categories() -> None:
    """A formula knows the category that was chosen for a link, else that of its author."""
    source = Source("-", text="https://x.example/")
    preparation = Preparation(click_formula="<%= trackingUrl + '?' + urlCategory %>")
    tracked = {(Part.TEXT, "https://x.example/"): TrackedLink(UrlId(2), category="shop")}
    template = compile_message(
        source,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        tracked=tracked,
        preparation=preparation,
    )

    assert (render_case(template).text or "").endswith("?shop")
