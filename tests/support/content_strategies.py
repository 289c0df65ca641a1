"""Strategies that make messages: soups of markup, and documents whose links are known."""

from dataclasses import dataclass
from html import escape

from hypothesis import strategies as st

ATOMS = (
    *("<", ">", "/", "=", '"', "'", " ", "\n", "\r\n", "\r", "\t", "\f", "\0", "!", "-", "--", "?"),
    *(
        "a",
        "href",
        "x",
        "HREF",
        "é",
        "😀",
        "\ufeff",
        "\x85",
        "\u2028",
        "&amp;",
        "&",
        "&#38;",
        "&lt",
    ),
    *("<!--", "-->", "--!>", "<!--[if mso]>", "<![endif]-->", "<![CDATA[", "]]>", "<?", "<!x"),
    *("<script>", "</script>", "<style>", "</style", "<title>", "</title>", "<textarea>"),
    *("<noscript>", "</noscript>", "<plaintext>", "<xmp>", "</xmp>", "<svg>", "</svg>", "<select>"),
    *(
        '<a href="',
        "<a href=",
        "<a\n",
        "<area href='",
        "<v:rect href=",
        "</a>",
        "_label=",
        "_type=",
    ),
    *("<body>", "</body>", "</BODY >", "<p>", "</p\n>", '<img alt="', "{{x}}", "mailto:"),
    *("https://x.example", "HTTP://x.example/", "http://", "https://x.example/?a=1&amp;b=2#c"),
)
"""What markup is made of, and what breaks it."""

EXPRESSIONS = (
    *("<%= recipient.a %>", "<%=escapeUrl(recipient.b)%>", "<%= recipient['c'] %>", "<%", "%>"),
    *("<%@ include view='MirrorPage' %>", '<%@include view="MirrorPageUrl"%>'),
    *("<%@ include view='UnsubscriptionLink' %>", "<%@ include view='No' %>", "<% x %>"),
    *("<% if (1) { %>", "<% } else { %>", "<% } %>", "<% let v = '}'; %>"),
    *("<%= escapeUrl(recipient.a + 1) %>", "<%= message.token %>"),
    *("<%@ include view='ViralLinks' %>", "<%@ include view='OpenPixel' %>"),
)

MARKS = (
    *(" _label=l", ' _category="c d"', " _type=optOut", " clicktracking=off", " ses:no-track"),
    *(' data-msys-clicktrack="0"', " disable-tracking=true\n", " data-pm-no-track", "ses:tags='x'"),
    *(" mautic:disable-tracking", " data-msys-linkname='&amp;'", " data-cio-tag", "data-cio-tag=x"),
    *(' data-msys-unsubscribe="1"', " href=https+notrack://x.example/a", "{{ses:openTracker}}"),
    *(' href="https+notrack://x.example/?a=1&amp;b"', '[[data-msys-clicktrack="0"]]'),
    *("<base href='https://b.example/p/q?r#s'>", '<a href="c/d?e=&amp;#f">', "<a href=../g>"),
    *("<a", ">", "<a ", "</a>", "\r\n", "<area", "/>", "<!--[if mso]>", "<![endif]-->"),
)
"""What authors write for the tracking, and what it stands in."""

NASTY = (
    *("", "x", '"><script>alert(1)</script>', "' onload='x", "--><!--", "</title></style>"),
    *("\r\nBcc: x@x.example", "\u2028", "&quot;", "javascript:alert(1)", "//evil.example/", "%00"),
    *("\0", "\ud800", "<%= recipient.a %>", "https://evil.example/", "é" * 300, "a b\tc"),
)
"""What recipients write into their own profile."""

_IN_TAGS = (
    *(
        " ",
        "\n",
        "\t",
        "\f",
        "\r",
        "/",
        "=",
        " = ",
        '"',
        "'",
        '="',
        "='",
        '" ',
        "' ",
        "`",
        "<",
        "&",
    ),
    *(
        "href",
        " HREF=",
        " alt=",
        " _label=",
        "_type",
        " id",
        "x",
        "é",
        "https://x.example/",
        "&amp;",
    ),
)
_LINES = (
    *('<a href="https://x.example/">', "<a href='https://x.example/?a=1&amp;b=2#c'>", "</a>"),
    *("<!--[if mso]><v:rect href=https://x.example/><![endif]-->", "<a href=https://x.example/>"),
)
_tags = st.builds(
    "<{}{}>".format,
    st.sampled_from(("a", "A", "area ", "v:rect ", "/a", "p ", "img ")),
    st.lists(st.sampled_from(_IN_TAGS), max_size=8).map("".join),
)
soups = st.lists(st.sampled_from(ATOMS + _LINES) | _tags, max_size=20).map("".join)
"""Markup that is broken in every way."""

