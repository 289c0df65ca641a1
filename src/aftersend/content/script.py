"""Scripts of a message: JavaScript, run once a message in QuickJS.

A `Listing` collects the code of one function: the author's code, each piece of it on lines of its
own, and between them steps that write down what is to be sent. It never holds the text of the
message. A `Program` joins such functions with what starts them; it is text, so that it can travel
between processes, and knows where the author wrote each line of it.

An engine is a context of one thread with one program in it. A run takes JSON and gives JSON back.
Nothing that a run does is left for the next one: all that a script can reach is frozen, see
`prelude.js`. An engine that met a limit of time or memory is thrown away.

Limits guard against mistakes, not against an author who wants to do harm: authors are people who
may send mail to everybody anyway. Time is that of the process's work, not of the clock on the wall.

Source: spec §3.2 (runtime code, 5 s); https://quickjs-ng.github.io/quickjs/
"""

import json
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import local
from typing import Any, Final

from quickjs import Context, JSException, StackOverflow

from aftersend.content.expression import Place
from aftersend.errors import InvalidContent

__all__ = [
    "Limits",
    "Listing",
    "Program",
    "check",
    "frozen",
    "given",
    "mentioned_fields",
    "run",
]

_LINES_BEFORE: Final = 1000
"""Lines of a program are counted behind those of the prelude: an error tells which it means."""
_STACK_BYTES_MAX: Final = 512 * 1024
_ENGINES_MAX: Final = 4
_SAFE_INTEGER_MAX: Final = 2**53 - 1
_PROBLEM_LENGTH_MAX: Final = 300
_MIB: Final = 1024 * 1024

