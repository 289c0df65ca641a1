"""Reading instructions: from the text of an author to what is to be done, in its order.

An instruction is a name with attributes, each value in single or double quotes::

    <%@ include view='X' %>      or option='X', url='…', file='…'
    <%@ value object='o' xpath='p' index='n' %>
    <%@ foreach object='o' xpath='p' index='i' item='x' %> … <%@ end %>

There are no character references: an XPath with quotes stands between quotes of the other kind. A
`%>` between quotes does not end an instruction.

Source: spec §3.2.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aftersend.errors import InvalidContent

__all__ = [
    "BEGINNING",
    "LOOP_DEPTH_MAX",
    "Instruction",
    "Literal",
    "Loop",
    "Node",
    "Written",
    "parse",
]

BEGINNING: Final = "<%@"
LOOP_DEPTH_MAX: Final = 8
XPATH_LENGTH_MAX: Final = 1_000

_INSTRUCTION: Final = re.compile(
    r"<%@\s*(?P<name>\w+)(?P<attributes>(?:\s+\w+\s*=\s*(?:'[^']*'|\"[^\"]*\"))*)\s*%>"
)
_ATTRIBUTE: Final = re.compile(r"(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")")
_SPACE: Final = re.compile(r"\s+")
_SHOWN_MAX: Final = 60
_INCLUDED: Final = ("view", "option", "url", "file")
_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "include": _INCLUDED,
    "value": ("object", "xpath", "index"),
    "foreach": ("object", "xpath", "index", "item"),
    "end": (),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A text that somebody wrote, by the name that people are told."""

    name: str
    text: str

    def error(self, problem: str, at: int) -> InvalidContent:
        """Make the error that names a place of this text."""
        line_start = self.text.rfind("\n", 0, at) + 1
        line = self.text.count("\n", 0, at) + 1
        return InvalidContent(problem, part=self.name, line=line, column=at - line_start + 1)


@dataclass(frozen=True, slots=True)
class Literal:
    """What stays as it is written."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction without a body: include, value or end."""

    at: int
    written: str
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Loop:
    """A foreach with what it repeats."""

    at: int
    attributes: Mapping[str, str]
    body: "tuple[Node, ...]"


Node: TypeAlias = Literal | Instruction | Loop


@dataclass(slots=True)
class _Opened:
    """What is being collected: the text itself, or a loop that is not closed yet."""

    loop: Instruction | None = None
    nodes: list[Node] = field(default_factory=list)


def parse(written: Written) -> tuple[Node, ...]:
    """Read a text.

    Raises:
        InvalidContent: an instruction is not understood, or loops are not closed.
    """
    opened = [_Opened()]
    for node in _nodes(written):
        if not isinstance(node, Instruction) or node.name not in ("foreach", "end"):
            opened[-1].nodes.append(node)
        elif node.name == "foreach":
            if len(opened) > LOOP_DEPTH_MAX:
                raise written.error(f"Loops are nested at most {LOOP_DEPTH_MAX} deep.", node.at)
            opened.append(_Opened(node))
        else:
            closed = opened.pop()
            if closed.loop is None:
                raise written.error("This `end` has no `foreach` before it.", node.at)
            loop = Loop(closed.loop.at, closed.loop.attributes, tuple(closed.nodes))
            opened[-1].nodes.append(loop)
    if opened[-1].loop is not None:
        raise written.error(
            "`foreach` is not closed: write <%@ end %> behind what it repeats.", opened[-1].loop.at
        )
    return tuple(opened[0].nodes)


def _nodes(written: Written) -> Iterator[Literal | Instruction]:
    at = 0
    while (start := written.text.find(BEGINNING, at)) >= 0:
        if at < start:
            yield Literal(at, written.text[at:start])
        instruction = _instruction(written, start)
        yield instruction
        at = start + len(instruction.written)
    if at < len(written.text):
        yield Literal(at, written.text[at:])


def _instruction(written: Written, start: int) -> Instruction:
    match = _INSTRUCTION.match(written.text, start)
    if match is None:
        raise written.error(_misshapen(written.text, start), start)
    attributes: dict[str, str] = {}
    for name, single, double in _ATTRIBUTE.findall(match["attributes"]):
        if name in attributes:
            raise written.error(f"`{name}` is given twice.", start)
        attributes[name] = single or double
    if problem := _problem(match["name"], attributes):
        raise written.error(problem, start)
    return Instruction(start, match[0], match["name"], attributes)


def _misshapen(text: str, start: int) -> str:
    end = text.find("%>", start)
    if end < 0:
        return f"`{BEGINNING}` is not closed: write `%>` behind it."
    shown = _SPACE.sub(" ", text[start : end + 2])
    if len(shown) > _SHOWN_MAX:
        shown = f"{shown[:_SHOWN_MAX]}…"
    return (
        f"{shown} is not understood: write a name and attributes in quotes, such as"
        " <%@ include view='MirrorPage' %>."
    )


def _problem(name: str, attributes: Mapping[str, str]) -> str | None:
    """Tell what is wrong with an instruction."""
    known = _ATTRIBUTES.get(name)
    if known is None:
        return f"There is no instruction `{name}`: write one of {', '.join(_ATTRIBUTES)}."
    for attribute in attributes:
        if attribute not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            return f"`{name}` has no attribute `{attribute}`: {has}."
    if name == "include" and len(attributes) != 1:
        return f"`include` takes one of {', '.join(_INCLUDED)}."
    if "object" in known and "object" not in attributes:
        return f"`{name}` does not say of what: write object='…'."
    if len(attributes.get("xpath", "")) > XPATH_LENGTH_MAX:
        return f"An xpath has at most {XPATH_LENGTH_MAX:,} characters."
    return None
