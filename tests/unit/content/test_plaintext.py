"""Web addresses in running text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from aftersend.content import Source, detect
from tests.support.content_golden import ADDRESSES, compile_case, render_case, tokens

_URLS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(("https", "http", "HTTP")),
    st.sampled_from(("x.example", "a-b.example:8080", "grün.example", "u:p@x.example")),
    st.sampled_from(
        (
            "",
            "/",
            "/a_(b)",
            "/a,b;c",
            "?a=1&b[0]=2",
            "/é#!/x",
            "/{{ name }}/x",
            "/(a[b]{c})",
            "/%41~",
        )
    ),
)
_BEFORE = st.sampled_from(
    ("", "See ", "(", "[", "<", '"', "{", "“", "\n", "to:\t", "*", "é ", "，")
)
_BEHIND = st.sampled_from(
    (" ", ". ", ")", "). ", "]; ", ">", '" ', "} ", "”", ",\n", "!?\r\n", "... ", "* ", "、", "' ")
)
_texts = st.lists(st.tuples(_BEFORE, _URLS, _BEHIND), max_size=8)


@given(_texts)
def test_known_urls(pieces: list[tuple[str, str, str]]) -> None:
    """The addresses of a text are replaced, brackets and punctuation around them stay.

    Killed mutants: trailing punctuation kept; a closing bracket never ends a URL; a closing bracket
    always ends one; placeholders cut at their space; the host compared with its case.
    """
    text = "".join("".join(piece) for piece in pieces) + "The end"
    urls = [url for _, url, _ in pieces]
    source = Source("-", text=text)
    sent = render_case(compile_case(source)).text
    assert sent is not None

    assert list(dict.fromkeys(urls)) == [
        link.source for link in detect(source, addresses=ADDRESSES)
    ]
    marked = "".join(f"{before}⟦⟧{behind}" for before, _, behind in pieces) + "The end"
    assert marked == re.sub(r"https://t\.example/r/[a-z2-7]{22,26}", "⟦⟧", sent)
    assert len(urls) == len(tokens(sent))
