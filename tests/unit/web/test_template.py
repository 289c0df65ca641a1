"""Templates and what they load."""

import re
from pathlib import Path

from aftersend.web import template

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted((template.STATIC.parent / "templates").glob("*.html"))


def test_every_icon_is_built_and_used() -> None:
    """The list of icons that are built is the list of icons that templates name."""
    text = "".join(path.read_text() for path in TEMPLATES)
    listed = re.search(r"ICONS = \[(.*?)\]", (ROOT / "frontend/build.mjs").read_text(), re.DOTALL)
    assert listed is not None
    built = set(re.findall(r'"([a-z0-9-]+)"', listed[1]))
    named = set(re.findall(r'"([a-z]+(?:-[a-z0-9]+)*)"', text))

    assert set() == built - named
    assert built >= set(re.findall(r'icon\("([a-z0-9-]+)"', text))


def test_templates_bring_no_code() -> None:
    """No template holds a script, a style or a handler: the policy of the pages forbids them."""
    for path in TEMPLATES:
        text = path.read_text()

        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text), path.name
        assert "| safe" not in text, path.name


def test_everything_comes_from_us() -> None:
    """Neither templates nor our style sheet name another host."""
    own = [*TEMPLATES, template.STATIC / "aftersend.css", template.STATIC / "aftersend.js"]
    for path in own:
        assert not re.search(r"(?:src|href|url\()=?[\"'(]?(?:https?:)?//", path.read_text()), path