scripted_soups = st.lists(
    st.sampled_from(ATOMS + _LINES) | st.sampled_from(EXPRESSIONS) | _tags, max_size=20
).map("".join)
"""The same with expressions; most are refused."""

marked_soups = st.lists(
    st.sampled_from(MARKS) | st.sampled_from(ATOMS + _LINES) | _tags, max_size=20
).map("".join)
"""Broken markup with marks of authors and a base."""

texts_with_values = st.lists(
    st.sampled_from(("<%= recipient.a %>", "<%=escapeUrl(recipient.b)%>", "Hi ", "é", "<b>", "&"))
).map("".join)
"""What is never refused outside of markup."""

markup_with_values = st.lists(
    st.sampled_from(
        (
            *('<p title="<%= recipient.a %>">', "<p title='<%= recipient.b %>'>", "<p>", "</p>"),
            *(
                "<p title=<%= recipient.a %>>",
                "<p <%= recipient.b %>>",
                "<!-- <%= recipient.a %> -->",
            ),
            *(
                '<a href="https://x.example/?<%= escapeUrl(recipient.a) %>">',
                "</a>",
                "<%= recipient.b %>",
            ),
            *(
                "<title><%= recipient.a %></title>",
                '<a href="mailto:<%= recipient.a %>">',
                "<b",
                " x>",
            ),
        )
    ),
    max_size=6,
).map("".join)
"""Values at every kind of place; some are refused."""