_LINE_END: Final = re.compile(r"\r\n?")
_AT: Final = re.compile(r"<input>:(\d+):(\d+)\)?$", re.MULTILINE)
_TRACE: Final = re.compile(r"\n\s+at .*|\nundefined\Z", re.DOTALL)
_FIELDS: Final = re.compile(
    r"\brecipient\s*(?:\?\.|\.)\s*([A-Za-z_$][\w$]*)"
    r"|\brecipient\s*(?:\?\.)?\[\s*(?:'([^'\\]+)'|\"([^\"\\]+)\")\s*\]"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may take; 0 seconds are for ever."""

    seconds_max: float
    memory_bytes_max: int


@dataclass(frozen=True, slots=True)
class _Origin:
    """The author's code on `count` lines of a listing or program, from line `line` on."""

    line: int
    count: int
    place: Place


class Listing:
    """Collects the JavaScript of one function."""

    def __init__(self, *parameters: str) -> None:
        self._texts = [f'(function ($out,{",".join(parameters)}) {{"use strict";let $n=0;{{']
        self._line = 0
        self.origins: list[_Origin] = []
        self.expressions: dict[str, int] = {}
        self.codes: list[str] = []

    def add(self, code: str) -> None:
        """Add code of ours, all of it on one line."""
        assert "\n" not in code, "it would move the lines behind it"
        self._texts.append(code)

    def add_step(self, step: object) -> None:
        """Write down a number or a text of ours."""
        self.add(f"$out[$n++]={json.dumps(step)};")

    def add_value(self, code: str, place: Place) -> None:
        """Write down what an expression of the author's gives."""
        self.add("$out[$n++]=")
        self.add_expression(code, place)
        self.add(";")

    def add_statement(self, code: str, place: Place) -> None:
        """Add a statement of the author's."""
        self._add_own(code, place)

    def add_expression(self, code: str, place: Place) -> None:
        """Add an expression of the author's; it becomes a text, nothing for null."""
        self._texts.append("$text((")
        self.expressions.setdefault(code, self._line + 1)
        self._add_own(code, place)
        self._texts.append("))")

    def _add_own(self, code: str, place: Place) -> None:
        code = _LINE_END.sub("\n", code)
        count = code.count("\n") + 1
        self.origins.append(_Origin(self._line + 1, count, place))
        self.codes.append(code)
        self._texts.append(f"\n{code}\n")
        self._line += count + 1

    @property
    def source(self) -> str:
        """Give the function; its first argument is the list that it writes down to."""
        return "".join((*self._texts, "}})"))


@dataclass(frozen=True, slots=True)
class Program:
    """JavaScript that gives a function from JSON to JSON, and where each line was written.

    `names` are the parts of the message that a run goes through, by the numbers that `$begin` is
    told; `functions` are its functions and expressions, each with its first line, to be checked one
    by one.
    """

    code: str
    names: tuple[str, ...]
    origins: tuple[_Origin, ...]
    functions: tuple[tuple[int, str], ...]

    @classmethod
    def build(
        cls,
        functions: Mapping[str, Listing],
        *,
        names: Iterable[str],
        constants: str,
        end: str,
    ) -> "Program":
        """Join functions by name; `end` is what to call with JSON."""
        texts = ["\n" * _LINES_BEFORE, '(function () {"use strict";', constants]
        origins: list[_Origin] = []
        parts: list[tuple[int, str]] = []
        line = _LINES_BEFORE + 1
        for name, listing in functions.items():
            source = listing.source
            texts.append(f"const {name} = {source};")
            origins += (
                _Origin(each.line + line, each.count, each.place) for each in listing.origins
            )
            parts += (
                (line + at - 1, f"(function () {{ return (\n{code}\n)}})")
                for code, at in listing.expressions.items()
            )
            parts.append((line, source))
            line += source.count("\n")
        texts.append(f"return {end};}})()")
        return cls("".join(texts), tuple(names), tuple(origins), tuple(parts))

    def place(self, line: int, column: int) -> Place | None:
        """Tell where the author wrote what stands at a place of the code."""
        index = bisect_right(self.origins, line, key=lambda each: each.line) - 1
        if index < 0:
            return None
        origin = self.origins[index]
        lines = line - origin.line
        if lines >= origin.count:
            return None
        start = origin.place
        if lines == 0:
            return Place(start.part, start.line, start.column + column - 1)
        return Place(start.part, start.line + lines, column)

    def near(self, line: int, column: int) -> Place | None:
        """Do the same; what stands in our own code belongs to the author's behind it."""
        place = self.place(line, column)
        if place is not None:
            return place
        return next((each.place for each in self.origins if each.line == line + 1), None)


def check(program: Program) -> None:
    """Find out whether the scripts of a program are JavaScript.

    Raises:
        InvalidContent: one is not; it says where and why.
    """
    context = Context()
    for line, source in program.functions:
        try:
            context.eval("\n" * (line - 1) + source)
        except JSException as error:
            problem = _problem(error).removeprefix("SyntaxError: ")
            place = _place(error, program.place)
            if place is None:  # the fault shows in our own code, behind the author's
                problem = "it ends too early, or a bracket is not closed, or closed twice"
                place = _last_place(program, line, source)
            raise _error(f"This script is not understood: {problem}.", place) from None


def run(program: Program, text: str, *, limits: Limits, failed: str = "The script failed") -> Any:
    """Call a program with JSON; `failed` begins the sentence that says what went wrong.

    Raises:
        InvalidContent: a script failed, or took more than it may.
    """
    engine: _Engine | None = None
    try:
        engine = _engine(program, limits)
        return json.loads(engine.call(text))
    except JSException as error:
        problem, is_ours = _explained(error, limits)
        place = _place(error, program.place if is_ours else program.near)
        if place is None and engine is not None:
            place = engine.place()
        if is_ours:
            _engines.known.pop((program.code, limits), None)
        raise _error(f"{failed}: {problem}.", place) from None


def given(recipient: Mapping[str, object], *, message_id: int, at: datetime | None) -> str:
    """Spell what a run of a message is given."""
    milliseconds = None if at is None else int(at.timestamp() * 1000)
    name = message_id if message_id <= _SAFE_INTEGER_MAX else str(message_id)
    return _json([dict(recipient), {"id": name}, message_id & 0x7FFFFFFF, milliseconds])


def frozen(value: object) -> str:
    """Spell a value as JavaScript that nobody can change."""
    return f"$freeze({_json(value)})"


def mentioned_fields(codes: Iterable[str]) -> frozenset[str]:
    """Name the fields of the recipient that code mentions.

    >>> sorted(mentioned_fields(["recipient.a + recipient?.b", "recipient['c d']"]))
    ['a', 'b', 'c d']
    """
    return frozenset(
        next(filter(None, match.groups())) for code in codes for match in _FIELDS.finditer(code)
    )


class _Engine:
    """A context with a program in it."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self._names = program.names
        context = Context()
        context.set_max_stack_size(_STACK_BYTES_MAX)
        context.set_memory_limit(limits.memory_bytes_max)
        context.eval(_prelude())
        if limits.seconds_max:
            context.set_time_limit(limits.seconds_max)
        self.call = context.eval(program.code)
        self._where = context.get("$where")

    def place(self) -> Place | None:
        """Tell at least which part of the message was being written."""
        try:
            return Place(self._names[int(self._where())], 0, 0)
        except (JSException, IndexError):
            return None


class _Engines(local):
    """The engines of a thread: QuickJS is not made for two."""

    def __init__(self) -> None:
        self.known: OrderedDict[tuple[str, Limits], _Engine] = OrderedDict()


_engines = _Engines()


def _engine(program: Program, limits: Limits) -> _Engine:
    known, key = _engines.known, (program.code, limits)
    engine = known.get(key)
    if engine is None:
        engine = known[key] = _Engine(program, limits)
        while len(known) > _ENGINES_MAX:
            known.popitem(last=False)
    return engine


@cache
def _prelude() -> str:
    return Path(__file__).with_name("prelude.js").read_text(encoding="utf-8")


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except ValueError:  # not a number: JSON has no word for it
        return json.dumps(json.loads(json.dumps(value, default=str), parse_constant=str))


def _explained(error: JSException, limits: Limits) -> tuple[str, bool]:
    """Say what went wrong, and whether it was one of our limits."""
    if isinstance(error, StackOverflow):
        return "it calls itself without end", False
    problem = _problem(error)
    if problem == "InternalError: interrupted":
        return f"it took longer than {limits.seconds_max:g} seconds", True
    if problem in ("InternalError: out of memory", "null"):  # no memory is left to say so
        return f"it took more than {limits.memory_bytes_max / _MIB:g} MiB of memory", True
    if problem.startswith("ReferenceError") and problem.endswith("is not defined"):
        return f"{problem}: write var before the name of a new variable", False
    return problem, False


def _problem(error: JSException) -> str:
    text = " ".join(_TRACE.sub("", str(error)).split())
    return text if len(text) <= _PROBLEM_LENGTH_MAX else f"{text[:_PROBLEM_LENGTH_MAX]}…"


def _place(error: JSException, find: Callable[[int, int], Place | None]) -> Place | None:
    places = (find(int(at[1]), int(at[2])) for at in _AT.finditer(str(error)))
    return next((place for place in places if place is not None), None)


def _last_place(program: Program, line: int, source: str) -> Place | None:
    end = line + source.count("\n")
    inside = [each.place for each in program.origins if line <= each.line <= end]
    return inside[-1] if inside else None


def _error(problem: str, place: Place | None) -> InvalidContent:
    if place is None:
        return InvalidContent(problem)
    return InvalidContent(problem, part=place.part, line=place.line, column=place.column)
