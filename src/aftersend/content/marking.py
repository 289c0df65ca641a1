"""What authors write on a link for its tracking: attributes that are never sent.

| ours | other products' | what it says |
|---|---|---|
| `_label="…"` | `data-msys-linkname`, `ses:tags`, `data-cio-tag` | the name of the link |
| `_category="…"` | | its category |
| `_type="optOut"` | `data-msys-unsubscribe="1"` | it leads to an unsubscription |
| `_type="mirrorPage"` | | it leads to the web copy |
| | `clicktracking=off`, `disable-tracking=true`, `data-msys-clicktrack="0"`, `ses:no-track`, \
`data-pm-no-track`, `mautic:disable-tracking` | it is not tracked |

`https+notrack://` in place of `https://` says that a link is not tracked, in a text as well. In a
text, SparkPost's attributes stand behind the address: `https://x.example/[[data-msys-clicktrack="0"]]`.

Source: spec §3.6, field lessons §5.4, and the products' own manuals.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Final

from aftersend.content.expression import Passage
from aftersend.content.markup import Attribute, Tag, decode_attribute
from aftersend.model.enumeration import UrlType

__all__ = [
    "ATTRIBUTES",
    "BRACKETED",
    "NOTRACK",
    "Marks",
    "attribute_text",
    "read_bracketed",
    "read_marks",
    "unsent_attributes",
]

NOTRACK: Final = re.compile(r"https?(?P<mark>\+notrack)(?=://)", re.IGNORECASE)
"""The beginning of an address that is not tracked."""

BRACKETED: Final = re.compile(
    r"\[\[(?P<attributes>(?:\s*data-msys-[\w-]+\s*=\s*\"[^\"\n<>]*\")+)\s*\]\]"
)
"""What stands behind an address of a text."""

_TYPE: Final = "_type"
_CATEGORY: Final = "_category"
_TYPES: Final = {"mirrorpage": UrlType.MIRROR_PAGE, "optout": UrlType.OPT_OUT}
_LABELS: Final = ("_label", "data-msys-linkname", "ses:tags", "data-cio-tag")
_UNSUBSCRIBES: Final = "data-msys-unsubscribe"
# The value that switches tracking off; any value does where there is none here.
_SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "clicktracking": ("off",),
    "disable-tracking": ("true", "", "disable-tracking"),
    "data-msys-clicktrack": ("0",),
    "ses:no-track": (),
    "data-pm-no-track": (),
    "mautic:disable-tracking": (),
}
ATTRIBUTES: Final = frozenset((*_LABELS, _CATEGORY, _TYPE, _UNSUBSCRIBES, *_SWITCHES))
"""All of them; none is ever sent."""

_PAIR: Final = re.compile(r"(data-msys-[\w-]+)\s*=\s*\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Marks:
    """What the author says of one link; None and "" where he is silent."""

    label: str = ""
    category: str = ""
    type: UrlType | None = None
    is_tracked: bool = True


def read_marks(passage: Passage, tag: Tag) -> Marks:
    """Read the attributes of a link.

    Raises:
        InvalidContent: one differs from message to message, or names no type.
    """
    texts = {
        each.name: _fixed_text(passage, each)
        for each in reversed(tag.attributes)
        if each.name in ATTRIBUTES
    }
    own = texts.get(_TYPE, "").lower()
    if own and own not in _TYPES:
        attribute = tag.attribute(_TYPE)
        assert attribute is not None, "it has just been read"
        raise passage.error(
            f"There is no type {texts[_TYPE][:60]!r}: write mirrorPage or optOut.", attribute.start
        )
    marks = _marks(texts)
    return Marks(marks.label, marks.category, _TYPES.get(own, marks.type), marks.is_tracked)


def read_bracketed(written: str) -> Marks:
    """Read what stands in the double brackets behind an address of a text."""
    pairs = _PAIR.findall(written)
    return _marks({name.lower(): " ".join(unescape(value).split()) for name, value in pairs})


def unsent_attributes(passage: Passage, tag: Tag) -> Iterator[tuple[int, int]]:
    """Give the stretches of the attributes, with the white space before them.

    The white space stays where it parts two attributes, and so does an attribute before `=`, which
    would become the value of the one before it.
    """
    for attribute in tag.attributes:
        if attribute.name not in ATTRIBUTES:
            continue
        start, end = attribute.start, attribute.end
        if passage.masked[end : tag.end].lstrip("\t\n\f /").startswith("="):
            continue
        # A statement is masked as spaces, but it writes none.
        if passage.text[end] in "\t\n\f\r >":
            floor = max((each.end for each in passage.within(tag.start, start)), default=0)
            while start > floor and passage.masked[start - 1] in "\t\n\f ":
                start -= 1
        yield start, end


def attribute_text(passage: Passage, attribute: Attribute | None) -> str:
    """Read an attribute as people would: in one line."""
    if attribute is None:
        return ""
    written = passage.text[attribute.value_start : attribute.value_end]
    return " ".join(decode_attribute(written).split())


def _marks(texts: Mapping[str, str]) -> Marks:
    is_off = any(
        name in texts and (not values or texts[name].lower() in values)
        for name, values in _SWITCHES.items()
    )
    return Marks(
        label=next((texts[name] for name in _LABELS if texts.get(name)), ""),
        category=texts.get(_CATEGORY, ""),
        type=UrlType.OPT_OUT if texts.get(_UNSUBSCRIBES) == "1" else None,
        is_tracked=not is_off,
    )


def _fixed_text(passage: Passage, attribute: Attribute) -> str:
    if passage.within(attribute.start, attribute.end):
        raise passage.error(
            f"{attribute.name} is the same for everybody: no value.", attribute.start
        )
    return attribute_text(passage, attribute)