values = st.sampled_from(NASTY) | st.text(max_size=20) | st.none() | st.integers()
recipients = st.fixed_dictionaries({"a": values, "b": values})


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a document; of a link, `url` is its meaning, `marked` has ⟦⟧ for its address."""

    raw: str
    marked: str
    url: str = ""


_PATHS = st.text("abcXYZ019-._~!$'()*+,;:@%/", max_size=12)
_URLS = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(("http", "https", "HTTPS")),
    st.sampled_from(("x.example", "a.b.example:8080", "grün.example", "user@x.example")),
    _PATHS.map(lambda path: path and f"/{path}"),
    st.sampled_from(("", "?", "?a=1&b=2", "?u=https://y.example/&amp", "?f[0]=é", "#top", "?&lt;")),
)
_SPACES = st.sampled_from((" ", "\n", "\t ", "\r\n", " \f"))
_OTHERS = st.sampled_from(("", 'id="a"', "class=b", "disabled", "title='href=\"x\"'", 'xhref="y"'))


@st.composite
def _links(draw: st.DrawFn) -> Piece:
    url = draw(_URLS)
    quote = draw(st.sampled_from(('"', "'")))
    numbers = {ord(character): f"&#{ord(character)};" for character in "&\"'<"}
    spelled = escape(url) if draw(st.booleans()) else url.translate(numbers)
    name, href = draw(st.sampled_from((("a", "href"), ("A", "HREF"), ("area", "Href"))))
    equals = draw(st.sampled_from(("=", " = ", "=\n")))
    inner = draw(st.sampled_from(("text", "", "<b>bold</b>", "<img src='https://no.example/'>")))
    before = f"<{name}{draw(_SPACES)}{draw(_OTHERS)}{draw(_SPACES)}{href}{equals}"
    after = f"{draw(_SPACES)}{draw(_OTHERS)}>{inner}"
    close = draw(st.sampled_from((f"</{name}>", f"</{name} >", "")))
    return Piece(
        f"{before}{quote}{spelled}{quote}{after}{close}",
        f"{before}{quote}⟦⟧{quote}{after}{close}",
        url,
    )


_NOISE = st.sampled_from(
    (
        *("<p>Hello</p>", "a < b & c > d", "&amp;amp; &nbsp;", "<br/>", "\r\n", "{{ name }}", "😀"),
        *('<!-- <a href="https://no.example/"> </body> -->', "<![endif]>", "<!DOCTYPE html>"),
        *("<script>'<a href=\"https://no.example/\"></body>'</script>", "<style>a{}</style>"),
        *("<title><a href='https://no.example/'></title>", "<textarea></body></textarea>"),
        *('<a href="mailto:x@x.example">m</a>', "<a name=top></a>", '<a href="#top">up</a>'),
        *('<link href="https://no.example/">', '<img src="https://no.example/i.png" alt="i">'),
        *('<a href="{{url}}">t</a>', '<a href="/x">r</a>', '<a title="https://no.example/">n</a>'),
        *("<body>", "<table><tr><td>", "</p>", "<P\nCLASS=x>", "<a href=''>", "<o:p></o:p>"),
    )
).map(lambda raw: Piece(raw, raw))

documents = st.lists(_links() | _NOISE, max_size=12)
"""Lists of pieces; the document is their `raw` joined."""

endings = st.sampled_from(
    (
        *(("", ""), ("", "</body>"), ("", "</BODY\n>"), ("", "</body></html>\n")),
        *(("</body><p>", "</body>"), ("", "</body><!-- </body> -->"), ("<!-- </body> -->", "")),
    )
)
"""Ends of documents: what stands before the pixel and what behind it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A piece of a document with statements, and what is left of it when they have run."""

    written: str
    left: str


_CLASSES = ("<p{}>", "<td align=left{} >", "<img alt=''{}>")


def _if(condition: str, yes: Choice, no: Choice) -> Choice:
    """Choose one of two pieces; `condition` is 1 or 0."""
    written = f"<% if ({condition}) {{ %>{yes.written}<% }} else {{ %>{no.written}<% }} %>"
    return Choice(written, yes.left if condition == "1" else no.left)


def _loop(count: int, piece: Choice) -> Choice:
    written = f"<% for (let i = 0; i < {count}; i++) {{ %>{piece.written}<% }} %>"
    return Choice(written, piece.left * count)


def _attributes(frame: str, condition: str) -> Choice:
    choice = _if(condition, Choice(" class=a", " class=a"), Choice(" id='b'", " id='b'"))
    return Choice(frame.format(choice.written), frame.format(choice.left))


def _style(condition: str) -> Choice:
    choice = _if(condition, Choice("red", "red"), Choice("blue", "blue"))
    return Choice(f'<p style="color:{choice.written}">', f'<p style="color:{choice.left}">')


_condition = st.sampled_from(("0", "1"))
_plain = (
    (_links() | _NOISE)
    .filter(lambda piece: "<body" not in piece.raw)
    .map(lambda piece: Choice(piece.raw, piece.raw))
)
_in_text = st.sampled_from(
    (
        *("https://x.example/a", "https://y.example/?b=1.", " and ", "\n", "(https://z.example)"),
        *(
            "/more",
            "?b=1",
            "https+notrack://x.example/c ",
            'https://x.example/d[[data-msys-linkname="x"]] ',
            " . ",
        ),
    )
).map(lambda text: Choice(text, text))


def _choices(leaves: st.SearchStrategy[Choice]) -> st.SearchStrategy[Choice]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(_if, _condition, inner, inner)
            | st.builds(_loop, st.integers(0, 2), inner)
            | st.lists(inner, max_size=3).map(
                lambda many: Choice(
                    "".join(each.written for each in many), "".join(each.left for each in many)
                )
            )
        ),
        max_leaves=8,
    )


choices = _choices(
    st.just(Choice("</body>", "</body>"))
    | _plain
    | st.builds(_attributes, st.sampled_from(_CLASSES), _condition)
    | _condition.map(_style)
)
"""Documents whose statements choose what is written."""

text_choices = _choices(_in_text)
"""Texts whose statements choose what is written."""

damages = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 40),
        st.sampled_from((*ATOMS, *EXPRESSIONS, *MARKS, "", "", "")),
    ),
    max_size=4,
)
"""Where, as a share of a text, how many characters are replaced, and by what."""


def damaged(text: str, damage: list[tuple[float, int, str]]) -> str:
    """Give a text with its damages."""
    for place, length, atom in damage:
        at = int(place * len(text))
        text = text[:at] + atom + text[at + length :]
    return text
