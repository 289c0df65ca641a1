"""Real templates that nobody here wrote."""

import re
from pathlib import Path

import pytest

from aftersend.content import Source, detect
from tests.support.content_golden import ADDRESSES, compile_case, render_case

EMAILS = Path(__file__).parents[2] / "data" / "emails"
_OURS = re.compile(r"https://t\.example/r/[a-z2-7]+")
_HREF = re.compile(r"<(?:a|area|v:\w+)\b[^>]*?\shref=\"(https?://[^\"]+)\"")


@pytest.mark.parametrize("path", sorted(EMAILS.glob("*.html")), ids=lambda path: path.stem)
def test_html(path: Path) -> None:
    """In a real template every web address of a link is replaced, and not one character else."""
    html = path.read_text(encoding="utf-8")
    urls = [url for url in _HREF.findall(html) if "{{" not in url]
    template = compile_case(Source("-", html), is_open_tracked=False)
    sent = render_case(template).html
    assert sent is not None

    assert urls
    found = detect(Source("-", html), addresses=ADDRESSES)
    assert sum(link.occurrences for link in found) == len(urls)
    marked = html
    for url in urls:
        marked = marked.replace(f' href="{url}"', ' href="⟦⟧"', 1)
    assert marked == _OURS.sub("⟦⟧", sent)


@pytest.mark.parametrize("path", sorted(EMAILS.glob("*.html")), ids=lambda path: path.stem)
def test_pixel(path: Path) -> None:
    """In a real template the pixel stands at the end of the body."""
    html = path.read_text(encoding="utf-8")
    sent = render_case(compile_case(Source("-", html), is_tracked=True)).html
    assert sent is not None
    before, _, behind = sent.rpartition('<img src="https://t.example/r/')

    assert behind.partition(">")[2] == html[html.rindex("</body>") :]
    assert "</body>" not in before


@pytest.mark.parametrize("path", sorted(EMAILS.glob("*.txt")), ids=lambda path: path.stem)
def test_text(path: Path) -> None:
    """In a real text every web address is replaced, and the space before a bracket stays."""
    text = path.read_text(encoding="utf-8")
    urls = re.findall(r"https?://[^\s)}]+", text)
    sent = render_case(compile_case(Source("-", text=text))).text
    assert sent is not None

    marked = text
    for url in sorted(urls, key=len, reverse=True):
        marked = marked.replace(url, "⟦⟧")
    assert urls
    assert marked == _OURS.sub("⟦⟧", sent)
