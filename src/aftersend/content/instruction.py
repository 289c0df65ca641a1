r"""Carrying out instructions: `<%@ … %>`, once, from text to text, before links are detected.

=============================================  ==================================================
instruction                                    puts in its place
=============================================  ==================================================
``include view='X'``                           the custom block X; built-in ones are left for later
``include option='X'``                         the value of the option X
``include url='…'``, ``include file='…'``      what can be read there, read once a message
``value object='o' [xpath='p'] [index='n']``   the text of what the XPath finds, or of match n
``value object='startScript'``, ``endScript``  ``<%`` and ``%>``: what is between is a script
``foreach object='o' [xpath] [index] [item]``  its body once for each thing that the XPath finds
=============================================  ==================================================

Numbers count from 0; an XPath that is left out is `.`. An object is an element, or several: a
document that is a list. The things of a loop are known in its body by the name `item`, else by the
last name of the XPath, else by the name of the object. `index` of a loop is a number (only that
one of the object's elements is searched) or a name (the place in the loop, for `value`).

What is included is content and its instructions are carried out in turn; what `value` brings is
data, see `content.insertion`.

Invariants: a text without `<%@` comes out as it is; carrying out what came out changes nothing; all
errors name a place in the author's own text.

Limits: inclusions and loops 8 deep each, 100,000 rounds of loops, 5,000,000 characters a part, 50
pages and 50 files a message.

>>> from lxml import etree
>>> shop = etree.XML("<shop><lamp url='a.example'/><lamp url='b.example'/></shop>")
>>> text = '''<%@ foreach object='shop' xpath='lamp' %>
... - <%@ value object='lamp' xpath='@url' %><%@ end %>'''
>>> print(expand_text("text", text, Resources(objects={"shop": shop})))
<BLANKLINE>
- a.example
- b.example

Source: spec §3.1 (step 1), §3.2.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Final, TypeAlias

from lxml import etree

from aftersend.content.block import blocks
from aftersend.content.detection import LINE_BREAKS
from aftersend.content.document import NAME, Element, Object
from aftersend.content.insertion import Kind, Page, TooMuch
from aftersend.content.message import Addresses, Source
from aftersend.content.syntax import BEGINNING, Instruction, Literal, Loop, Node, Written, parse
from aftersend.errors import AftersendError, InvalidContent, InvalidInput
from aftersend.model.enumeration import Part

__all__ = [
    "SCRIPT_MARKS",
    "CustomBlock",
    "Resources",
    "built_in_views",
    "expand",
    "expand_text",
]

INCLUSION_DEPTH_MAX: Final = 8
ROUNDS_MAX: Final = 100_000
READ_MAX: Final = 50

SCRIPT_MARKS: Final = {"startScript": "<%", "endScript": "%>"}
_PREDICATE: Final = re.compile(r"\[[^\[\]]*\]")

_Thing: TypeAlias = Element | str
_Scope: TypeAlias = Mapping[str, Sequence[_Thing]]


@dataclass(frozen=True, slots=True)
class CustomBlock:
    """A piece of content that messages share; a part that is empty cannot be included."""

    html: str
    text: str


def _refuse_url(url: str) -> str:
    del url
    raise InvalidInput("Nothing can be read from other hosts here.")


def _refuse_file(name: str) -> str:
    del name
    raise InvalidInput("No file can be read here.")


@dataclass(frozen=True, slots=True)
class Resources:
    """What instructions may name; `fetch` reads an address and `read` a file, or they refuse.

    Both raise an `AftersendError` with a sentence for the author.
    """

    blocks: Mapping[str, CustomBlock] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, Object] = field(default_factory=dict)
    fetch: Callable[[str], str] = _refuse_url
    read: Callable[[str], str] = _refuse_file


def expand(source: Source, resources: Resources = Resources()) -> Source:
    """Carry out the instructions of a message.

    Raises:
        InvalidContent: an instruction cannot be carried out.
    """
    shared = replace(resources, fetch=_once(resources.fetch), read=_once(resources.read))
    return Source(
        subject=_expand("subject", source.subject, Kind.SUBJECT, shared),
        html=None if source.html is None else _expand("html", source.html, Kind.HTML, shared),
        text=None if source.text is None else _expand("text", source.text, Kind.TEXT, shared),
    )


def expand_text(name: str, text: str, resources: Resources = Resources()) -> str:
    """Carry out the instructions of a text that is no part of a message, such as a formula.

    `name` is what errors call it.

    Raises:
        InvalidContent: an instruction cannot be carried out.
    """
    return _expand(name, text, Kind.TEXT, resources)


@cache
def built_in_views() -> Sequence[str]:
    """Name the blocks that need the token of a message; no custom block can have these names."""
    somewhere = Addresses("https://t.example", "https://app.example")
    return tuple(
        dict.fromkeys(name for part in (Part.HTML, Part.TEXT) for name in blocks(part, somewhere))
    )


def _once(read: Callable[[str], str]) -> Callable[[str], str]:
    """Let a message show one state of a page or file, and read only so many."""
    known: dict[str, str] = {}

    def read_once(name: str) -> str:
        if name not in known:
            if len(known) == READ_MAX:
                raise InvalidInput(f"A message includes at most {READ_MAX} pages and files each.")
            known[name] = read(name)
        return known[name]

    return read_once


def _expand(name: str, text: str, kind: Kind, resources: Resources) -> str:
    if BEGINNING not in text:
        return text
    return str(_Expansion(resources, kind).of(Written(name, text)))


class _Expansion:
    """Carries out the instructions of one text."""

    def __init__(self, resources: Resources, kind: Kind) -> None:
        self._resources = resources
        self._page = Page(kind)
        self._included: list[str] = []
        self._parsed: dict[str, tuple[Written, tuple[Node, ...]]] = {}
        self._rounds = 0

    def of(self, written: Written) -> Page:
        self._carry_out(parse(written), written, {})
        return self._page

    def _carry_out(self, nodes: Sequence[Node], written: Written, scope: _Scope) -> None:
        for node in nodes:
            try:
                self._do(node, written, scope)
            except InvalidContent:
                raise
            except ValueError as error:
                raise written.error(str(error), node.at) from error
            except TooMuch as error:
                if self._included:
                    raise
                raise written.error(str(error), node.at) from error

    def _do(self, node: Node, written: Written, scope: _Scope) -> None:
        if isinstance(node, Literal):
            self._page.write(node.text)
        elif isinstance(node, Loop):
            self._repeat(node, written, scope)
        elif node.name == "include":
            self._include(node, scope)
        elif node.attributes["object"] in SCRIPT_MARKS:
            self._page.write(SCRIPT_MARKS[node.attributes["object"]])
        else:
            self._page.insert(self._value(node.attributes, scope))

    def _repeat(self, loop: Loop, written: Written, scope: _Scope) -> None:
        name, path = loop.attributes["object"], loop.attributes.get("xpath", ".")
        things, index = self._named(name, scope), loop.attributes.get("index", "")
        if index.isdecimal():
            things, index = things[int(index) : int(index) + 1], ""
        item = loop.attributes.get("item") or _last_name(path) or name
        for variable in filter(None, (item, index)):
            if not NAME.fullmatch(variable) or variable in SCRIPT_MARKS:
                raise ValueError(f"{variable!r} cannot be the name of a thing in a loop.")
        for number, thing in enumerate(_matches(things, path)):
            if not isinstance(thing, Element | str):
                raise ValueError(f"The xpath {path!r} finds nothing to repeat for.")  # noqa: TRY004
            self._rounds += 1
            if self._rounds > ROUNDS_MAX:
                raise TooMuch(f"Its loops have more than {ROUNDS_MAX:,} rounds.")
            inner = {**scope, item: (thing,)}
            if index:
                inner[index] = (str(number),)
            self._carry_out(loop.body, written, inner)

    def _value(self, attributes: Mapping[str, str], scope: _Scope) -> str:
        index = attributes.get("index", "0")
        if not index.isdecimal():
            raise ValueError(f"The index {index!r} is no number from 0 on.")
        things = self._named(attributes["object"], scope)
        matches = _matches(things, attributes.get("xpath", "."))
        return _text(matches[int(index)]) if int(index) < len(matches) else ""

    def _named(self, name: str, scope: _Scope) -> Sequence[_Thing]:
        if name in scope:
            return scope[name]
        objects = self._resources.objects
        try:
            return _things(objects[name])
        except KeyError:
            known = ", ".join(dict.fromkeys([*objects, *scope, *SCRIPT_MARKS]))
            raise ValueError(f"There is no object {name[:60]!r}: write one of {known}.") from None

    def _include(self, node: Instruction, scope: _Scope) -> None:
        ((what, name),) = node.attributes.items()
        if what == "view" and name in built_in_views():
            self._page.keep(node.written)
            return
        label = f"{_LABELS[what]} {name!r}"
        if label in self._included:
            raise TooMuch(f"It includes itself: {' → '.join([*self._included, label])}.")
        if len(self._included) == INCLUSION_DEPTH_MAX:
            raise TooMuch(f"What is included is nested more than {INCLUSION_DEPTH_MAX} deep.")
        if label not in self._parsed:
            content = Written(label, self._read(what, name))
            self._parsed[label] = content, self._parse(content)
        content, nodes = self._parsed[label]
        self._included.append(label)
        try:
            self._carry_out(nodes, content, scope)
        except InvalidContent as error:
            raise ValueError(f"In {error}") from error
        finally:
            self._included.pop()

    def _parse(self, content: Written) -> tuple[Node, ...]:
        try:
            return parse(content)
        except InvalidContent as error:
            raise ValueError(f"In {error}") from error

    def _read(self, what: str, name: str) -> str:
        text = self._block(name) if what == "view" else self._elsewhere(what, name)
        if self._page.kind is not Kind.SUBJECT:
            return text
        line = text.rstrip("\r\n")
        if LINE_BREAKS.search(line):
            raise ValueError(f"The {_LABELS[what]} {name!r} has more than one line.")
        return line

    def _block(self, name: str) -> str:
        custom = self._resources.blocks.get(name)
        if custom is None:
            known = ", ".join([*built_in_views(), *sorted(self._resources.blocks)])
            raise ValueError(f"There is no block {name[:60]!r}: write one of {known}.")
        is_html = self._page.kind is Kind.HTML
        text = custom.html if is_html else custom.text
        if not text:
            raise ValueError(f"The block {name!r} has no {'HTML' if is_html else 'text'}: add it.")
        return text

    def _elsewhere(self, what: str, name: str) -> str:
        if what == "option":
            options = self._resources.options
            if name not in options:
                raise ValueError(f"There is no option {name[:100]!r}: set it first.")
            return options[name]
        if "<%" in name:
            raise ValueError(f"What is included is the same for everybody: no <% in the {what}.")
        try:
            return self._resources.fetch(name) if what == "url" else self._resources.read(name)
        except AftersendError as error:
            raise ValueError(str(error)) from error


_LABELS: Final = {"view": "block", "option": "option", "url": "page", "file": "file"}


def _things(named: Object) -> Sequence[_Thing]:
    # An element is a sequence too: of its children.
    return (named,) if isinstance(named, Element) else tuple(named)


def _matches(things: Sequence[_Thing], path: str) -> list[object]:
    matches: list[object] = []
    for thing in things:
        if isinstance(thing, str):
            if path != ".":
                raise ValueError(f"This is a text, in which the xpath {path!r} finds nothing.")
            matches.append(thing)
            continue
        try:
            found = _xpath(path)(thing)
        except etree.XPathError as error:
            raise ValueError(f"The xpath {path!r} cannot be followed: {error}.") from error
        matches += found if isinstance(found, list) else [found]
    return matches


@lru_cache(maxsize=256)
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, smart_strings=False)


def _text(match: object) -> str:
    if isinstance(match, Element):
        return str(_xpath("string()")(match)).strip()
    if isinstance(match, bool):
        return "true" if match else "false"
    if isinstance(match, float):
        return str(int(match)) if match.is_integer() else str(match)
    return match[1] if isinstance(match, tuple) else str(match)  # a namespace: prefix and name


def _last_name(path: str) -> str:
    """Find the last name of an XPath; none for `.` and for what is no path."""
    bare, count = _PREDICATE.subn("", path)
    while count:
        bare, count = _PREDICATE.subn("", bare)
    for step in reversed(bare.split("/")):
        name = step.rpartition("::")[2].strip().removeprefix("@").rpartition(":")[2]
        if NAME.fullmatch(name):
            return name
    return ""
