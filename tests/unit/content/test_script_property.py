"""What must hold for every message with conditions and loops that anybody could write."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from hypothesis import assume, example, given
from hypothesis import strategies as st

from aftersend.content import Source, Template
from aftersend.content.sheet import spoken
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import location
from aftersend.model.token import decode
from tests.support import content_strategies as some
from tests.support.content_golden import KEYS, compile_case, render_case

_LINK = re.compile(r"https://t\.example/r/([a-z2-7]+)(?!\.gif|[a-z2-7])")
_TEXTS = ("Hi ", "<p>", "</p>\n", "é &amp; ", "<b class='x'>", "-")


@dataclass(frozen=True)
class _Naive:
    """What Python would write in a part; `counts` are those of the loops around."""

    recipient: Mapping[str, str]
    is_html: bool
    counts: tuple[int, ...] = ()

    def spell(self, text: str) -> str:
        return escape(text) if self.is_html else text


@dataclass(frozen=True)
class _Text:
    text: str

    def source(self, depth: int, *, is_html: bool) -> str:
        return self.text

    def sent(self, naive: _Naive) -> str:
        return self.text


@dataclass(frozen=True)
class _Field:
    name: str
    is_script: bool

    def source(self, depth: int, *, is_html: bool) -> str:
        field = f"recipient.{self.name}"
        return f"<%= '' + {field} + depth %>" if self.is_script else f"<%= {field} %>"

    def sent(self, naive: _Naive) -> str:
        count = str(len(naive.counts)) * self.is_script
        return naive.spell(naive.recipient.get(self.name, "undefined" * self.is_script) + count)


@dataclass(frozen=True)
class _Count:
    def source(self, depth: int, *, is_html: bool) -> str:
        return f"<%= i{depth - 1} %>" if depth else ""

    def sent(self, naive: _Naive) -> str:
        return str(naive.counts[-1]) if naive.counts else ""


@dataclass(frozen=True)
class _Link:
    name: str

    def source(self, depth: int, *, is_html: bool) -> str:
        count = f"&i=<%= escapeUrl(i{depth - 1} + '&') %>" if depth else ""
        url = f"https://x.example/?a=<%= escapeUrl(recipient.{self.name}) %>{count}"
        return f'<a href="{url}">' if is_html else f"{url} "

    def sent(self, naive: _Naive) -> str:
        value = quote(naive.recipient.get(self.name, ""), safe="")
        count = f"&i={naive.counts[-1]}%26" if naive.counts else ""
        url = naive.spell(f"https://x.example/?a={value}{count}")
        return f'<a href="{url}">' if naive.is_html else f"{url} "


@dataclass(frozen=True)
class _If:
    name: str
    value: str
    yes: tuple["_Node", ...]
    no: tuple["_Node", ...]

    def source(self, depth: int, *, is_html: bool) -> str:
        condition = f"recipient.{self.name} == '{self.value}'"
        yes, no = (_source(each, depth, is_html=is_html) for each in (self.yes, self.no))
        return f"<% if ({condition}) {{ %>{yes}<% }} else {{\n %>{no}<% }} %>"

    def sent(self, naive: _Naive) -> str:
        return _sent(self.yes if naive.recipient.get(self.name) == self.value else self.no, naive)


@dataclass(frozen=True)
class _For:
    count: int
    body: tuple["_Node", ...]

    def source(self, depth: int, *, is_html: bool) -> str:
        body = _source(self.body, depth + 1, is_html=is_html)
        loop = f"for (let i{depth} = 0; i{depth} < {self.count}; i{depth}++)"
        return f"<% {loop} {{ const depth = {depth + 1} %>{body}<% }} %>"

    def sent(self, naive: _Naive) -> str:
        return "".join(
            _sent(self.body, _Naive(naive.recipient, naive.is_html, (*naive.counts, count)))
            for count in range(self.count)
        )


_Node = _Text | _Field | _Count | _Link | _If | _For


def _source(nodes: tuple[_Node, ...], depth: int, *, is_html: bool) -> str:
    return "".join(node.source(depth, is_html=is_html) for node in nodes)


def _sent(nodes: tuple[_Node, ...], naive: _Naive) -> str:
    return "".join(node.sent(naive) for node in nodes)


_names = st.sampled_from(["a", "b", "c"])
_values = st.sampled_from(["", "x", "<&\"'>", "é", "1", "a b%41"])
_leaves: st.SearchStrategy[_Node] = st.one_of(
    st.builds(_Text, st.sampled_from(_TEXTS)),
    st.builds(_Field, _names, st.booleans()),
    st.builds(_Count),
    st.builds(_Link, _names),
)


def _bodies(nodes: st.SearchStrategy[_Node]) -> st.SearchStrategy[tuple[_Node, ...]]:
    return st.lists(nodes, max_size=4).map(tuple)


_nodes: st.SearchStrategy[_Node] = st.recursive(
    _leaves,
    lambda inner: (
        st.builds(_If, _names, st.sampled_from(["x", "1", ""]), _bodies(inner), _bodies(inner))
        | st.builds(_For, st.integers(0, 3), _bodies(inner))
    ),
    max_leaves=12,
)


def _landed(template: Template, sent: str, spell: Callable[[str], str]) -> str:
    """Put in place of our addresses where they lead."""

    def destination(match: re.Match[str]) -> str:
        token = decode(match[1], keys=KEYS)
        return spell(location(template.urls[token.url_id], token.values, match[1]))

    return _LINK.sub(destination, sent)


@given(_bodies(_nodes), st.dictionaries(_names, _values))
@example(
    (_For(2, (_If("a", "x", (_Link("b"), _Count(), _Field("b", is_script=True)), ()),)),),
    {"a": "x", "b": "<&\"'>"},
)
def test_scripts_write_what_python_would(
    nodes: tuple[_Node, ...], recipient: dict[str, str]
) -> None:
    """Conditions and loops write what the same structure, walked in Python, writes.

    Killed mutants: literals of a stretch in another order; a loop's first value in all its links;
    values of links escaped for HTML; values of scripts not escaped.
    """
    html, text = (
        f"<% const depth = 0 %>-{_source(nodes, 0, is_html=is_html)}" for is_html in (True, False)
    )
    template = compile_case(Source("-", html, text), is_open_tracked=False)
    rendered = render_case(template, **recipient)

    assert f"-{_sent(nodes, _Naive(recipient, is_html=True))}" == _landed(
        template, rendered.html or "", escape
    )
    assert f"-{_sent(nodes, _Naive(recipient, is_html=False))}" == _landed(
        template, rendered.text or "", str
    )


@given(some.scripted_soups | some.markup_with_values, some.texts_with_values, some.recipients)
@example('<a href="https://x.example/?a=<%= escapeUrl(recipient.a) %>">x</a>', "", {"a": "é"})
def test_scripts_without_effect_change_nothing(
    html: str, text: str, recipient: Mapping[str, object]
) -> None:
    """A message inside a condition that always holds is the message without it.

    Killed mutants: values not escaped where a script stands around them; a filling with the number
    of another.
    """
    assume(html.strip() and not re.search(r"<%(?!=|@)", html))
    sent = _both(Source("Hi <%= recipient.a %>", html, f"-{text}"), recipient)
    wrapped = (f"<% if (true) {{ %>{each}<% }} %>" for each in ("Hi <%= recipient.a %>", html))
    subject, body = wrapped
    other = _both(Source(subject, body, f"<% if (true) {{ %>-{text}<% }} %>"), recipient)

    assert sent == other


def _both(source: Source, recipient: Mapping[str, object]) -> tuple[object, ...]:
    try:
        template = compile_case(source, is_open_tracked=False)
        rendered = render_case(template, **recipient)
    except InvalidContent:
        assume(False)
        raise
    return rendered, template.urls


@given(st.text(max_size=30))
@example("\ud800")
@example("</script>\u2028")
def test_values_pass_through_scripts(value: str) -> None:
    """Whatever a field holds, a script gets it whole and gives it back whole.

    Killed mutant: half characters let through.
    """
    source = Source("-", text="<% var a = recipient.a %>[<%= a %>|<%= recipient.a %>]")
    sent = render_case(compile_case(source), a=value).text

    assert f"[{spoken(value)}|{spoken(value)}]" == sent
